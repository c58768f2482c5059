"""The stores' inputs, checked: the same rules for Docker and Kubernetes."""

import re
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from kato_balancing.fields import Frozen, Host, ImageReference, Port, refused, refused_at

from .inputs import Later, Text

REDIS_IMAGE = "redis:8.0"
CLICKHOUSE_IMAGE = "clickhouse/clickhouse-server:24.8"
QDRANT_IMAGE = "qdrant/qdrant:v1.15.1"

REDIS_STOP_SECONDS = 20
"""Redis writes its append-only file out at SIGTERM; milliseconds per gigabyte in memory."""


def _redis_url(value: str) -> str:
    if not value.startswith(("redis://", "rediss://")):
        raise refused("must start with redis:// or rediss://; KATO reads no other address")
    return value


def _redis_password(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,512}", value):
        raise refused("must have letters, digits and hyphens only: it goes into a URL")
    return value


class ManagedStore(Frozen):
    """A store that is either made here or exists already."""

    address_field: ClassVar[str] = "host"
    only_managed: ClassVar[tuple[str, ...]] = ("image",)
    only_existing: ClassVar[tuple[str, ...]] = ("port",)

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        address = self.address_field
        exists = getattr(self, address) is not None
        kind = "a managed" if exists else "an existing"
        wrong = self.model_fields_set & {*(self.only_managed if exists else self.only_existing)}
        cure = f"remove it or {address}" if exists else f"remove it or give {address}"
        if wrong:
            raise refused_at(
                type(self).__name__,
                (
                    ((name.rstrip("_"),), f"belongs to {kind} store; {cure}")
                    for name in sorted(wrong)
                ),
            )
        return self


class Redis(ManagedStore):
    address_field: ClassVar[str] = "url"
    only_managed: ClassVar[tuple[str, ...]] = ("image", "password", "memory_megabytes")
    only_existing: ClassVar[tuple[str, ...]] = ()

    url: Annotated[str, AfterValidator(_redis_url), Later] | None = None
    image: ImageReference = REDIS_IMAGE
    password: Annotated[str, AfterValidator(_redis_password), Later] | None = None
    memory_megabytes: Annotated[int, Field(ge=32)] = 1024


class ClickHouse(ManagedStore):
    only_managed: ClassVar[tuple[str, ...]] = ("image", "schema_")

    host: Annotated[Host, Later] | None = None
    port: Port = 8123
    user: Text = "default"
    password: Text | None = None
    image: ImageReference = CLICKHOUSE_IMAGE
    schema_: Annotated[Text | None, Field(alias="schema")] = None

    @model_validator(mode="after")
    def _has_tables(self) -> Self:
        if self.host is None and self.schema_ is None:
            rule = (
                "is required for a managed ClickHouse: KATO never creates its tables; give the "
                "text of the release's config/clickhouse/init.sql, or host of one that has them"
            )
            raise refused_at("ClickHouse", [(("schema",), rule)])
        return self


class Qdrant(ManagedStore):
    host: Annotated[Host, Later] | None = None
    port: Port = 6333
    api_key: Text | None = None
    image: ImageReference = QDRANT_IMAGE


def redis_settings(memory_megabytes: int) -> str:
    """A managed Redis' configuration, without its password: what was acknowledged survives a
    restart but for the last second, and a full memory refuses writes instead of dropping
    sessions."""
    settings = [
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        f"maxmemory {memory_megabytes}mb",
        "maxmemory-policy noeviction",
        "dir /data",
        # Reachable from the stack's own network only.
        "protected-mode no",
    ]
    return "\n".join(settings) + "\n"
