"""KATO's own inputs, checked: the same rules for Docker and Kubernetes."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from kato_balancing import images, invariants, kato_environment
from kato_balancing.fields import Frozen, ImageReference, Seconds, refused, refused_at
from kato_balancing.model import KatoProcess

from .inputs import Text

STOP_MARGIN_SECONDS = 15
"""Default time beyond KATO's drain before a replica is killed."""

MAXIMUM_REPLICAS = 64
SPARE_SERVERS = 2
"""Servers listed ahead of need, so that a scale-out by as many changes no balancer."""

_PRIVATE_NETWORKS = "127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
"""Who may say what the client's address is: replicas are reached from their network only."""


def _between(number: int) -> int:
    if not 1 <= number <= MAXIMUM_REPLICAS:
        raise refused(f"must be between 1 and {MAXIMUM_REPLICAS} (got {number})")
    return number


Replicas = Annotated[int, AfterValidator(_between)]


def listed_ahead(replicas: int) -> int:
    """Servers that a balancer lists for this many running replicas."""
    return min(MAXIMUM_REPLICAS, max(5, replicas + SPARE_SERVERS))


class KatoInputs(Frozen):
    """What runs KATO, wherever it runs."""

    image: ImageReference
    process: KatoProcess = KatoProcess()
    stop_seconds: Seconds | None = None
    service_name: Text = "kato"
    environment: Mapping[str, Text] = {}
    labels: Mapping[str, str] = {}

    @property
    def stop(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return self.stop_seconds or self.process.graceful_shutdown + STOP_MARGIN_SECONDS

    @property
    def own_environment(self) -> dict[str, Text]:
        """The variables that the component sets itself."""
        return {
            # Without it every observe fails while /health is fine.
            "REDIS_ENABLED": "true",
            "KATO_WORKERS": str(self.process.workers),
            "KATO_LIMIT_CONCURRENCY": str(self.process.connection_limit),
            "SESSION_TTL": str(self.process.session_ttl),
            "FORWARDED_ALLOW_IPS": _PRIVATE_NETWORKS,
            "ENVIRONMENT": "production",
            "SERVICE_NAME": self.service_name,
        }

    @property
    def known_environment(self) -> dict[str, str]:
        """The given variables whose values are known already."""
        return {name: text for name, text in self.environment.items() if isinstance(text, str)}

    def store_variables(self) -> set[str]:
        """Names, in capitals, of the variables that say where a store is."""
        return {"REDIS_URL"}

    @model_validator(mode="after")
    def _runs(self) -> Self:
        rules = [*self._process_rules(), *self._environment_rules()]
        if rules:
            raise refused_at(type(self).__name__, rules)
        return self

    def _process_rules(self) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.process.workers != 1:
            yield (
                ("process", "workers"),
                f"must be 1 (got {self.process.workers}): a session's lock lives in one process; "
                "add replicas instead of workers",
            )
        for broken in invariants.of_stop_time(self.stop, self.process):
            yield broken.location, broken.message
        try:
            images.check_kato(self.image, predictions=self._predicts())
        except ValueError as error:
            yield ("image",), str(error)

    def _environment_rules(self) -> Iterator[tuple[tuple[str, ...], str]]:
        own = {name.upper() for name in self.own_environment}
        stores = self.store_variables()
        for name in self.environment:
            if name.upper() in own:
                yield ("environment", name), "is set by this component; use its own input"
            elif name.upper() in stores:
                yield ("environment", name), "says where a store is; use the stores' own input"
        for problem in kato_environment.problems(self.known_environment):
            if problem.path.upper() not in own:
                yield ("environment", problem.path), problem.message

    def _predicts(self) -> bool:
        by_name = {name.upper(): text for name, text in self.known_environment.items()}
        return kato_environment.is_true(by_name.get("PROCESS_PREDICTIONS", "true"))
