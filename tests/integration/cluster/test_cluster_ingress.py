"""The switchable ingress controller serves Ingress and HTTPRoute objects, with cookie affinity."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cluster_client import Cluster, eventually

from dev.cluster import ingress, processes

SERVER = """
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = socket.gethostname().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
PODS = ("web-0", "web-1", "web-2")


@pytest.fixture(scope="module")
def controller(kubeconfig: Path) -> Iterator[str]:  # noqa: ARG001 - the cluster must run
    ran_before = ingress.running()
    ingress.up()
    yield ingress.URL
    if not ran_before:
        ingress.down()


@pytest.fixture
def web(cluster: Cluster, namespace: str, http_image: str) -> str:
    """A service of three pods that asks for a cookie; returns its namespace."""
    for pod in PODS:
        cluster.start_pod(namespace, pod, "python3", "-c", SERVER, image=http_image, app="web")
    sticky = "traefik.ingress.kubernetes.io/service.sticky.cookie"
    body = {
        "metadata": {
            "name": "web",
            "annotations": {
                sticky: "true",
                f"{sticky}.name": "chosen",
                f"{sticky}.httponly": "true",
            },
        },
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]},
    }
    cluster.core.create_namespaced_service(namespace, body)
    return namespace


def _serves_all(url: str, host: str) -> None:
    """Every pod has answered; other requests may come between ours."""
    answers: Counter[str] = Counter()

    def ask() -> bool:
        answers[httpx.get(url, headers={"Host": host}, timeout=5).text] += 1
        return set(PODS) <= set(answers)

    def seen() -> str:
        return f"answers: {dict(answers)}\n{processes.log(ingress.NAME).read_text()}"

    eventually(ask, seen=seen)


def test_an_ingress_keeps_a_client_with_a_cookie_on_one_pod(
    cluster: Cluster, controller: str, web: str
) -> None:
    host = f"{web}.example.com"
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    body = {
        "metadata": {"name": "web"},
        "spec": {"rules": [{"host": host, "http": {"paths": [path]}}]},
    }
    cluster.policies.create_namespaced_ingress(web, body)
    _serves_all(controller, host)

    with httpx.Client(base_url=controller, headers={"Host": host}, timeout=5) as client:
        answers = [client.get("/") for _ in range(9)]

    assert {answer.text for answer in answers} == {answers[0].text}
    assert "HttpOnly" in answers[0].headers["set-cookie"]
    # Deployment tools wait for the address.
    status = cluster.policies.read_namespaced_ingress("web", web).status
    assert status.load_balancer.ingress[0].ip in controller


def test_a_route_of_the_gateway_api_is_served(cluster: Cluster, controller: str, web: str) -> None:
    host = f"{web}.example.org"
    group = "gateway.networking.k8s.io"
    listener = {"name": "http", "protocol": "HTTP", "port": 80}
    gateway = {
        "apiVersion": f"{group}/v1",
        "kind": "Gateway",
        "metadata": {"name": "web"},
        "spec": {"gatewayClassName": ingress.CLASS, "listeners": [listener]},
    }
    route = {
        "apiVersion": f"{group}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web"},
        "spec": {
            "parentRefs": [{"name": "web"}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": "web", "port": 80}]}],
        },
    }
    create = cluster.custom.create_namespaced_custom_object
    create(group, "v1", web, "gateways", gateway)
    create(group, "v1", web, "httproutes", route)

    _serves_all(controller, host)
