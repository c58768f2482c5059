"""Rules that a stack must keep before it may be deployed; three Pulumi policy packs."""
