"""How clients outside the stack reach it: a Service, an Ingress or a Gateway's route."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, NotRequired, Self, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pydantic import Field, model_validator

from kato_balancing.fields import (
    Affinity,
    Frozen,
    Host,
    Port,
    SameSite,
    ServerName,
    choice,
    refused_at,
)
from kato_balancing.model import Cookie

from .labels import Labels
from .pods import metadata


class ClusterExposure(TypedDict):
    """How clients reach KATO."""

    kind: NotRequired[str]
    """CLUSTER_IP (clients in the cluster only), LOAD_BALANCER, INGRESS or GATEWAY. Defaults to
    CLUSTER_IP."""
    port: NotRequired[int]
    """Port of the Service. Defaults to 80, or 443 with TLS."""
    host: NotRequired[str]
    """Name that clients use. Required with INGRESS and GATEWAY."""
    class_name: NotRequired[str]
    """With INGRESS: the IngressClass. Defaults to the cluster's default class."""
    controller: NotRequired[str]
    """With INGRESS and COOKIE affinity: whose cookie settings are written, traefik, haproxy or
    alb."""
    gateway: NotRequired[str]
    """With GATEWAY: name of the Gateway."""
    gateway_namespace: NotRequired[str]
    """With GATEWAY: the Gateway's namespace. Defaults to the stack's own."""
    tls_secret: NotRequired[str]
    """With INGRESS: Secret in the stack's namespace with the certificate for host. Defaults to
    none: plain HTTP."""
    annotations: NotRequired[Mapping[str, str]]
    """More annotations, on the Ingress or the Service that is exposed."""
    session_persistence: NotRequired[bool]
    """With GATEWAY and COOKIE affinity: use the route's sessionPersistence, which is in the
    experimental channel of the Gateway API only. Defaults to false."""


class Kind(StrEnum):
    """Ways into the stack."""

    CLUSTER_IP = "CLUSTER_IP"
    LOAD_BALANCER = "LOAD_BALANCER"
    INGRESS = "INGRESS"
    GATEWAY = "GATEWAY"


class Controller(StrEnum):
    """Ingress controllers that keep a client on one pod by a cookie of their own, without a
    commercial edition."""

    TRAEFIK = "traefik"
    HAPROXY = "haproxy"
    ALB = "alb"


_RETIRED = "nginx"
"""The class of ingress-nginx: without maintenance and security fixes since March 2026."""

_PATH = "/"


