"""nginx and HAProxy configurations inside ConfigMaps and Docker uploads."""

import importlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, cast

from .kato_workloads import KatoWorkloads, docker_labels
from .resources import Resource
from .values import Value

if TYPE_CHECKING:
    from .configuration_text import Text

NGINX: Final = re.compile(
    r"(?:^|[\s;{}])(?:(?:upstream\s+[^\s{};]+|server|http|map\s[^{};]+)\s*\{|proxy_pass\s)"
)
HAPROXY: Final = re.compile(r"^(?:frontend|backend|listen|defaults)\b", re.MULTILINE)
_FILE: Final = re.compile(r"\.(?:conf|cfg|template|tmpl)$")


@dataclass(frozen=True, eq=False)
class Configuration:
    """A balancer's configuration and the property that holds it."""

    place: Value
    file: str
    resource: Resource

    @cached_property
    def text(self) -> str:
        """The text. Raises Undecided while it is unknown."""
        return self.place.text() or ""

    @cached_property
    def read(self) -> "Text":
        """The parsed text."""
        parsing = importlib.import_module(".configuration_text", __package__)
        return cast("Text", parsing.parsed(self.file, self.text))

    def serves_kato(self, pattern: str, workloads: KatoWorkloads) -> bool:
        """True when it names a server, an upstream or a backend of KATO, or is declared."""
        if self.read.program is None:
            return False
        if any(re.search(pattern, name) for name in self.read.names):
            return True
        resource = self.resource
        labels = docker_labels(resource) if resource.is_container else resource.metadata["labels"]
        return workloads.declares(labels)


def configurations(resource: Resource) -> list[Configuration]:
    """What may be a balancer's configuration in this resource."""
    if resource.kind == "ConfigMap":
        data = resource.props["data"]
        if not isinstance(data.data, dict):
            return []
        found = [Configuration(data[key], key, resource) for key in data.data]
    elif resource.is_container:
        uploads = resource.props["uploads"]
        count = len(uploads.data) if isinstance(uploads.data, list) else 0
        found = [
            Configuration(uploads[index]["content"], _upload_name(uploads[index]), resource)
            for index in range(count)
            if uploads[index]["content"].data is not None
        ]
    else:
        return []
    return [one for one in found if _may_be_one(one)]


def _upload_name(upload: Value) -> str:
    file = upload["file"].data
    return file.rsplit("/", 1)[-1] if isinstance(file, str) else "upload.conf"


def _may_be_one(one: Configuration) -> bool:
    if one.place.unknown:
        return _FILE.search(one.file) is not None
    data = one.place.data
    return isinstance(data, str) and (
        NGINX.search(data) is not None or HAPROXY.search(data) is not None
    )
