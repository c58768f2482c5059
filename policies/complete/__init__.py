"""A policy pack; started from __main__.py, never imported."""
