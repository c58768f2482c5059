"""Speaks the engine's side of the analyzer protocol with a running policy pack."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2 as messages
from pulumi.runtime.proto import analyzer_pb2_grpc

from policies.resources import Resource
from policies.rule import Pack
from policies.values import UNKNOWN

ROOT = Path(__file__).parents[2]
UNKNOWN_STRING = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_LEVELS = {"advisory": 0, "mandatory": 1, "disabled": 2, "remediate": 3}
_NAMES = {number: name for name, number in _LEVELS.items()}


@dataclass(frozen=True)
class Diagnostic:
    """A finding as the engine gets it."""

    policy: str
    urn: str
    level: str
    message: str


class Analyzer:
    """The process of one pack, named by its folder."""

    def __init__(self, pack: str) -> None:
        folder = ROOT / "policies" / pack
        # As the language host does it: its own folder as working directory, the engine's address.
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(folder)],
            cwd=folder,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        port = int(self._process.stdout.readline())
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        self.info = self._stub.GetAnalyzerInfo(empty_pb2.Empty())

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Hand over settings as the engine does: defaults filled in, every policy listed."""
        request = messages.ConfigureAnalyzerRequest()
        for policy in self.info.policies:
            given = settings.get(policy.name, {})
            given = {"enforcementLevel": given} if isinstance(given, str) else dict(given)
            level = given.pop("enforcementLevel", _NAMES[policy.enforcementLevel])
            schema = json_format.MessageToDict(policy.configSchema.properties)
            entry = request.policyConfig[policy.name]
            entry.enforcementLevel = _LEVELS[level]
            defaults = {name: item["default"] for name, item in schema.items()}
            entry.properties.update({**defaults, **given})
        self._stub.Configure(request)

    def analyze(self, resources: Sequence[Resource]) -> list[Diagnostic]:
        """Each resource by itself."""
        found: list[Diagnostic] = []
        for resource in resources:
            answer = self._stub.Analyze(
                messages.AnalyzeRequest(
                    type=resource.type,
                    properties=_struct(resource.data),
                    urn=resource.urn,
                    name=resource.name,
                )
            )
            found += [_diagnostic(one, resource.urn) for one in answer.diagnostics]
        return found

    def analyze_stack(self, resources: Sequence[Resource]) -> list[Diagnostic]:
        """The whole stack."""
        answer = self._stub.AnalyzeStack(
            messages.AnalyzeStackRequest(resources=[_analyzer_resource(one) for one in resources])
        )
        return [_diagnostic(one) for one in answer.diagnostics]

    def remediate(self, type_: str, data: Any) -> dict[str, Any]:
        """What the pack makes of the properties, in the wire's form."""
        properties = _struct(data)
        request = messages.AnalyzeRequest(type=type_, properties=properties, urn="u", name="n")
        for answer in self._stub.Remediate(request).remediations:
            assert not answer.diagnostic
            properties = answer.properties
        found: dict[str, Any] = json_format.MessageToDict(properties)
        return found

    def stop(self) -> None:
        """End the process."""
        self._channel.close()
        self._process.terminate()
        self._process.wait()


class Packs:
    """All packs together."""

    def __init__(self) -> None:
        self.of = {pack: Analyzer(pack) for pack in Pack}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for analyzer in self.of.values():
            analyzer.stop()

    def configure(self, settings: Mapping[str, Any]) -> None:
        """The same settings for every pack."""
        for analyzer in self.of.values():
            analyzer.configure(settings)

    def findings(
        self, resources: Sequence[Resource], settings: Mapping[str, Any] | None = None
    ) -> list[Diagnostic]:
        """What an engine's preview gets: each resource first, then the stack."""
        self.configure(settings or {})
        return [
            one
            for analyzer in self.of.values()
            for one in (*analyzer.analyze(resources), *analyzer.analyze_stack(resources))
        ]


def _analyzer_resource(resource: Resource) -> Any:
    found = messages.AnalyzerResource(
        type=resource.type,
        properties=_struct(resource.data),
        urn=resource.urn,
        name=resource.name,
        dependencies=list(resource.depends_on),
    )
    for name, urns in resource.property_depends_on.items():
        found.propertyDependencies[name].urns.extend(urns)
    return found


def _struct(data: Any) -> Any:
    found = struct_pb2.Struct()
    found.update(_wire(data) if isinstance(data, Mapping) else {})
    return found


def _wire(data: Any) -> Any:
    if data is UNKNOWN:
        return UNKNOWN_STRING
    if isinstance(data, Mapping):
        return {key: _wire(item) for key, item in data.items()}
    if isinstance(data, list):
        return [_wire(item) for item in data]
    return data


def _diagnostic(one: Any, urn: str = "") -> Diagnostic:
    return Diagnostic(one.policyName, one.urn or urn, _NAMES[one.enforcementLevel], one.message)
