"""For each rule a sound stack with one thing changed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kato_balancing.lint.rule import changed

from .sound import (
    KATO_IMAGE,
    ON_DOCKER,
    ON_HAPROXY,
    ON_NGINX,
    ON_NGINX_WITH_COOKIE,
    ON_NGINX_WITH_TABLE,
)


@dataclass(frozen=True)
class Example:
    """A stack that breaks the rule, the same stack mended, and what else the change breaks."""

    breaks: str
    holds: str = ON_NGINX
    companions: tuple[str, ...] = ()
    """Rules that can't but break too."""
    settings: Mapping[str, object] | None = None
    """Knobs under which the example breaks the rule."""


def _nginx(old: str, new: str, *companions: str) -> Example:
    return Example(changed(ON_NGINX, old, new), companions=companions)


def _haproxy(old: str, new: str, *companions: str) -> Example:
    """Changes every place: both backends, the one for events too, say the same."""
    if old not in ON_HAPROXY:
        raise ValueError(f"{old!r} is not in the example")
    return Example(ON_HAPROXY.replace(old, new), ON_HAPROXY, companions)


def _first(old: str, new: str, *companions: str) -> Example:
    """Changes the first place: what runs KATO."""
    if old not in ON_NGINX:
        raise ValueError(f"{old!r} is not in the example")
    return Example(ON_NGINX.replace(old, new, 1), companions=companions)


def _docker(old: str, new: str, *companions: str) -> Example:
    """Changes the first of the three replicas, or the balancer."""
    if old not in ON_DOCKER:
        raise ValueError(f"{old!r} is not in the example")
    return Example(ON_DOCKER.replace(old, new, 1), ON_DOCKER, companions)


_HASH: Final = "hash $kato_session consistent;"
_KATO_SERVICE: Final = """\
  clusterIP: None
  selector: {app: kato}
"""
_PUBLIC: Final = "  type: LoadBalancer\n  selector: {app: kato}\n"
_AFFINE: Final = "  sessionAffinity: ClientIP\n"
_GRACE: Final = "terminationGracePeriodSeconds: 60"
_WORKERS: Final = '        - {name: KATO_WORKERS, value: "1"}\n'
_PUBLISHED: Final = "  ports:\n  - {internal: 8000, external: 8000, ip: 127.0.0.1}\n"
_HPA_MINIMUM: Final = "  minReplicas: 3\n"
_BUDGET: Final = """\
metadata: {name: kato, namespace: kato}
spec:
  maxUnavailable: 1
"""

