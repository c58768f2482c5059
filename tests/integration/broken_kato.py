"""A version of KATO that answers 5 % of its requests with 500."""

from pulumi_stack import must

BROKEN_KATO = "kato-lb/kato-stand-in:6.3.2"


def make(kato: str) -> None:
    """Make it of the image ``kato``."""
    made = must(["docker", "create", kato]).strip()
    change = "ENV STAND_IN_FAULT=fail_before STAND_IN_FAULT_EVERY=20"
    must(["docker", "commit", "--change", change, made, BROKEN_KATO])
    must(["docker", "rm", made])
