"""A resource as the rules see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from .values import Value

CONTAINER: Final = "docker:index/container:Container"
OPAQUE: Final = frozenset(
    {
        "kubernetes:helm.sh/v3:Release",
        "kubernetes:helm.sh/v3:Chart",
        "kubernetes:helm.sh/v4:Chart",
        "kubernetes:yaml:ConfigFile",
        "kubernetes:yaml:ConfigGroup",
        "kubernetes:yaml/v2:ConfigFile",
        "kubernetes:yaml/v2:ConfigGroup",
        "kubernetes:kustomize:Directory",
        "kubernetes:kustomize/v2:Directory",
    }
)
"""Types whose Kubernetes objects a policy can't see, or only once they exist."""


@dataclass(frozen=True, eq=False)
class Resource:
    """One registration."""

    urn: str
    type: str
    name: str
    data: Any
    """Inputs before the registration, outputs once the stack is known."""
    stated_data: Any = None
    """The inputs, where the data are outputs: what the program itself asked for."""
    depends_on: tuple[str, ...] = ()
    property_depends_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    provider: str = ""

    @cached_property
    def props(self) -> Value:
        """The properties."""
        return Value(self.urn, "", self.data)

    @cached_property
    def stated(self) -> Value:
        """What the program asked for, without what an API server filled in."""
        return self.props if self.stated_data is None else Value(self.urn, "", self.stated_data)

    @cached_property
    def api_version(self) -> str:
        """``apps/v1`` of ``kubernetes:apps/v1:Deployment``, else nothing."""
        return _parts(self.type)[0]

    @cached_property
    def kind(self) -> str:
        """``Deployment`` of ``kubernetes:apps/v1:Deployment``, else nothing."""
        return _parts(self.type)[1]

    @property
    def is_container(self) -> bool:
        """True for a Docker container."""
        return self.type == CONTAINER

    @property
    def metadata(self) -> Value:
        """A Kubernetes object's metadata."""
        return self.props["metadata"]

    @property
    def spec(self) -> Value:
        """A Kubernetes object's spec."""
        return self.props["spec"]


def _parts(token: str) -> tuple[str, str]:
    package, _, rest = token.partition(":")
    version, _, kind = rest.rpartition(":")
    return (version, kind) if package == "kubernetes" and version else ("", "")
