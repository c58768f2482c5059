"""Makes the SDK read each message of the engine once, not once for every policy.

Per policy the SDK (1.21) turns the properties of every resource from the wire into dicts and wraps
them anew: 3 s for 30 policies on 1,000 resources. The views are the same for all of them and
nobody writes to them, so one is shared for as long as the message lives. Remediation, which does
write, gets its own copy from the SDK as before.
"""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from google.protobuf import json_format
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


def install() -> None:
    """Put the shared views in the SDK's place; to be called once, before the pack is served."""
    read = Shared(json_format.MessageToDict)
    shared = Shared(deserialize_properties)

    def deserialized(properties: Any, proxy_secrets: bool = False) -> Any:
        return deserialize_properties(properties, True) if proxy_secrets else shared(properties)

    vars(sdk).update(
        json_format=SimpleNamespace(MessageToDict=read),
        deserialize_properties=deserialized,
        unknown_checking_proxy=Shared(unknown_checking_proxy),
    )
