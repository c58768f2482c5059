"""A balancer's settings from a file, YAML or JSON, and the program that a command is for."""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from kato_balancing import haproxy, nginx
from kato_balancing.model import Balancer
from kato_balancing.problems import InvalidInput, Problem
from kato_balancing.targets import UnsupportedFeature, Version, parse_version, show

Program = Literal["nginx", "haproxy"]


@dataclass(frozen=True)
class Target:
    """The program and version that a configuration is for."""

    program: Program
    version: Version

    def __str__(self) -> str:
        return f"{self.program} {show(self.version)}"


class Unreadable(ValueError):  # noqa: N818 - a refusal, not a fault
    """The file is not there, or is neither JSON nor YAML."""


class Refused(ValueError):  # noqa: N818 - a refusal, not a fault
    """What the file says can't be done; ``problems`` has every reason."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.problems = problems
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{file}: refused\n{lines}")


def parse_target(text: str) -> Target:
    """``nginx:1.30`` or ``haproxy:3.2``, for argparse."""
    program, _, version = text.partition(":")
    known = get_args(Program)
    if program not in known:
        raise argparse.ArgumentTypeError(
            f"{text!r} names none of {', '.join(known)}; write nginx:1.30 or haproxy:3.2"
        )
    try:
        return Target("nginx" if program == "nginx" else "haproxy", parse_version(version))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def read(file: str) -> Balancer:
    """The balancer that a file describes, ``-`` being standard input.

    Raises Unreadable for a file that holds no settings, Refused for settings that are not sound.
    """
    try:
        return Balancer.of(_settings(file))
    except InvalidInput as error:
        raise Refused(file, list(error.problems)) from None


def render(file: str, balancer: Balancer, target: Target) -> str:
    """The configuration for the target. Raises Refused with everything that it can't do."""
    try:
        if target.program == "nginx":
            return nginx.render(balancer, target.version)
        return haproxy.render(balancer, target.version)
    except UnsupportedFeature as first:
        every = haproxy.refusals(balancer, target.version) if target.program == "haproxy" else []
        problems = [Problem(error.path, error.message) for error in every or [first]]
        raise Refused(file, problems) from None


def _settings(file: str) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{file}: can't be read ({error})") from None
    data = _parsed(file, text)
    if not isinstance(data, dict):
        raise Unreadable(f"{file}: holds no settings; it starts with a name such as 'pool:'")
    return data


def _parsed(file: str, text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise Unreadable(f"{file}: is nested too deeply") from None
    except ValueError as error:
        if file.endswith(".json"):
            raise Unreadable(f"{file}: is not JSON ({error})") from None
    try:
        import yaml  # noqa: PLC0415 - JSON needs no further package
    except ImportError:
        raise Unreadable(
            f"{file}: is not JSON, and YAML needs the package PyYAML; "
            "run 'pip install pyyaml' or write JSON"
        ) from None
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise Unreadable(f"{file}: is neither JSON nor YAML ({reason})") from None
