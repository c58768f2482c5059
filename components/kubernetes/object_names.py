"""What a component's name may be, so that every object can be named after it."""

import re


def require_name(name: str) -> None:
    """Raise ValueError with the cure when objects can't be named after ``name``."""
    # "-redis-settings-" with a random ending has to fit into 63 characters.
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", name):
        raise ValueError(
            f"{name!r} can't be the component's name: objects are named after it; use 1 to 40 "
            "lower-case letters, digits and inner hyphens, a letter first"
        )
