"""Stacks that keep every rule, and for each rule one change that breaks it.

The documentation and the tests read them; the packs never do.
"""
