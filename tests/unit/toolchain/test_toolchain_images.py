"""Local images: which there are, that a tag is true, and when a stack is switched to them."""

import json
from typing import Any

import pytest

from dev.images import build, catalogue, stack_images
from dev.toolchain import steps
from dev.toolchain.steps import SetupError
from kato_balancing import images, kato

STOCK = {
    "katoImage": kato.IMAGE,
    "redisImage": "redis:8.0",
    "nginxImage": "nginx:1.30.4",
    "haproxyImage": "haproxy:3.2",
    "platform": "docker",
    "proxy": "nginx",
    "monitoring": "{}",
}


def _used(settings: dict[str, str]) -> list[str]:
    """The images of a stack whose proxy is nginx."""
    return [settings[key] for key in ("katoImage", "redisImage", "nginxImage")]


def test_every_local_image_has_a_name_of_its_own() -> None:
    names = [image.name for image in catalogue.ALL]

    assert len(names) >= 7
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("image", catalogue.ALL, ids=lambda image: image.name)
def test_a_local_name_can_not_be_pulled_and_states_its_version(
    image: catalogue.LocalImage,
) -> None:
    parsed = images.parse(image.name)

    assert parsed.repository == f"kato-lb/{image.target}"
    assert parsed.version is not None


def test_a_replacement_for_kato_is_known_as_a_stand_in() -> None:
    assert {*catalogue.SUBSTITUTES, "platform", "proxy", "monitoring"} == set(STOCK)
    assert images.parse(catalogue.SUBSTITUTES["katoImage"].name).is_stand_in
    assert set(catalogue.SUBSTITUTES.values()) <= set(catalogue.ALL)


