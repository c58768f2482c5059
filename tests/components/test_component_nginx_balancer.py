"""NginxBalancer: the rendered file in an unprivileged container, and what is refused before."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from recording import CONTAINER, Recording, attempt, run, unknown

from components import NginxBalancer
from kato_balancing import nginx
from kato_balancing.model import Balancer

FILE = "nginx.conf"
SERVERS = [{"name": f"kato-{i}", "host": f"kato-{i}", "port": 8000} for i in range(3)]
BASE: dict[str, Any] = {"servers": SERVERS, "network": "net"}
ADDRESSES: dict[str, Any] = {"servers": [{"name": "a", "host": "192.0.2.1"}]}


def _balancer(*, preview: bool = False, base: dict[str, Any] = BASE, **args: Any) -> Recording:
    return run(lambda: NginxBalancer("lb", {**base, **args}), preview=preview)


def _rendered(version: tuple[int, int, int] = (1, 30, 4), **settings: Any) -> str:
    model = {
        "pool": {"servers": SERVERS},
        "resolver": {"address": "127.0.0.11"},
        **settings,
    }
    return nginx.render(Balancer.of(model), version)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"affinity": "NONE", "balancing": "LEAST_CONNECTIONS"},
        {"timeouts": {"read": 600.0}, "limits": {"requests": 100.0, "workers": 1.0}},
        {"reveal_servers": True, "private_paths": ["/status"], "access_log": False},
        {"health": {"passive": {"failures": 3, "window": 9}}, "keep_alive": {"idle": 3}},
        {"drain": {"seconds": 60}, "retry": {"tries": 2}},
    ],
)
def test_the_file_is_what_the_renderer_writes(rules: dict[str, Any]) -> None:
    recording = _balancer(rules=rules)
    plain = {key: value for key, value in rules.items() if key != "limits"}
    limits = {"limits": {"requests": 100, "workers": 1}} if "limits" in rules else {}

    assert recording.uploaded(FILE) == _rendered(**plain, **limits)


def test_the_version_is_what_the_images_tag_states_or_the_input_says() -> None:
    new = _balancer(image="nginx:1.27.3")
    told = _balancer(image="nginx:stable", version="1.27.4")
    old = _balancer(base=ADDRESSES, image="registry:5000/nginx:1.22-alpine")

    assert new.uploaded(FILE) == _rendered((1, 27, 3))
    assert told.uploaded(FILE) == _rendered((1, 27, 4))
    assert old.uploaded(FILE).startswith("# KATO behind nginx 1.22.")
    assert {container.inputs["image"] for container in old.of(CONTAINER)} == {
        "registry:5000/nginx:1.22-alpine"
    }


def test_katos_own_numbers_decide_the_budget() -> None:
    recording = _balancer(process={"connection_limit": 1000.0})

    assert "limit_conn kato_requests 813;" in recording.uploaded(FILE)


def test_only_this_machine_reaches_the_balancer_unless_asked_otherwise() -> None:
    recording = _balancer()

    assert recording.one("lb").inputs["ports"] == [
        {"internal": 8080, "external": 8080, "ip": "127.0.0.1"}
    ]
    assert recording.outputs_of("lb")["url"] == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("publish", "ip", "url"),
    [
        ({"port": 9000.0}, "127.0.0.1", "http://127.0.0.1:9000"),
        ({"address": "0.0.0.0"}, "0.0.0.0", "http://127.0.0.1:8080"),
        ({"address": "192.0.2.7", "port": 80}, "192.0.2.7", "http://192.0.2.7:80"),
        ({"address": "::1"}, "::1", "http://[::1]:8080"),
    ],
)
def test_the_url_is_where_it_is_published(publish: dict[str, Any], ip: str, url: str) -> None:
    recording = _balancer(publish=publish)

    assert recording.one("lb").inputs["ports"][0]["ip"] == ip
    assert recording.outputs_of("lb")["url"] == url


def test_it_runs_without_privileges() -> None:
    inputs = _balancer().one("lb").inputs

    assert inputs["user"] == "10001:10001"
    assert inputs["readOnly"] is True
    assert inputs["capabilities"] == {"drops": ["ALL"]}
    assert inputs["securityOpts"] == ["no-new-privileges:true"]
    assert inputs["tmpfs"] == {"/tmp": ""}


def test_it_stops_gracefully_after_its_drain() -> None:
    inputs = _balancer(rules={"drain": {"seconds": 60}}).one("lb").inputs

    assert inputs["stopSignal"] == "SIGQUIT"
    assert (inputs["stopTimeout"], inputs["destroyGraceSeconds"]) == (65, 65)


def test_the_file_is_on_its_volume_before_it_starts() -> None:
    recording = _balancer()
    balancer, writer = recording.one("lb"), recording.one("lb-configuration")

    [volume] = balancer.inputs["volumes"]
    assert volume["containerPath"] == "/etc/kato"
    assert [mounted["volumeName"] for mounted in writer.inputs["volumes"]] == [volume["volumeName"]]
    assert writer.urn in balancer.depends_on
    assert writer.inputs["networkMode"] == "none"


def test_another_file_is_written_without_replacing_the_balancer() -> None:
    one, two = _balancer(), _balancer(rules={"reveal_servers": True})

    assert one.one("lb").inputs == two.one("lb").inputs
    assert one.one("lb-configuration").environment != two.one("lb-configuration").environment


def test_a_file_that_nginx_refuses_fails_the_deployment_with_its_words() -> None:
    refusing = {"lb-configuration": {"exitCode": 1, "containerLogs": "[emerg] no such thing"}}

    with pytest.raises(pulumi.RunError, match=r"lb refused its configuration.*\n\[emerg\] no such"):
        attempt(lambda: NginxBalancer("lb", BASE), Recording(preview=False, answers=refusing))


def test_every_part_is_a_child() -> None:
    recording = _balancer()
    component = recording.one("lb", "kato:index:NginxBalancer")

    children = [resource for resource in recording.resources if resource is not component]
    assert len(children) == 3
    assert {child.parent for child in children} == {component.urn}


def test_its_health_is_asked_for_inside() -> None:
    kind, command = _balancer().one("lb").inputs["healthcheck"]["tests"]

    assert kind == "CMD-SHELL"
    assert "http://127.0.0.1:8081/lb/health" in command


def test_the_container_is_a_child_with_labels() -> None:
    recording = _balancer(labels={"team": "a"})
    component = recording.one("lb", "kato:index:NginxBalancer")
    container = recording.one("lb")

    assert container.parent == component.urn
    assert container.inputs["labels"] == [{"label": "team", "value": "a"}]
    assert container.inputs["networksAdvanced"] == [{"name": "net", "aliases": ["lb"]}]


def test_servers_may_be_an_output() -> None:
    def program() -> None:
        NginxBalancer("lb", {**BASE, "servers": pulumi.Output.from_input(SERVERS)})

    assert run(program).uploaded(FILE) == _rendered()


def test_parts_of_a_server_may_be_outputs() -> None:
    def program() -> None:
        servers = [{**one, "host": pulumi.Output.from_input(one["host"])} for one in SERVERS]
        NginxBalancer("lb", {**BASE, "servers": servers})

    assert run(program).uploaded(FILE) == _rendered()


def test_a_preview_with_unknown_servers_declares_the_container() -> None:
    def program() -> None:
        NginxBalancer("lb", {"servers": unknown(), "network": unknown()})

    recording = run(program, preview=True)

    assert "lb" in recording.names(CONTAINER)
    assert recording.outputs_of("lb")["url"] == "http://127.0.0.1:8080"


def test_bad_servers_are_refused_when_they_are_known() -> None:
    def program() -> None:
        servers = pulumi.Output.from_input([{"name": "a", "host": "a b"}])
        NginxBalancer("lb", {**BASE, "servers": servers})

    with pytest.raises(pulumi.InputPropertiesError, match=r"servers\[0\]\.host"):
        run(program)


def test_two_instances_live_side_by_side() -> None:
    def program() -> None:
        NginxBalancer("one", BASE)
        NginxBalancer("two", {**BASE, "publish": {"port": 8090}})

    urns = [resource.urn for resource in run(program).resources]

    assert len(urns) == 8
    assert len(set(urns)) == len(urns)


@pytest.mark.parametrize(
    ("args", "path", "cure"),
    [
        ({"publish": {"port": 0}}, "publish.port", "at least 1"),
        ({"publish": {"port": 70000}}, "publish.port", "at most 65535"),
        ({"publish": {"port": "8080"}}, "publish.port", "whole number"),
        ({"publish": {"port": True}}, "publish.port", "whole number"),
        ({"publish": {"port": 80.5}}, "publish.port", "whole number"),
        ({"publish": {"address": "everywhere"}}, "publish.address", "address"),
        ({"publish": {"prot": 80}}, "publish.prot", "not a known setting"),
        ({"rules": {"retries": 1}}, "rules.retries", "not a known setting"),
        ({"rules": {"affinity": "sticky"}}, "rules.affinity", "must be one of"),
        ({"rules": {"affinity": "COOKIE"}, "version": "1.29.5"}, "rules.affinity", "1.29.6"),
        ({"rules": {"keep_alive": {"idle": 5}}}, "rules.keep_alive.idle", "use 4"),
        ({"rules": {"limits": {"requests": 314}}}, "rules.limits.requests", "at most 313"),
        ({"rules": {"limits": {"workers": "2"}}}, "rules.limits.workers", "without quotes"),
        ({"rules": {"timeouts": {"read": -1}}}, "rules.timeouts.read", "greater than 0"),
        ({"rules": {"health": {"active": {}}}}, "rules.health.active", "HAProxy"),
        ({"rules": {"process": {"workers": 1}}}, "rules.process", "not a known setting"),
        ({"rules": {"pool": {"servers": []}}}, "rules.pool", "not a known setting"),
        ({"rules": {"resolver": {"address": "9.9.9.9"}}}, "rules.resolver", "not a known setting"),
        ({"process": {"workers": 2}}, "process.workers", "must be 1 with SESSION affinity"),
        ({"process": {"limit": 2}}, "process.limit", "not a known setting"),
        ({"servers": []}, "servers", "at least one"),
        ({"servers": [{"name": "a", "host": "a", "port": 0}]}, "servers[0].port", "at least 1"),
        ({"servers": [{"name": "a", "host": "a;b"}]}, "servers[0].host", "host name"),
        ({"servers": [SERVERS[0], SERVERS[0]]}, "servers", "same name"),
        ({"image": "nginx"}, "image", "no fixed tag"),
        ({"image": "nginx:stable"}, "version", "for example 1.30"),
        ({"version": "new"}, "version", "as in 1.30"),
        ({"version": "1.20"}, "version", "use 1.22 or newer"),
        ({"version": "1.22"}, "version", "1.27.3 or newer"),
        ({"publsh": {"port": 80}}, "publsh", "not a known setting"),
    ],
)
def test_a_bad_input_is_named_before_anything_is_created(
    args: dict[str, Any], path: str, cure: str, refusal_of: Callable[..., list[tuple[str, str]]]
) -> None:
    [(found, reason)] = refusal_of(lambda: NginxBalancer("lb", {**BASE, **args}))

    assert found == path
    assert cure in reason


def test_every_problem_is_reported_at_once(
    refusal_of: Callable[..., list[tuple[str, str]]],
) -> None:
    rules = {"keep_alive": {"idle": 9}, "retry": {"window": 1}}

    found = refusal_of(lambda: NginxBalancer("lb", {**BASE, "rules": rules}))

    assert len(found) == 2
