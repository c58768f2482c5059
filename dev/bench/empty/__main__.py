"""The least that a Pulumi program can be."""

import pulumi  # noqa: F401
