"""The settings files of the environments: rule → level, or level and knobs.

The engine takes a misspelt rule in silence: ``python -m policies.settings FILE…`` does not.
"""

import difflib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from .catalogue import ALL
from .rule import Knobs, Rule

FOLDER: Final = Path(__file__).parent / "env"
LEVELS: Final = ("advisory", "mandatory", "remediate", "disabled")


def read(file: Path) -> dict[str, Any]:
    """A file's settings. Raises ValueError when it is not an object."""
    found = json.loads(file.read_text())
    if not isinstance(found, dict):
        raise ValueError(f"{file.name}: must be an object of rules")
    return found


def problems(settings: Mapping[str, Any], rules: Iterable[Rule]) -> list[str]:
    """What is wrong with settings, each by its rule and its knob."""
    known = {rule.id: rule for rule in rules}
    remedies = {f"{rule.id}-remedy" for rule in known.values() if rule.stack and rule.remedy}
    found: list[str] = []
    for name, value in settings.items():
        level = value.get("enforcementLevel") if isinstance(value, dict) else value
        if level not in LEVELS:
            # A pack that does not have the rule refuses an entry without a level.
            found.append(f"{name}: enforcementLevel must be one of {', '.join(LEVELS)}")
        if name == "all" or name in remedies:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            found.append(f"{name} is no rule" + (f"; did you mean {near[0]}?" if near else ""))
        elif isinstance(value, dict):
            given = {key: item for key, item in value.items() if key != "enforcementLevel"}
            found += Knobs(known[name], given).problems
    return found


def knobs(settings: Mapping[str, Any], rule: Rule) -> Knobs:
    """The rule's knobs under these settings."""
    value = settings.get(rule.id)
    given = value if isinstance(value, dict) else {}
    return Knobs(rule, {key: item for key, item in given.items() if key != "enforcementLevel"})


def level(settings: Mapping[str, Any], rule: Rule) -> str:
    """The rule's level under these settings."""
    value = settings.get(rule.id, settings.get("all"))
    chosen = value.get("enforcementLevel") if isinstance(value, dict) else value
    return str(chosen or rule.level)


def main(files: list[str]) -> int:
    """Check files; 1 when something is wrong with one."""
    found = 0
    for name in files:
        try:
            wrong = problems(read(Path(name)), ALL)
        except (OSError, ValueError) as error:
            wrong = [str(error)]
        found += len(wrong)
        for problem in wrong:
            print(f"{name}: {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
