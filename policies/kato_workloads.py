"""Which workloads the rules on KATO speak of: KATO's image, or a label that declares one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import image_references, selectors
from .resources import Resource
from .values import Value, any_of, some
from .workloads import DockerContainer, Pods, kato_containers, serves_kato

DECLARING_LABEL: Final = "kato-lb/workload"
"""``kato-lb/workload: kato`` makes any workload, ConfigMap or container one of KATO's."""

Selector = Mapping[str, Any]
DEFAULT_SELECTOR: Final[Selector] = {"matchLabels": {DECLARING_LABEL: "kato"}}


@dataclass(frozen=True)
class KatoWorkloads:
    """Tells them apart, with the selector of the settings."""

    selector: Selector

    def declares(self, labels: Value) -> bool:
        """True when the labels declare KATO."""
        wanted = Value(labels.urn, "settings", dict(self.selector))
        return not selectors.is_empty(wanted) and selectors.selects(wanted, labels)

    def are(self, pods: Pods) -> bool:
        """True for pods of KATO."""
        return any_of(
            lambda: some(pods.containers, serves_kato),
            lambda: self.declares(pods.labels),
            lambda: self.declares(pods.resource.metadata["labels"]),
        )

    def containers(self, pods: Pods) -> list[Value]:
        """The containers that run KATO in these pods; none when they are not KATO's."""
        return kato_containers(pods, declared=True) if self.are(pods) else []

    def is_one(self, container: DockerContainer) -> bool:
        """True for a Docker container with KATO."""

        def by_image() -> bool:
            image = container.image.text()
            return image is not None and image_references.parse(image).is_kato

        return any_of(by_image, lambda: self.declares(docker_labels(container.resource)))


def docker_labels(resource: Resource) -> Value:
    """A Docker resource's list of labels as a map."""
    labels = resource.props["labels"]
    found: dict[str, Any] = {}
    for entry in labels.items():
        label = entry["label"].text()
        if label is not None:
            found[label] = entry["value"].data
    return Value(labels.urn, labels.path, found)