class ExposureInputs(Frozen):
    """``ClusterExposure`` with its defaults."""

    kind: Annotated[Kind, choice(Kind)] = Kind.CLUSTER_IP
    port: Port | None = None
    host: Host | None = None
    class_name: ServerName | None = None
    controller: Annotated[Controller, choice(Controller)] | None = None
    gateway: ServerName | None = None
    gateway_namespace: ServerName | None = None
    tls_secret: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")] | None = (
        None
    )
    annotations: Mapping[str, str] = {}
    session_persistence: bool = False

    @model_validator(mode="after")
    def _sound(self) -> Self:
        rules = [*self._belongs(), *self._needs()]
        if rules:
            raise refused_at("Exposure", [((name,), rule) for name, rule in rules])
        return self

    def _belongs(self) -> Iterator[tuple[str, str]]:
        only = {
            Kind.INGRESS: ("class_name", "controller", "tls_secret"),
            Kind.GATEWAY: ("gateway", "gateway_namespace", "session_persistence"),
        }
        for kind, names in only.items():
            for name in names:
                if getattr(self, name) and self.kind is not kind:
                    yield name, f"belongs to kind {kind} (kind is {self.kind}); remove it"
        if self.host is not None and self.kind not in only:
            yield "host", f"belongs to kind INGRESS or GATEWAY (kind is {self.kind}); remove it"

    def _needs(self) -> Iterator[tuple[str, str]]:
        if self.kind in (Kind.INGRESS, Kind.GATEWAY) and self.host is None:
            yield "host", f"is required with kind {self.kind}: the name that clients use"
        if self.kind is Kind.GATEWAY and self.gateway is None:
            yield "gateway", "is required with kind GATEWAY: the Gateway to attach to"
        if self.class_name == _RETIRED:
            yield (
                "class_name",
                "must not be nginx: ingress-nginx has had no security fixes since March 2026; "
                "use a controller that is maintained, such as traefik, or kind GATEWAY",
            )
        for name in self.annotations:
            if name.startswith("nginx.ingress.kubernetes.io/"):
                rule = f"must not have {name}: ingress-nginx is retired; use another controller"
                yield "annotations", rule

    def problems(self, affinity: Affinity, *, with_tls: bool) -> Iterator[tuple[str, str]]:
        """What does not go together with the affinity, or with the balancer's own TLS."""
        if affinity is Affinity.CLIENT_IP and self.kind is not Kind.CLUSTER_IP:
            yield (
                "kind",
                f"must be CLUSTER_IP with CLIENT_IP affinity (got {self.kind}): behind a proxy or "
                "a load balancer every client has the proxy's address, or another one each time; "
                "use SESSION affinity",
            )
        if affinity is Affinity.COOKIE:
            yield from self._cookie_problems()
        elif self.controller is not None:
            yield "controller", f"is used with COOKIE affinity only (got {affinity}); remove it"
        elif self.session_persistence:
            yield (
                "session_persistence",
                f"is used with COOKIE affinity only (got {affinity}); remove it",
            )
        if with_tls and self.kind in (Kind.INGRESS, Kind.GATEWAY):
            yield (
                "kind",
                f"must be CLUSTER_IP or LOAD_BALANCER with tls (got {self.kind}): the controller "
                "in front ends TLS; give it the certificate (tls_secret) and remove tls",
            )

    def _cookie_problems(self) -> Iterator[tuple[str, str]]:
        if self.kind is Kind.INGRESS:
            if self.controller is None:
                known = ", ".join(Controller)
                yield (
                    "controller",
                    f"is required with COOKIE affinity and INGRESS, one of {known}: each has its "
                    "own settings for the cookie",
                )
        elif self.kind is Kind.GATEWAY:
            if not self.session_persistence:
                yield (
                    "session_persistence",
                    "must be true with COOKIE affinity and GATEWAY: the standard channel of the "
                    "Gateway API has no cookies; or use SESSION affinity, or kind INGRESS",
                )
        else:
            yield (
                "kind",
                f"must be INGRESS or GATEWAY with COOKIE affinity (got {self.kind}): the "
                "controller sets the cookie; or use SESSION affinity",
            )

    @property
    def scheme(self) -> str:
        """How clients of an Ingress speak."""
        return "https" if self.tls_secret is not None else "http"

    def service_annotations(self, cookie: Cookie | None) -> dict[str, str]:
        """What the exposed Service says to load balancers and controllers. ``cookie`` is the one
        that the controller shall set."""
        found = {} if self.kind in (Kind.INGRESS, Kind.GATEWAY) else dict(self.annotations)
        if cookie is not None and self.controller is Controller.TRAEFIK:
            found |= self._traefik(cookie)
        if cookie is not None and self.controller is Controller.HAPROXY:
            found |= {"haproxy.org/cookie-persistence": cookie.name}
        return found

    def _traefik(self, cookie: Cookie) -> dict[str, str]:
        prefix = "traefik.ingress.kubernetes.io/service.sticky.cookie"
        found = {
            prefix: "true",
            f"{prefix}.name": cookie.name,
            f"{prefix}.httponly": "true",
            f"{prefix}.samesite": cookie.same_site.value,
            f"{prefix}.secure": "true" if self.tls_secret is not None else "false",
        }
        if cookie.max_age is not None:
            found[f"{prefix}.maxage"] = f"{round(cookie.max_age)}"
        return found

    def ingress_annotations(self, cookie: Cookie | None) -> dict[str, str]:
        """What the Ingress says to its controller."""
        found = dict(self.annotations)
        if cookie is not None and self.controller is Controller.ALB:
            seconds = round(cookie.max_age or _ALB_SECONDS)
            found |= {
                "alb.ingress.kubernetes.io/target-type": "ip",
                "alb.ingress.kubernetes.io/target-group-attributes": (
                    "stickiness.enabled=true,stickiness.type=lb_cookie,"
                    f"stickiness.lb_cookie.duration_seconds={seconds}"
                ),
            }
        return found


