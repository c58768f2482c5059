"""What a document of ``kato-lb verify`` says that does not hold."""

from typing import Any


def complaints(document: dict[str, Any]) -> list[str]:
    """A line for each check that is broken or undecided."""
    return [
        f"{check['name']} is {check['verdict']}: {check['summary']}; {' '.join(check['messages'])}"
        for check in document["checks"]
        if check["verdict"] != "holds"
    ]
