from kato_policies.pulumi_pack import serve

serve("load_balancing", "kubernetes", "security")  # or some of them
