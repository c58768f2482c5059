"""Local container images for machines where no registry answers: ``python3 -m dev.images``."""
