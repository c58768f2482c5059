"""Reads each message of the engine once, not once for every policy.

The SDK (1.21) reads a resource's properties for each of its policies anew, and for each policy of
the stack all resources with their relations: 3 s for 30 policies on 1,000 resources. Here a message
is read before the SDK gets it, and the SDK gets one without properties, from which it makes what
our policies do not look at. Remediation, which writes, gets the SDK's own view, but only when a
policy is set to remediate: the engine asks for every resource.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from google.protobuf import json_format
from pulumi.runtime.proto import analyzer_pb2 as messages
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy import policy as sdk
from pulumi_policy.deserialize import deserialize_properties

from .values import plain

Rpc = Callable[[Any, Any, Any], Any]
"""A call of the engine's, as the SDK answers it."""


class Reader(Protocol):
    """Who keeps what a message says until its call is answered."""

    def begin_resource(self, request: messages.AnalyzeRequest) -> bool:
        """Read a resource; False when no rule has to see it."""

    def begin_stack(self, request: messages.AnalyzeStackRequest) -> None:
        """Read a stack."""


def properties(message: Any) -> Any:
    """The properties of a resource in a message."""
    return plain(deserialize_properties(json_format.MessageToDict(message.properties)))


def install(policies: Sequence[Policy], reader: Reader) -> None:
    """Put the reader before the SDK; to be called once, before these policies are served."""
    servicer = sdk._PolicyAnalyzerServicer
    for name, answer in {
        "Analyze": _read_resource(servicer.Analyze, reader),
        "AnalyzeStack": _read_stack(servicer.AnalyzeStack, reader),
        "Remediate": _asked_for(servicer.Remediate, policies),
        # It takes over the program's settings with every call. No rule asks for them.
        "_configure_runtime_settings": lambda _: None,
    }.items():
        setattr(servicer, name, answer)


def _read_resource(analyze: Rpc, reader: Reader) -> Rpc:
    def answer(servicer: Any, request: Any, context: Any) -> Any:
        if not reader.begin_resource(request):
            return messages.AnalyzeResponse()
        bare = messages.AnalyzeRequest(type=request.type, urn=request.urn, name=request.name)
        return analyze(servicer, bare, context)

    return answer


def _read_stack(analyze_stack: Rpc, reader: Reader) -> Rpc:
    def answer(servicer: Any, request: Any, context: Any) -> Any:
        reader.begin_stack(request)
        return analyze_stack(servicer, messages.AnalyzeStackRequest(), context)

    return answer


def _asked_for(remediate: Rpc, policies: Sequence[Policy]) -> Rpc:
    """The SDK's remediation, without reading the resource when no policy is set to it."""

    def answer(servicer: Any, request: Any, context: Any) -> Any:
        levels = (servicer._get_enforcement_level(policy) for policy in policies)
        if EnforcementLevel.REMEDIATE not in levels:
            return messages.RemediateResponse()
        return remediate(servicer, request, context)

    return answer
