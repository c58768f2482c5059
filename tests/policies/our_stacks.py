"""The resources of this project's own stacks, recorded without an engine."""

import functools
import json
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import recording
import yaml

from policies.resources import Resource
from policies.settings import FOLDER, read
from policies.values import plain

ROOT = Path(__file__).parents[2]
STACKS = ("dev", "staging", "prod")
_SUFFIX = "-1a2b3c4d"


def settings(stack: str) -> dict[str, Any]:
    """The environment's policy settings."""
    return read(FOLDER / f"{stack}.json")


@functools.cache
def recorded(stack: str, proxy: str = "nginx", **changed: str) -> tuple[Resource, ...]:
    """What the engine would hand to a policy: inputs that a provider has checked."""
    with _named_by_the_provider():
        found = recording.run(_program, config=_configuration(stack, proxy=proxy, **changed))
    return tuple(_resource(one) for one in found.resources if not one.type.startswith("kato:"))


def _configuration(stack: str, **changed: str) -> dict[str, str]:
    """The stack's settings as the engine hands them over: defaults, the stack's own, ours."""
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    found = {f"kato:{key}": one["default"] for key, one in declared.items() if ":" not in key}
    found |= yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    found |= {f"kato:{key}": value for key, value in changed.items()}
    return {key: one if isinstance(one, str) else json.dumps(one) for key, one in found.items()}


def _program() -> None:
    runpy.run_path(str(ROOT / "__main__.py"))


@contextmanager
def _named_by_the_provider() -> Iterator[None]:
    """Kubernetes objects without a name get one, in their outputs."""
    answer = recording._Answers.new_resource

    def named(self: Any, args: Any) -> tuple[str, dict[str, Any]]:
        identity, state = answer(self, args)
        if args.typ.startswith("kubernetes:"):
            metadata = dict(args.inputs.get("metadata") or {})
            state["metadata"] = {"name": f"{args.name}{_SUFFIX}", **metadata}
        return identity, state

    recording._Answers.new_resource = named  # type: ignore[method-assign]
    try:
        yield
    finally:
        recording._Answers.new_resource = answer  # type: ignore[method-assign]


def _resource(one: recording.Resource) -> Resource:
    data = plain(one.inputs)
    if one.type.startswith("kubernetes:"):
        data["metadata"] = {"name": f"{one.name}{_SUFFIX}", **(data.get("metadata") or {})}
    edges = {name: tuple(urns.urns) for name, urns in one.request.propertyDependencies.items()}
    return Resource(
        one.urn, one.type, one.name, data, None, one.depends_on, edges, one.request.provider
    )
