"""GeoDNS on a real cluster: PowerDNS behind a Service, its policies, and what others' operators
take."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL
from geo_dns_stage import (
    BACKUP,
    CLIENTS,
    HEALTH_PATH,
    NAME,
    dig,
    dns_inputs,
    wait_for,
)
from k8s_facts import Facts, objects_of
from kubernetes import client
from pulumi_stack import PulumiStack, must

from dev.cluster import layout, lifecycle
from dev.images import catalogue
from kato_balancing.geodns import powerdns
from kato_balancing.geodns.model import OUT_WITHIN_SECONDS

PROGRAM = """
import json
import pulumi
import components
for name, args in json.loads(pulumi.Config().require("dns")).items():
    pulumi.export(name, components.GeoDnsOnKubernetes(name, args).addresses)
"""
DNS = "kato-dns"
TTL = 20
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
_NODES = layout.NODE_ADDRESS.rpartition(".")[0]
DNS_ADDRESS, EU_ADDRESS = f"{_NODES}.53", f"{_NODES}.80"
"""What the load balancer of this cluster gives: the node's own network has nobody else."""

POD_PORTS = {"eu": 8080, "us": 8000}
HEALTH_PORTS = {"eu": 80, "us": 8000}
"""Europe's region is behind this cluster's own load balancer, at another port than its pod's."""

OWN = {"eu": "eu", "us": "us"}

