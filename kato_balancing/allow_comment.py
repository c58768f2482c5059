"""The comment by which a configuration file says that it breaks a rule of the linter on purpose."""

from typing import Final

ALLOW: Final = "kato-lb lint: allow"
"""A comment that starts so names rules that the next line may break."""
