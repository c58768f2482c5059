"""The tiers of KatoK8sStack, one file each: what a tier takes, its check, and its objects."""
