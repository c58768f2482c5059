"""A real Kubernetes cluster of one node on this machine, for tests and for trying things out."""
