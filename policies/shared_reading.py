"""Makes the SDK read each message of the engine once, not once for every policy.

Per policy the SDK (1.21) turns the properties of every resource from the wire into dicts and wraps
them anew, its options and its provider too: 3 s for 30 policies on 1,000 resources. The views are
the same for all of them and nobody writes to them, so one is shared for as long as the message
lives. Remediation, which does write, gets its own copy of the properties from the SDK as before,
but only when a policy is set to remediate: the engine asks for every resource.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from google.protobuf import json_format
from pulumi.runtime.proto.analyzer_pb2 import RemediateResponse
from pulumi_policy import EnforcementLevel, Policy
from pulumi_policy import policy as sdk
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.proxy import unknown_checking_proxy

MOST: Final = 50_000
"""Views that are kept; a stack has fewer resources by far."""


class Shared:
    """Remembers a function's result by the identity of its argument, which it keeps alive."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._results = threading.local()

    def __call__(self, argument: Any) -> Any:
        known: dict[int, tuple[Any, Any]] = self._results.__dict__.setdefault("known", {})
        found = known.get(id(argument))
        if found is not None:
            return found[1]
        if len(known) >= MOST:
            known.clear()
        result = self._function(argument)
        known[id(argument)] = argument, result
        return result


def install(policies: Sequence[Policy]) -> None:
    """Put the shared views in the SDK's place; to be called once, before these policies are
    served."""
    read = Shared(json_format.MessageToDict)
    shared = Shared(deserialize_properties)

    def deserialized(properties: Any, proxy_secrets: bool = False) -> Any:
        return deserialize_properties(properties, True) if proxy_secrets else shared(properties)

    vars(sdk).update(
        json_format=SimpleNamespace(MessageToDict=read),
        deserialize_properties=deserialized,
        unknown_checking_proxy=_for_writing,
    )
    servicer = sdk._PolicyAnalyzerServicer
    for name in ("_get_resource_options", "_get_provider_resource"):
        setattr(servicer, name, _shared_method(getattr(servicer, name)))
    servicer.Remediate = _asked_for(servicer.Remediate, policies)  # type: ignore[method-assign]


def _for_writing(properties: Any) -> Any:
    """The SDK's view, which raises for unknown items, for remediation only: rules know them."""
    return properties if type(properties) is dict else unknown_checking_proxy(properties)


def _shared_method(method: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The method, which reads nothing of its object, once for each message."""
    shared = Shared(partial(method, None))

    def read(_: Any, message: Any) -> Any:
        return shared(message)

    return read


def _asked_for(
    remediate: Callable[[Any, Any, Any], RemediateResponse], policies: Sequence[Policy]
) -> Callable[[Any, Any, Any], RemediateResponse]:
    """The SDK's remediation, without reading the resource when no policy is set to it."""

    def answer(servicer: Any, request: Any, context: Any) -> RemediateResponse:
        levels = (servicer._get_enforcement_level(policy) for policy in policies)
        if EnforcementLevel.REMEDIATE not in levels:
            return RemediateResponse()
        return remediate(servicer, request, context)

    return answer
