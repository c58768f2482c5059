"""Sets up the tools of this repository: ``python3 -m dev.toolchain``.

Everything that runs before the Python environment exists uses the standard library only.
"""
