"""The balancing model of KATO and everything that follows from it; pure Python, no Pulumi."""
