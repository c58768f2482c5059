from kato_policies.pulumi_pack import serve

serve("load_balancing")  # or several: "load_balancing", "kubernetes", "security"
