"""Makes this folder importable for the tests below: pulumi_stack is for every platform."""
