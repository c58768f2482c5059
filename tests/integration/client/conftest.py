"""Helpers beside the tests are importable."""