_ALB_SECONDS = 86400
"""An ALB's cookie always ends; its own default."""


def needs_secure_cookie(cookie: Cookie, exposure: ExposureInputs) -> bool:
    """True when a browser would drop the cookie: SameSite=None asks for TLS."""
    return cookie.same_site is SameSite.NONE and exposure.tls_secret is None


def expose(
    name: str,
    exposure: ExposureInputs,
    *,
    tier: str,
    port: int,
    cookie: Cookie | None,
    labels: Labels,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> None:
    """Declare the Ingress or the route to the Service of this name and port, if there is one."""
    if exposure.kind is Kind.INGRESS:
        _ingress(
            name,
            exposure,
            port,
            metadata=metadata(labels, tier, namespace, name, exposure.ingress_annotations(cookie)),
            child=child,
        )
    elif exposure.kind is Kind.GATEWAY:
        k8s.apiextensions.CustomResource(
            name,
            api_version="gateway.networking.k8s.io/v1",
            kind="HTTPRoute",
            metadata=metadata(labels, tier, namespace, name, exposure.annotations),
            spec=_route(name, exposure, port, cookie),
            opts=child,
        )


def _ingress(
    name: str,
    exposure: ExposureInputs,
    port: int,
    *,
    metadata: k8s.meta.v1.ObjectMetaArgs,
    child: pulumi.ResourceOptions,
) -> None:
    service = k8s.networking.v1.IngressServiceBackendArgs(
        name=name, port=k8s.networking.v1.ServiceBackendPortArgs(number=port)
    )
    hosts = [str(exposure.host)]
    k8s.networking.v1.Ingress(
        name,
        metadata=metadata,
        spec=k8s.networking.v1.IngressSpecArgs(
            ingress_class_name=exposure.class_name,
            tls=None
            if exposure.tls_secret is None
            else [k8s.networking.v1.IngressTLSArgs(hosts=hosts, secret_name=exposure.tls_secret)],
            rules=[
                k8s.networking.v1.IngressRuleArgs(
                    host=exposure.host,
                    http=k8s.networking.v1.HTTPIngressRuleValueArgs(
                        paths=[
                            k8s.networking.v1.HTTPIngressPathArgs(
                                path=_PATH,
                                path_type="Prefix",
                                backend=k8s.networking.v1.IngressBackendArgs(service=service),
                            )
                        ]
                    ),
                )
            ],
        ),
        opts=child,
    )


def _route(name: str, exposure: ExposureInputs, port: int, cookie: Cookie | None) -> dict[str, Any]:
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": exposure.gateway}
    if exposure.gateway_namespace is not None:
        parent["namespace"] = exposure.gateway_namespace
    rule: dict[str, Any] = {
        "matches": [{"path": {"type": "PathPrefix", "value": _PATH}}],
        "backendRefs": [{"group": "", "kind": "Service", "name": name, "port": port, "weight": 1}],
    }
    if cookie is not None and exposure.session_persistence:
        lifetime = "Session" if cookie.max_age is None else "Permanent"
        rule["sessionPersistence"] = {
            "type": "Cookie",
            "sessionName": cookie.name,
            "cookieConfig": {"lifetimeType": lifetime},
        }
        if cookie.max_age is not None:
            rule["sessionPersistence"]["absoluteTimeout"] = f"{round(cookie.max_age)}s"
    return {"parentRefs": [parent], "hostnames": [exposure.host], "rules": [rule]}


def assigned_addresses(status: Any) -> list[str]:
    """What the load balancer of a Service with this status answers to; empty until it is known."""
    balancer = getattr(status, "load_balancer", None)
    found: Sequence[Any] = getattr(balancer, "ingress", None) or []
    return [one.hostname or one.ip for one in found]