_REGION = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        serves = self.path == sys.argv[2] and not os.path.exists("/tmp/down")
        self.send_response(200 if serves else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""


_ASK = """
import socket, struct, sys
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split("."))
question = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + name + b"\\0" + struct.pack("!2H", 1, 1)
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(3)
asking.sendto(question, (sys.argv[1], int(sys.argv[3])))
identity, flags, _, answers, _, _ = struct.unpack("!6H", asking.recv(512)[:12])
assert (identity, flags & 15, answers) == (7, 0, 1)
"""


@dataclass(frozen=True)
class Region:
    """A pod that stands for a region's KATO."""

    facts: Facts
    pod: str
    namespace: str
    pod_address: str
    address: str
    """The region's own, as DNS answers it."""

    def fail(self) -> None:
        """Answer 503 from now on."""
        self._run("touch", "/tmp/down")

    def recover(self) -> None:
        """Answer 200 again."""
        self._run("rm", "-f", "/tmp/down")

    def _run(self, *command: str) -> None:
        said = self.facts.run_in(self.pod, self.namespace, list(command))
        assert said.strip().endswith("exit 0"), said


@dataclass
class Stage:
    """Running DNS servers and their regions."""

    facts: Facts
    stack: PulumiStack
    namespace: str
    regions: dict[str, Region]

    def deploy(self, **more: object) -> None:
        """Bring the servers up with these inputs."""
        addresses = {name: region.address for name, region in self.regions.items()}
        inputs = dns_inputs(
            addresses,
            health_ports=HEALTH_PORTS,
            namespace=self.namespace,
            image=catalogue.POWERDNS.name,
            ttl=TTL,
            **more,
        )
        self.stack.configure(dns=json.dumps({DNS: inputs}))
        self.stack.up()

    def pods(self) -> list[Any]:
        """The DNS servers' pods that stay."""
        listed = self.facts.core.list_namespaced_pod(self.namespace).items
        return [pod for pod in listed if pod.metadata.deletion_timestamp is None]

    def servers(self) -> list[tuple[str, int]]:
        """Where the DNS servers can be asked: at the load balancer, and each pod itself."""
        own = [(str(pod.status.pod_ip), powerdns.PORT) for pod in self.pods()]
        return [(DNS_ADDRESS, 53), *own]

    def answer(self, client_of: str, server: tuple[str, int], *more: str) -> str:
        """The region that a client near ``client_of`` is sent to."""
        host, port = server
        return self.region(dig(port, CLIENTS[client_of], *more, server=host))

    def region(self, addresses: list[str]) -> str:
        """The names of the regions at these addresses; an address that is no region's itself."""
        names = {region.address: name for name, region in self.regions.items()}
        return ",".join(names.get(address, address) for address in addresses)

    def everywhere(self, wanted: dict[str, str]) -> bool:
        """True when every server sends the clients near each region to the one that is wanted."""
        return all(
            self.answer(near, server) == region
            for near, region in wanted.items()
            for server in self.servers()
        )


@contextmanager
def _region(facts: Facts, namespace: str, name: str, labels: dict[str, str]) -> Iterator[str]:
    command = ["python3", "-c", _REGION, str(POD_PORTS[name]), HEALTH_PATH]
    with facts.pod(name, namespace, SMALL["katoImage"], command, labels=labels) as address:
        yield address


@contextmanager
def _load_balancer(facts: Facts, given: dict[tuple[str, str], str]) -> Iterator[None]:
    """Gives Services of type LoadBalancer, by namespace and name, their addresses; kube-proxy does
    the rest."""
    ended = threading.Event()

    def give(namespace: str, name: str, address: str) -> None:
        listed = facts.core.list_namespaced_service(namespace).items
        for one in listed:
            if one.metadata.name == name and not one.status.load_balancer.ingress:
                status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
                facts.core.patch_namespaced_service_status(name, namespace, status)

    def work() -> None:
        while not ended.wait(0.2):
            for (namespace, name), address in given.items():
                give(namespace, name, address)

    working = threading.Thread(target=work)
    working.start()
    try:
        yield
    finally:
        ended.set()
        working.join(30)


@pytest.fixture(scope="module")
def image(
    kubeconfig: Path,  # noqa: ARG001 - the cluster that gets it
) -> str:
    must([sys.executable, "-m", "dev.images", "build", catalogue.POWERDNS.name], limit=900)
    lifecycle.ensure([catalogue.POWERDNS.name])
    return catalogue.POWERDNS.name


@pytest.fixture(scope="module")
def stage(
    image: str,  # noqa: ARG001 - asked for what it makes sure of
    facts: Facts,
    new_stack: Callable[..., PulumiStack],
) -> Iterator[Stage]:
    with ExitStack() as made:
        home = made.enter_context(facts.namespace("geo-dns", RESTRICTED))
        there = made.enter_context(facts.namespace("regions", RESTRICTED))
        # As a KatoK8sStack labels its balancers.
        labels = {"app.kubernetes.io/name": "kato", "app.kubernetes.io/component": "balancer"}
        eu = made.enter_context(_region(facts, there, "eu", labels))
        us = made.enter_context(_region(facts, there, "us", {}))
        port = {"port": HEALTH_PORTS["eu"], "targetPort": POD_PORTS["eu"]}
        service = {"type": "LoadBalancer", "selector": labels, "ports": [port]}
        facts.core.create_namespaced_service(there, {"metadata": {"name": "eu"}, "spec": service})
        addresses = {(home, DNS): DNS_ADDRESS, (there, "eu"): EU_ADDRESS}
        made.enter_context(_load_balancer(facts, addresses))
        stack = new_stack("geo-dns")
        stack.use_program(PROGRAM)
        regions = {
            "eu": Region(facts, "eu", there, eu, EU_ADDRESS),
            "us": Region(facts, "us", there, us, us),
        }
        stage = Stage(facts, stack, home, regions)
        stage.deploy()
        yield stage
        stack.destroy()


@pytest.fixture
def all_serve(stage: Stage) -> Iterator[None]:
    """Every region serves again afterwards, and every server knows."""
    yield
    for region in stage.regions.values():
        region.recover()
    wait_for(lambda: stage.everywhere(OWN), "every region gets its own clients again")


def test_every_server_has_the_right_answer_for_each_subnet(stage: Stage) -> None:
    assert stage.stack.outputs() == {DNS: [DNS_ADDRESS]}
    assert len(stage.servers()) == 3
    for server in stage.servers():
        for more in ((), ("+tcp",)):
            assert {near: stage.answer(near, server, *more) for near in OWN} == OWN
        host, port = server
        assert stage.region(dig(port, "8.8.8.0/24", server=host)) == "eu"


@pytest.mark.usefixtures("all_serve")
@pytest.mark.parametrize(("failing", "other"), [("eu", "us"), ("us", "eu")])
def test_a_failing_region_is_out_and_comes_back(stage: Stage, failing: str, other: str) -> None:
    limit = OUT_WITHIN_SECONDS + TTL
    stage.regions[failing].fail()
    moved = {failing: other, other: other}
    out = wait_for(lambda: stage.everywhere(moved), "its clients go to the next", limit)
    stage.regions[failing].recover()
    back = wait_for(lambda: stage.everywhere(OWN), "they come back", limit)
    print(f"out after {out:.1f} s, back after {back:.1f} s")


@pytest.mark.usefixtures("all_serve")
def test_all_down_is_the_backup(stage: Stage) -> None:
    for region in stage.regions.values():
        region.fail()
    [backup] = BACKUP
    wait_for(lambda: stage.everywhere({near: backup for near in OWN}), "the backup is the answer")


def test_questions_are_all_that_comes_in_and_checks_all_that_goes_out(
    stage: Stage, facts: Facts
) -> None:
    [one, _] = stage.pods()
    name, address = one.metadata.name, str(one.status.pod_ip)

    def goes_out(host: str, port: int) -> bool:
        connect = ["timeout", "3", "bash", "-c", f"</dev/tcp/{host}/{port}"]
        return facts.run_in(name, stage.namespace, connect).strip().endswith("exit 0")

    there = stage.regions["us"].namespace
    assert facts.connects("us", there, address, powerdns.PORT)
    ask = ["python3", "-c", _ASK, address, NAME, str(powerdns.PORT)]
    said = facts.run_in("us", there, ask)
    assert said.strip().endswith("exit 0"), said
    with facts.pod("listener", stage.namespace, SMALL["katoImage"],
                   ["python3", "-m", "http.server", "9000"]) as listener:  # fmt: skip
        # Nothing selects this one, so that a refusal is the servers' own.
        wait_for(lambda: facts.connects("us", there, listener, 9000), "the listener listens")
        assert not goes_out(listener, 9000)
    assert goes_out(stage.regions["us"].pod_address, POD_PORTS["us"])
    assert goes_out(stage.regions["eu"].pod_address, POD_PORTS["eu"])
    assert not goes_out(layout.DNS_ADDRESS, 53)
    assert not goes_out(layout.API_SERVICE_ADDRESS, 443)


def test_the_namespace_enforces_restricted_pods(stage: Stage, facts: Facts) -> None:
    labels = facts.core.read_namespace(stage.namespace).metadata.labels
    assert RESTRICTED.items() <= labels.items()
    assert len(stage.pods()) == 2
    assert stage.stack.preview("--expect-no-changes").returncode == 0


def test_a_drain_costs_no_answer(stage: Stage) -> None:
    done, seen = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            seen.append(stage.answer("eu", (DNS_ADDRESS, 53)))

    before = {pod.metadata.uid for pod in stage.pods()}
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        stage.deploy(draining=["eu"])
        wait_for(lambda: stage.everywhere({"eu": "us", "us": "us"}), "new clients go elsewhere")
    finally:
        done.set()
        asking.join(30)
    assert before & {pod.metadata.uid for pod in stage.pods()} == set()
    assert set(seen) == {"eu", "us"}


def test_destroy_leaves_nothing(stage: Stage, facts: Facts) -> None:
    """The last test of these servers."""
    stage.stack.destroy()

    home, network, policy = (
        stage.namespace,
        client.NetworkingV1Api(facts.api),
        client.PolicyV1Api(facts.api),
    )
    apps = client.AppsV1Api(facts.api)
    wait_for(lambda: facts.core.list_namespaced_pod(home).items == [], "the pods are gone", 60)
    left = [
        *facts.core.list_namespaced_service(home).items,
        *facts.core.list_namespaced_secret(home).items,
        *facts.core.list_namespaced_config_map(home).items,
        *apps.list_namespaced_deployment(home).items,
        *apps.list_namespaced_replica_set(home).items,
        *network.list_namespaced_network_policy(home).items,
        *policy.list_namespaced_pod_disruption_budget(home).items,
    ]
    # Every namespace has this one.
    assert {one.metadata.name for one in left} <= {"kube-root-ca.crt"}


def test_others_take_their_objects_strictly(
    others_kinds: None,  # noqa: ARG001 - asked for what it makes
    facts: Facts,
    new_stack: Callable[..., PulumiStack],
) -> None:
    answered = {
        "external": {"answered_by": "EXTERNAL_DNS"},
        "balanced": {"answered_by": "K8GB", "ingress": "kato"},
    }
    with facts.namespace("geo-dns", RESTRICTED) as home:
        stack = new_stack("others-dns")
        stack.use_program(PROGRAM)
        addresses = {"eu": "192.0.2.1", "us": "2001:db8::2"}
        inputs = {
            name: dns_inputs(addresses, health_ports=HEALTH_PORTS, namespace=home, **more)
            for name, more in answered.items()
        }
        stack.configure(dns=json.dumps(inputs))
        stack.up()

        assert stack.outputs() == {name: [] for name in answered}
        found = {
            one["kind"]: one
            for one in objects_of(stack.pulumi("stack", "export", "--stack", stack.name))
        }
        assert set(found) == {"DNSEndpoint", "Gslb"}
        for manifest in found.values():
            asked = json.loads(json.dumps(manifest))
            facts.apply_dry(asked, "default")
            assert facts.stored(asked, home)["spec"] == asked["spec"]
        assert NAME in json.dumps(found["DNSEndpoint"]["spec"])
        stack.destroy()
