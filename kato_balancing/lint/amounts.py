"""Times and sizes as nginx and HAProxy write them."""

import re

_SECONDS = {"us": 1e-6, "ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0,
            "w": 604800.0, "M": 2592000.0, "y": 31536000.0}  # fmt: skip
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_TIME_PART = re.compile(r"(\d{1,12})(us|ms|[smhdwMy]?)")


def nginx_seconds(text: str) -> float | None:
    """``4s``, ``1h30m`` or ``4`` (seconds); None for anything else, such as a variable."""
    if not re.fullmatch(rf"(?:{_TIME_PART.pattern} ?)+", text):
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in _TIME_PART.findall(text))


def haproxy_seconds(text: str) -> float | None:
    """``4s`` or ``4000`` (milliseconds); None for anything else."""
    found = re.fullmatch(r"(\d{1,12})(us|ms|[smhd]?)", text)
    if found is None:
        return None
    return int(found[1]) * (_SECONDS[found[2]] if found[2] else 0.001)


def size_bytes(text: str) -> int | None:
    """``100m`` or ``4096``; None for anything else."""
    found = re.fullmatch(r"(\d{1,12})([kmg]?)", text.lower())
    return None if found is None else int(found[1]) * _BYTES[found[2]]


def whole(text: str | None) -> int | None:
    """A whole number; None for anything else."""
    return int(text) if text is not None and re.fullmatch(r"\d{1,12}", text) else None