@pytest.mark.parametrize(
    ("image", "output"),
    [
        (catalogue.NGINX, "nginx version: nginx/1.30.0\n"),
        (catalogue.NGINX, "nginx version: nginx/1.31.2 (Debian)\n"),
        (catalogue.OLD_NGINX, "nginx version: nginx/1.22.1\n"),
        (catalogue.HAPROXY, "HAProxy version 3.2.4-1 2025/08/14 - https://haproxy.org/\n"),
        (catalogue.HAPROXY, "HAProxy version 3.10.0-1 2026/08/14\n"),
        (catalogue.REDIS, "Redis server v=8.0.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n"),
        (catalogue.KATO_STAND_IN, None),
    ],
)
def test_a_program_as_new_as_the_tag_is_taken(
    image: catalogue.LocalImage, output: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(steps, "output_of", lambda argv, **_: asked.append(argv) or output)

    build._check_version(image)

    assert len(asked) == (output is not None)


@pytest.mark.parametrize(
    ("image", "output"),
    [
        (catalogue.NGINX, "nginx version: nginx/1.29.9\n"),
        (catalogue.NGINX, "nginx version: nginx/1.3.0\n"),
        (catalogue.REDIS, "Redis server v=7.2.4 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n"),
        (catalogue.HAPROXY, "HAProxy version 2.6.12-1 2025/08/14\n"),
        (catalogue.HAPROXY, "no such command\n"),
        (catalogue.HAPROXY, None),
    ],
)
def test_a_program_older_than_the_tag_is_refused(
    image: catalogue.LocalImage, output: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "output_of", lambda *_, **__: output)

    with pytest.raises(SetupError, match=f"older than its tag\n.*{image.target} {image.version}"):
        build._check_version(image)


class Machine:
    """A machine whose commands are answered from a table; what changes something is kept."""

    def __init__(self, settings: dict[str, str], *, present: set[str], pullable: set[str]) -> None:
        self.settings, self.present, self.pullable = settings, present, pullable
        self.built: list[str] = []
        self.ran: list[list[str]] = []

    def output_of(self, argv: list[str], **_: Any) -> str | None:
        match argv:
            case ["pulumi", "config", *_]:
                entries = {f"kato:{k}": {"value": v} for k, v in self.settings.items()}
                return json.dumps(entries)
            case ["docker", "image", "inspect", *_, name]:
                return "sha256:1" if name in self.present else None
            case ["docker", "manifest", "inspect", name]:
                return "{}" if name in self.pullable else None
        raise AssertionError(argv)

    def run(self, argv: list[str], **_: Any) -> None:
        self.ran.append(argv)


def _ensure(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "output_of", machine.output_of)
    monkeypatch.setattr(steps, "run", machine.run)
    monkeypatch.setattr(build, "build", lambda image: machine.built.append(image.name))
    stack_images.ensure("dev")


def test_images_that_are_there_are_used_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(STOCK, present=set(STOCK.values()), pullable=set())

    _ensure(machine, monkeypatch)

    assert (machine.built, machine.ran) == ([], [])


def test_images_of_a_registry_that_answers_are_pulled(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(STOCK, present=set(), pullable=set(STOCK.values()))

    _ensure(machine, monkeypatch)

    assert machine.built == []
    assert machine.ran == [["docker", "pull", "--quiet", image] for image in _used(STOCK)]


def test_where_no_registry_answers_the_settings_name_what_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(STOCK, present={"redis:8.0"}, pullable=set())

    _ensure(machine, monkeypatch)

    assert machine.built == ["kato-lb/kato-stand-in:6.3.0", "kato-lb/nginx:1.30"]
    change = ["pulumi", "config", "set", "--stack", "dev"]
    assert machine.ran == [
        [*change, "katoImage", "kato-lb/kato-stand-in:6.3.0"],
        [*change, "nginxImage", "kato-lb/nginx:1.30"],
    ]
    said = capsys.readouterr().out
    assert f"no registry answers for {kato.IMAGE}" in said
    assert "stack dev now uses kato-lb/kato-stand-in:6.3.0" in said


def test_local_images_are_built_and_no_registry_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    local = {key: image.name for key, image in catalogue.SUBSTITUTES.items()}
    for proxy, unused in (("nginx", "haproxyImage"), ("haproxy", "nginxImage")):
        settings = {**STOCK, **local, "proxy": proxy}
        machine = Machine(settings, present=set(), pullable=set())

        _ensure(machine, monkeypatch)

        assert sorted(machine.built) == sorted(n for key, n in local.items() if key != unused)
        assert machine.ran == []


def test_a_watched_stack_needs_the_images_of_its_monitoring(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = json.dumps({"enabled": True, "prometheusImage": "registry.example/p:3"})
    given = {*STOCK.values(), "registry.example/p:3"}
    machine = Machine({**STOCK, "monitoring": watched}, present=given, pullable=set())

    _ensure(machine, monkeypatch)

    assert machine.built == ["kato-lb/kato-exporter:0.1.0", "kato-lb/redis-exporter:1.86"]
    path = "monitoring.redisExporterImage"
    change = ["pulumi", "config", "set", "--stack", "dev", "--path", path]
    assert machine.ran == [[*change, "kato-lb/redis-exporter:1.86"]]


def test_monitoring_that_is_off_needs_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    off = json.dumps({"enabled": False, "prometheusImage": "registry.example/p:3"})
    machine = Machine({**STOCK, "monitoring": off}, present=set(STOCK.values()), pullable=set())

    _ensure(machine, monkeypatch)

    assert (machine.built, machine.ran) == ([], [])


def test_settings_that_can_not_be_read_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "output_of", lambda *_, **__: None)

    with pytest.raises(SetupError, match=r"stack dev can't be read\n.*pulumi config --stack dev"):
        stack_images.ensure("dev")


def test_a_cluster_that_pulls_its_images_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({**STOCK, "platform": "kubernetes"}, present=set(), pullable=set())
    monkeypatch.setattr(stack_images.lifecycle, "is_own", lambda: False)

    _ensure(machine, monkeypatch)

    assert (machine.built, machine.ran) == ([], [])


def test_the_local_cluster_gets_what_the_stack_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    machine = Machine({**STOCK, "platform": "kubernetes"}, present=set(), pullable=set())
    monkeypatch.setattr(stack_images.lifecycle, "is_own", lambda: True)
    monkeypatch.setattr(stack_images.lifecycle, "load", loaded.extend)

    _ensure(machine, monkeypatch)

    assert sorted(loaded) == sorted(_used({k: i.name for k, i in catalogue.SUBSTITUTES.items()}))
