"""An ingress and gateway controller for the node: Traefik as one more host process."""

import http
import http.client
import re
from pathlib import Path

from dev.cluster import addons, api, configuration, layout, processes, recipes
from dev.toolchain import steps

NAME = "traefik"
URL = f"http://{layout.NODE_ADDRESS}"
CLASS = "traefik"
"""Name of the IngressClass (the default one) and of the GatewayClass."""

_PING_PORT = 8882
_LIMIT_SECONDS = 60


def up() -> None:
    """Serve Ingress and HTTPRoute objects on ports 80 and 443 of the node's address."""
    if running() and _serves():
        return
    program = recipes.traefik()
    definitions = recipes.gateway_api()
    with steps.step("starting the ingress and gateway controller"):
        for file in sorted(definitions.glob("*.yaml")):
            for path, document in custom_resources(file.read_text()):
                api.apply(path, document.encode())
        api.wait("the Gateway API", _gateway_api_served, limit=_LIMIT_SECONDS, see=_log())
        addons.apply_all(classes())
        processes.stop(NAME, 3)
        environment = {"KUBECONFIG": str(configuration.client("admin"))}
        processes.start(NAME, command(program), environment)
        api.wait("Traefik", _serves, limit=_LIMIT_SECONDS, see=_log())
    steps.say(f"Ingress and HTTPRoute objects are served on {URL}")


def down() -> None:
    """Stop serving; the objects and their definitions stay."""
    processes.stop(NAME, 3)


def running() -> bool:
    """True when the controller's process runs."""
    return processes.running(NAME) is not None


def command(program: Path) -> list[str]:
    """How Traefik is started."""
    node = layout.NODE_ADDRESS
    return [
        str(program),
        f"--entrypoints.web.address={node}:80",
        f"--entrypoints.websecure.address={node}:443",
        "--entrypoints.websecure.http.tls=true",
        f"--entrypoints.traefik.address=127.0.0.1:{_PING_PORT}",
        "--ping=true",
        "--providers.kubernetesingress=true",
        f"--providers.kubernetesingress.ingressclass={CLASS}",
        f"--providers.kubernetesingress.ingressendpoint.ip={node}",
        "--providers.kubernetesgateway=true",
        f"--providers.kubernetesgateway.statusaddress.ip={node}",
        "--log.nocolor=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]


def classes() -> list[addons.Object]:
    """The names by which Ingress and Gateway objects ask for this controller."""
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {
                "name": CLASS,
                "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"},
            },
            "spec": {"controller": "traefik.io/ingress-controller"},
        },
        {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "GatewayClass",
            "metadata": {"name": CLASS},
            "spec": {"controllerName": "traefik.io/gateway-controller"},
        },
    ]


def custom_resources(text: str) -> list[tuple[str, str]]:
    """(path in the API, document) of every resource definition in a YAML file."""
    found = []
    for document in re.split(r"^---\s*$", text, flags=re.MULTILINE):
        kind = re.search(r"^kind: CustomResourceDefinition$", document, re.MULTILINE)
        name = re.search(r"^  name: (\S+)$", document, re.MULTILINE)
        if kind and name:
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name[1]}"
            found.append((path, document))
    return found


def _gateway_api_served() -> bool:
    return api.get("/apis/gateway.networking.k8s.io/v1/gatewayclasses") is not None


def _serves() -> bool:
    if not running():
        raise steps.SetupError("Traefik has ended", f"see {_log()}")
    connection = http.client.HTTPConnection("127.0.0.1", _PING_PORT, timeout=2)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _log() -> str:
    return str(processes.log(NAME))
