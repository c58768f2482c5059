"""Which local images there are and what each is made of."""

from dataclasses import dataclass

NAMESPACE = "kato-lb"
"""First part of every local image's name; no registry has it, so none is pulled by accident."""


@dataclass(frozen=True)
class LocalImage:
    """An image built from the packages of one Debian release.

    ``target`` is the stage of the Dockerfile; ``version`` is the tag and the oldest version of
    the program that the image may hold.
    """

    target: str
    version: str
    release: str

    @property
    def name(self) -> str:
        """The reference under which the image is stored."""
        return f"{NAMESPACE}/{self.target}:{self.version}"


NEWER, OLDER = "forky", "bookworm"
"""Debian testing has the newest supported servers, Debian 12 the oldest supported ones."""

NGINX = LocalImage("nginx", "1.30", NEWER)
HAPROXY = LocalImage("haproxy", "3.2", NEWER)
REDIS = LocalImage("redis", "8.0", NEWER)
KATO_STAND_IN = LocalImage("kato-stand-in", "6.3.0", NEWER)
POWERDNS = LocalImage("powerdns", "5.0", NEWER)
PROMETHEUS = LocalImage("prometheus", "3.5", NEWER)
REDIS_EXPORTER = LocalImage("redis-exporter", "1.86", NEWER)
KATO_EXPORTER = LocalImage("kato-exporter", "0.1.0", NEWER)
OLD_NGINX = LocalImage("nginx", "1.22", OLDER)
OLD_HAPROXY = LocalImage("haproxy", "2.6", OLDER)
OLD_REDIS = LocalImage("redis", "7.0", OLDER)
OLD_POWERDNS = LocalImage("powerdns", "4.7", OLDER)

ALL = (
    *(NGINX, HAPROXY, REDIS, KATO_STAND_IN, POWERDNS),
    *(PROMETHEUS, REDIS_EXPORTER, KATO_EXPORTER),
    *(OLD_NGINX, OLD_HAPROXY, OLD_REDIS, OLD_POWERDNS),
)

SUBSTITUTES = {
    "katoImage": KATO_STAND_IN,
    "redisImage": REDIS,
    "nginxImage": NGINX,
    "haproxyImage": HAPROXY,
}
"""Stack setting → the local image that takes the place of a registry's."""

MONITORING = {
    "monitoring.exporterImage": KATO_EXPORTER,
    "monitoring.prometheusImage": PROMETHEUS,
    "monitoring.redisExporterImage": REDIS_EXPORTER,
}
"""The same within the setting ``monitoring``, where it is enabled."""

PROXY_IMAGES = {"nginx": "nginxImage", "haproxy": "haproxyImage"}
"""The setting ``proxy`` → the setting that names its image; a stack uses one of them."""
