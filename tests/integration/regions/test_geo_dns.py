"""GeoDns on Docker, with the real PowerDNS: the nearest region that serves, and no other."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from geo_dns_stage import BACKUP, CLIENTS, PLACES, dig, dns_inputs, wait_for
from pulumi_stack import PulumiStack, must
from region_stage import PORT, RegionServer, region_servers

from dev.free_ports import free_port

PROGRAM = """
import json
import pulumi
import components
dns = components.GeoDns("dns", json.loads(pulumi.Config().require("dns")))
pulumi.export("address", dns.address)
"""


@dataclass
class Stage:
    """A running DNS server and its regions."""

    stack: PulumiStack
    servers: dict[str, RegionServer]
    port: int
    image: str

    def deploy(self, **more: object) -> None:
        """Bring the server up with these inputs."""
        addresses = {name: server.address for name, server in self.servers.items()}
        inputs = dns_inputs(
            addresses,
            health_ports=dict.fromkeys(addresses, PORT),
            image=self.image,
            publish={"port": self.port},
            **more,
        )
        self.stack.configure(dns=json.dumps(inputs))
        self.stack.up()

    def answer(self, client: str) -> str:
        """The region that a client near ``client`` is sent to."""
        found = dig(self.port, CLIENTS[client])
        by_address = {server.address: name for name, server in self.servers.items()}
        return ",".join(by_address.get(address, address) for address in found)

    def answers(self) -> dict[str, str]:
        """Everybody's."""
        return {client: self.answer(client) for client in PLACES}


OWN = {place: place for place in PLACES}


@pytest.fixture(scope="module", params=["4.7", "5.0"])
def stage(
    request: pytest.FixtureRequest,
    new_region_stack: Callable[[str], PulumiStack],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("region-servers")
    with region_servers(folder) as servers:
        stack = new_region_stack(f"geodns-{request.param.replace('.', '-')}")
        stack.use_program(PROGRAM)
        made = Stage(stack, servers, free_port(), f"kato-lb/powerdns:{request.param}")
        made.deploy()
        yield made


@pytest.fixture(autouse=True)
def all_serve(stage: Stage) -> Iterator[None]:
    yield
    for server in stage.servers.values():
        server.recover()
    wait_for(lambda: stage.answers() == OWN, "every region gets its own clients again")


def test_four_regions_get_their_four_answers(stage: Stage) -> None:
    assert stage.answers() == OWN
    assert dig(stage.port, "8.8.8.0/24") == [stage.servers["eu"].address]
    assert dig(stage.port, CLIENTS["us"], kind="AAAA") == []


def test_the_first_answers_after_a_start_are_right(stage: Stage) -> None:
    must(["docker", "restart", stage.stack.container("dns-")])
    seen: set[str] = set()

    def checked() -> bool:
        seen.update(filter(None, [stage.answer("asia")]))
        container = stage.stack.container("dns-")
        state = must(["docker", "inspect", "--format", "{{.State.Health.Status}}", container])
        return state.strip() == "healthy"

    wait_for(checked, "the server has checked every region", 60)
    assert seen == {"asia"}


def test_it_is_right_when_nobody_asked_while_it_started(stage: Stage) -> None:
    must(["docker", "restart", stage.stack.container("dns-")])
    container = stage.stack.container("dns-")

    def checked() -> bool:
        state = must(["docker", "inspect", "--format", "{{.State.Health.Status}}", container])
        return state.strip() == "healthy"

    wait_for(checked, "the server has checked every region", 60)
    assert stage.answers() == OWN


def test_a_failing_region_is_out_and_comes_back(stage: Stage) -> None:
    stage.servers["asia"].fail()
    out = wait_for(lambda: stage.answer("asia") == "eu", "Asia's clients go to the next")
    stage.servers["asia"].recover()
    back = wait_for(lambda: stage.answer("asia") == "asia", "they come back")
    print(f"out after {out:.1f} s, back after {back:.1f} s")


def test_a_region_that_hangs_is_out(stage: Stage) -> None:
    hanging = stage.servers["us"].container
    must(["docker", "pause", hanging])
    try:
        out = wait_for(lambda: stage.answer("us") == "eu", "its clients go to the next")
    finally:
        must(["docker", "unpause", hanging])
    print(f"out after {out:.1f} s")


def test_all_down_is_the_backup(stage: Stage) -> None:
    for server in stage.servers.values():
        server.fail()
    wait_for(lambda: dig(stage.port, CLIENTS["eu"]) == BACKUP, "the backup is the answer")
    assert [dig(stage.port, net) for net in CLIENTS.values()] == [BACKUP] * 4


def test_a_drain_reaches_the_running_server_without_a_lost_query(stage: Stage) -> None:
    before = must(["docker", "inspect", "--format", "{{.Id}}", stage.stack.container("dns-")])
    done, seen = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            seen.append(stage.answer("eu"))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        stage.deploy(draining=["eu"])
        wait_for(lambda: stage.answer("eu") == "us", "new clients go elsewhere")
        assert dig(stage.port, "8.8.8.0/24") == [stage.servers["us"].address]
        stage.deploy()
        wait_for(lambda: stage.answer("eu") == "eu", "they come back")
    finally:
        done.set()
        asking.join(10)
    after = must(["docker", "inspect", "--format", "{{.Id}}", stage.stack.container("dns-")])
    assert after == before
    assert set(seen) == {"eu", "us"}
