"""Planned work on a deployed stack, one step after another, without a lost request."""
