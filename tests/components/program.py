"""The program as the engine runs it, without an engine: settings in, a recording out."""

import json
import runpy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from recording import Recording, run

ROOT = Path(__file__).parents[2]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def settings_of(*, stack: str | None = None, **changed: Any) -> dict[str, str]:
    """The settings as the engine hands them over: Pulumi.yaml's defaults, the stack's, ours."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    found = {f"kato:{key}": entry["default"] for key, entry in declared.items() if ":" not in key}
    if stack is not None:
        found |= yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    found |= {f"kato:{key}": value for key, value in changed.items()}
    return {key: _text(value) for key, value in found.items()}


def program() -> None:
    """The program, once."""
    runpy.run_path(str(ROOT / "__main__.py"))


def run_program(
    *,
    stack: str | None = None,
    preview: bool = False,
    secret_keys: Iterable[str] = (),
    **changed: Any,
) -> Recording:
    """The program with Pulumi.yaml's settings, a stack's and these."""
    config = settings_of(stack=stack, **changed)
    return run(program, preview=preview, config=config, secret_keys=secret_keys)