EXAMPLES: Final[Mapping[str, tuple[Example, ...]]] = {
    "lb-session-affinity": (
        _nginx(_HASH, "least_conn;"),
        _nginx(_KATO_SERVICE, _PUBLIC),
        _haproxy("    mode http\n", ""),
    ),
    "lb-affinity-key-stable": (
        _nginx(_HASH, "hash $kato_session;"),
        _nginx("map $uri $kato_session_path", "map $request_uri $kato_session_path"),
        Example(re.sub(r" id \d+", "", ON_HAPROXY), ON_HAPROXY),
        _docker(_HASH, "hash $request_uri consistent;"),
    ),
    "lb-affinity-not-collapsed": (
        _nginx(_KATO_SERVICE, _KATO_SERVICE + _AFFINE),
        _nginx(_KATO_SERVICE, _PUBLIC + _AFFINE),
    ),
    "lb-affinity-ttl": (
        Example(
            changed(ON_NGINX_WITH_TABLE, "timeout=7200s", "timeout=600s"), ON_NGINX_WITH_TABLE
        ),
    ),
    "lb-affinity-cookie-flags": (
        Example(changed(ON_NGINX_WITH_COOKIE, " httponly", ""), ON_NGINX_WITH_COOKIE),
    ),
    "lb-single-writer": (
        _nginx(_WORKERS, ""),
        _nginx(_WORKERS, _WORKERS.replace('"1"', '"4"')),
        _docker('"KATO_WORKERS=1"', '"KATO_WORKERS=2"'),
    ),
    "lb-health-active-and-passive": (
        _nginx("path: /sessions/lb-probe/exists", "path: /ready"),
        _haproxy("http-check send meth GET", "http-check send meth HEAD"),
        _docker("tests: [CMD, python, -c,", "tests: [NONE, python, -c,"),
    ),
    "lb-zone-shared": (
        _nginx("zone kato 1m;", "zone kato 32k;"),
        _nginx("        zone kato 1m;\n", ""),
    ),
    "lb-health-expectation": (
        _nginx("path: /sessions/lb-probe/exists", "path: /health", "probes-distinct-and-complete"),
        _haproxy(
            "http-check expect status 200", 'http-check expect string "healthy"'
        ),
    ),
    "lb-gradual-rollout": (
        _nginx("updateStrategy: {type: RollingUpdate}", "updateStrategy: {type: OnDelete}",
               "rollout-safe"),
    ),
    "lb-monitoring": (
        _nginx("            stub_status;\n", ""),
        _nginx('"$upstream_addr"', '"-"'),
    ),
    "lb-timeouts-coherent": (
        _nginx("proxy_connect_timeout 1s;", "proxy_connect_timeout 20s;"),
        _nginx("          timeoutSeconds: 5\n", "          timeoutSeconds: 10\n",
               "probes-distinct-and-complete"),
        _haproxy("timeout check 1000ms", "timeout check 3000ms"),
    ),
    "lb-upstream-keepalive": (
        _nginx("keepalive_timeout 4s;", "keepalive_timeout 60s;"),
        _haproxy("pool-purge-delay 211ms", "pool-purge-delay 10s"),
    ),
    "lb-backup-capacity": (
        Example(
            changed(ON_NGINX, _HPA_MINIMUM, "  minReplicas: 1\n"),
            companions=("replicas-min", "hpa-target-valid", "pdb-covers-workload"),
        ),
    ),
    "lb-circuit-breaker": (
        _nginx("        proxy_next_upstream_tries 3;\n", "        proxy_next_upstream_tries 9;\n"),
        _haproxy("    option redispatch 1\n", ""),
    ),
    "lb-no-nonidempotent-retry": (
        _nginx("proxy_next_upstream error timeout;",
               "proxy_next_upstream error timeout non_idempotent;"),
    ),
    "lb-graceful-shutdown": (
        _nginx(_GRACE, "terminationGracePeriodSeconds: 40"),
        _nginx(
            "        lifecycle:\n          preStop: {sleep: {seconds: 10}}\n"
            "        securityContext:\n          allowPrivilegeEscalation: false\n"
            "          readOnlyRootFilesystem: true\n          capabilities: {drop: [ALL]}\n"
            "---\napiVersion: v1\nkind: Service\nmetadata: {name: kato-replicas",
            "        securityContext:\n          allowPrivilegeEscalation: false\n"
            "          readOnlyRootFilesystem: true\n          capabilities: {drop: [ALL]}\n"
            "---\napiVersion: v1\nkind: Service\nmetadata: {name: kato-replicas",
        ),
        _nginx("terminationGracePeriodSeconds: 50", "terminationGracePeriodSeconds: 20"),
        _docker("stopTimeout: 45", "stopTimeout: 10"),
        _docker("stopSignal: SIGQUIT", "stopSignal: SIGTERM"),
    ),
    "probes-distinct-and-complete": (
        _nginx("        livenessProbe:\n          tcpSocket: {port: redis}\n", ""),
        _nginx("          httpGet: {path: /lb/health, port: private}",
               "          httpGet: {path: /lb/health, port: 9999}"),
    ),
    "replicas-min": (
        _nginx("  replicas: 2\n", "  replicas: 1\n"),
        Example(changed(ON_NGINX, _HPA_MINIMUM, "  minReplicas: 2\n")),
    ),
    "hpa-target-valid": (
        _nginx("kind: StatefulSet, name: kato}", "kind: Deployment, name: kato}",
               "replicas-min", "lb-backup-capacity"),
        _nginx("  serviceName: kato-replicas\n", "  serviceName: kato-replicas\n  replicas: 3\n"),
        _nginx("  maxReplicas: 6\n", "  maxReplicas: 3\n"),
    ),
    "hpa-metrics-have-requests": (
        _nginx("          requests: {cpu: 500m, memory: 1Gi}\n",
               "          requests: {memory: 1Gi}\n", "resources-set"),
    ),
    "pdb-covers-workload": (
        _nginx(_BUDGET, _BUDGET.replace("maxUnavailable: 1", "maxUnavailable: 0")),
        _nginx(_BUDGET, _BUDGET.replace("namespace: kato", "namespace: other")),
        _nginx(_BUDGET, _BUDGET.replace("maxUnavailable: 1", "minAvailable: 100%")),
    ),
    "spread-or-antiaffinity": (
        _nginx("labelSelector: {matchLabels: {app: balancer}}",
               "labelSelector: {matchLabels: {app: ballancer}}"),
    ),
    "resources-set": (
        _nginx("          limits: {memory: 128Mi}\n", ""),
    ),
    "rollout-safe": (
        _nginx("rollingUpdate: {maxUnavailable: 0, maxSurge: 1}",
               "rollingUpdate: {maxUnavailable: 1, maxSurge: 1}"),
    ),
    "service-selects-pods": (
        _nginx("  selector: {app: redis}\n  ports:", "  selector: {app: radis}\n  ports:"),
        _nginx("port: 80, targetPort: http", "port: 80, targetPort: web"),
    ),
    "references-resolve": (
        _nginx("        configMap: {name: balancer}", "        configMap: {name: ballancer}"),
        _nginx("backend: {service: {name: balancer,", "backend: {service: {name: gateway,"),
    ),
    "api-versions-current": (
        _first("policy/v1\n", "policy/v1beta1\n"),
    ),
    "retired-ingress-controller": (
        _nginx("ingressClassName: traefik", "ingressClassName: nginx"),
    ),
    "pod-security-restricted": (
        _first("        runAsNonRoot: true\n", ""),
        _first("capabilities: {drop: [ALL]}", "capabilities: {drop: [NET_RAW]}"),
        _first("        seccompProfile: {type: RuntimeDefault}\n", ""),
    ),
    "container-hardening": (
        _first("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
        _first("      automountServiceAccountToken: false\n", ""),
        _first("        runAsUser: 10001\n", "        runAsUser: 101\n"),
        _docker("  readOnly: true\n", "  readOnly: true\n  privileged: true\n"),
        _docker("  readOnly: true\n", f"  readOnly: true\n{_PUBLISHED}"),
    ),
    "image-pinned": (
        _first(KATO_IMAGE, KATO_IMAGE.partition("@")[0]),
        _first(KATO_IMAGE, "registry.example:5000/kato"),
        _docker(f"image: {KATO_IMAGE}", "image: ghcr.io/sevakavakians/kato:latest"),
    ),
    "network-isolated": (
        _nginx("    - podSelector: {matchLabels: {app: balancer}}\n",
               "    - podSelector: {matchLabels: {app: ballancer}}\n"),
        _nginx("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]"),
        _docker("  - {name: kato, aliases: [kato-0]}\n", ""),
    ),
    "edge-tls-and-config-safe": (
        _nginx("server_tokens off;", "server_tokens on;"),
        _nginx("  tls:\n  - {hosts: [kato.example.org], secretName: kato-tls}\n", ""),
        _nginx('value: "redis://redis:6379"', 'value: "redis://:hunter-2@redis:6379"'),
        _nginx("server_tokens off;", "server_tokens off;\n        ssl_engine pkcs11;"),
        _nginx("worker_shutdown_timeout 35s;",
               "worker_shutdown_timeout 35s;\n    load_module modules/evil.so;"),
    ),
}  # fmt: skip
"""Rule → examples; the documentation shows the first."""
