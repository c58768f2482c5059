"""kato-lb render and kato-lb place: exit codes, what they print, what they complain about."""

import builtins
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from kato_balancing import haproxy, nginx
from kato_balancing.cli import main
from kato_balancing.model import Balancer
from kato_balancing.placement import ring_of

PAGE = Path(__file__).parents[3] / "docs/placement.md"
THREE = {"pool": {"servers": [{"name": f"kato-{i}", "host": f"192.0.2.{i}"} for i in range(3)]}}
FOUR = {"pool": {"servers": [{"name": f"kato-{i}", "host": f"192.0.2.{i}"} for i in range(4)]}}
YAML = "pool:\n  servers:\n" + "".join(
    f"    - {{name: kato-{i}, host: 192.0.2.{i}}}\n" for i in range(3)
)


@pytest.fixture
def three(tmp_path):
    file = tmp_path / "three.json"
    file.write_text(json.dumps(THREE))
    return str(file)


@pytest.fixture
def four(tmp_path):
    file = tmp_path / "four.json"
    file.write_text(json.dumps(FOUR))
    return str(file)


def wrong_use(capsys, *words):
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("nginx:1.30", nginx.render(Balancer.of(THREE), (1, 30, 0))),
        ("haproxy:3.2", haproxy.render(Balancer.of(THREE), (3, 2, 0))),
        ("haproxy:2.6.12", haproxy.render(Balancer.of(THREE), (2, 6, 12))),
    ],
)
def test_render_writes_what_the_renderer_says(capsys, three, target, expected, tmp_path):
    assert main(["render", three, "--for", target]) == 0
    assert capsys.readouterr() == (expected, "")
    written = tmp_path / "written.cfg"
    assert main(["render", three, "--for", target, "--output", str(written)]) == 0
    assert written.read_text() == expected
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["three.yaml", "three.conf"])
def test_yaml_is_read(capsys, tmp_path, name):
    file = tmp_path / name
    file.write_text(YAML)

    assert main(["render", str(file), "--for", "nginx:1.30"]) == 0
    assert capsys.readouterr().out == nginx.render(Balancer.of(THREE), (1, 30, 0))


def test_a_dash_is_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(YAML))

    assert main(["render", "-", "--for", "haproxy:3.2"]) == 0
    assert "backend kato" in capsys.readouterr().out


def test_every_problem_of_the_settings_is_listed(capsys, tmp_path):
    file = tmp_path / "bad.json"
    file.write_text(json.dumps({"pool": {"servers": [{"name": "A", "host": "a b"}]}, "more": 1}))

    assert main(["render", str(file), "--for", "haproxy:3.2"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == f"{file}: refused"
    for path in ("pool.servers[0].name: must be", "pool.servers[0].host: must be", "more: is not"):
        assert f"  {path}" in err


def test_everything_that_haproxy_can_not_do_is_listed(capsys, tmp_path):
    file = tmp_path / "old.json"
    file.write_text(json.dumps({**THREE, "learned": {}, "timeouts": {"send": 3}}))

    assert main(["render", str(file), "--for", "haproxy:2.6"]) == 1
    err = capsys.readouterr().err
    assert "  learned: HAProxy 2.6" in err
    assert "  timeouts.send: " in err


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("none.yaml", None, "can't be read"),
        ("bad.json", "{", "is not JSON"),
        ("bad.yaml", "a: [", "neither JSON nor YAML"),
        ("list.yaml", "- a", "holds no settings"),
        ("empty.yaml", "", "holds no settings"),
        ("tag.yaml", "!!python/object/apply:os.getcwd []", "neither JSON nor YAML"),
        ("deep.json", "[" * 100_000, "is nested too deeply"),
        ("bytes.yaml", b"\xff\xfe\x00", "can't be read"),
    ],
)
def test_a_file_without_settings_is_wrong_use(capsys, tmp_path, name, text, complaint):
    file = tmp_path / name
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    for command in ("render", "place"):
        assert complaint in wrong_use(capsys, command, str(file), "--for", "nginx:1.30")


@pytest.mark.parametrize("command", ["render", "place"])
@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        ("envoy:1", "write nginx:1.30 or haproxy:3.2"),
        ("nginx", "is not a version"),
        ("haproxy:x", "is not a version"),
    ],
)
def test_an_unknown_target_is_wrong_use(capsys, three, command, target, complaint):
    assert complaint in wrong_use(capsys, command, three, "--for", target)


def test_what_can_not_be_written_is_wrong_use(capsys, three, tmp_path):
    away = str(tmp_path / "none" / "x")
    assert "--output" in wrong_use(capsys, "render", three, "--for", "nginx:1.30", "--output", away)
    assert "--chart" in wrong_use(capsys, "place", three, "--for", "nginx:1.30", "--chart", away)


def test_without_pyyaml_json_works_and_yaml_says_what_to_install(
    capsys, monkeypatch, three, tmp_path
):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "yaml":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    file = tmp_path / "a.yaml"
    file.write_text(YAML)
    assert main(["render", three, "--for", "nginx:1.30"]) == 0
    capsys.readouterr()
    assert "pip install pyyaml" in wrong_use(capsys, "render", str(file), "--for", "nginx:1.30")


def test_place_prints_a_table_of_80_columns(capsys, monkeypatch, three, four):
    monkeypatch.setenv("COLUMNS", "80")

    words = ["place", three, "--for", "haproxy:3.2", "--against", four, "--session", "session-1"]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "20,000 sessions on haproxy 3.2" in out
    for name in ("kato-0", "kato-1", "kato-2", "kato-3"):
        assert name in out
    flat = " ".join(out.split())
    assert "0 between servers that stay" in flat
    assert f"session-1: {ring_of(Balancer.of(THREE), 'haproxy').owner('session-1')}" in flat


def test_place_as_json(capsys, three, four):
    words = ["place", three, "--for", "nginx:1.30", "--sessions", "3000", "--json"]
    assert main([*words, "--session", "a", "--session", "b", "--against", four]) == 0
    found = json.loads(capsys.readouterr().out)

    before, after = (ring_of(Balancer.of(data), "nginx") for data in (THREE, FOUR))
    assert list(found) == ["for", "owners", "balance", "against"]
    assert found["for"] == "nginx:1.30.0"
    assert found["owners"] == {"a": before.owner("a"), "b": before.owner("b")}
    assert found["against"]["owners"] == {"a": after.owner("a"), "b": after.owner("b")}
    assert sum(found["balance"]["per_server"].values()) == found["balance"]["sessions"] == 3000
    moves = found["against"]["moved"]
    assert moves["total"] == moves["to_new"] == sum(f["sessions"] for f in moves["flows"])
    assert moves["old_to_old"] == 0
    assert moves["share"] == pytest.approx(0.25, abs=0.04)


def test_json_tells_what_the_ring_lets_expect(capsys, three):
    assert main(["place", three, "--for", "haproxy:3.2", "--sessions", "100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["balance"]["expected"]

    shares = ring_of(Balancer.of(THREE), "haproxy").shares()
    assert found["per_server"] == pytest.approx(shares, abs=1e-6)
    assert found["max_to_mean"] == pytest.approx(3 * max(shares.values()), abs=1e-6)
    assert found["min_to_mean"] == pytest.approx(3 * min(shares.values()), abs=1e-6)


def test_the_documented_example_prints_what_the_page_shows(capsys, monkeypatch):
    example = re.compile(r"```console\n\$ (.*?)\n(.*?)```", re.DOTALL)
    [(command, shown)] = example.findall(PAGE.read_text())
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(PAGE.parents[1])

    assert main(command.split()[1:]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in printed] == shown.splitlines()


def test_place_without_a_second_file(capsys, three):
    assert main(["place", three, "--for", "nginx:1.30", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["for", "owners", "balance"]


@pytest.mark.parametrize("against", [False, True])
def test_the_chart_is_a_picture_without_script(three, four, tmp_path, against):
    chart = tmp_path / "chart.svg"
    more = ["--against", four] if against else []
    assert main(["place", three, "--for", "nginx:1.30", "--chart", str(chart), *more]) == 0

    root = ET.fromstring(chart.read_text())
    tags = {node.tag.removeprefix("{http://www.w3.org/2000/svg}") for node in root.iter()}
    assert tags == {"svg", "title", "rect", "text", "line"}
    texts = [node.text for node in root.iter() if node.text]
    assert [name in texts for name in ("kato-0", "kato-2", "kato-3")] == [True, True, against]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({**THREE, "affinity": "NONE"}, "affinity"),
        ({**THREE, "timeouts": {"send": 3}}, "timeouts.send"),
    ],
)
def test_owners_that_do_not_follow_are_refused(capsys, tmp_path, data, path):
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(data))

    assert main(["place", str(file), "--for", "haproxy:3.2"]) == 1
    assert f"  {path}: " in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "x", "100000000"])
def test_a_senseless_number_of_sessions_is_wrong_use(capsys, three, count):
    err = wrong_use(capsys, "place", three, "--for", "nginx:1.30", f"--sessions={count}")
    assert "is not a number from 1 to" in err


DISCOVERED = {
    "pool": {"discovery": {"name": "kato-replicas.kato.svc"}},
    "resolver": {"address": "192.0.2.53"},
}
PODS = [f"kato-{i}.kato-replicas.kato.svc.cluster.local" for i in range(4)]


@pytest.fixture
def discovered(tmp_path):
    file = tmp_path / "discovered.json"
    file.write_text(json.dumps(DISCOVERED))
    return str(file)


def words_of(option, hosts):
    return [word for host in hosts for word in (option, host)]


def test_pods_that_dns_finds_are_placed_by_their_hosts(capsys, discovered):
    words = ["place", discovered, "--for", "nginx:1.30", "--json", "--session", "a"]
    words += [*words_of("--found", PODS[:3]), *words_of("--against-found", PODS)]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)

    ring = ring_of(Balancer.of(DISCOVERED), "nginx", {pod.partition(".")[0]: pod for pod in PODS})
    assert found["against"]["owners"] == {"a": ring.owner("a")}
    moves = found["against"]["moved"]
    assert moves["total"] == moves["to_new"]
    assert moves["share"] == pytest.approx(0.25, abs=0.02)


def test_settings_from_stdin_are_read_once(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(DISCOVERED)))
    words = ["place", "-", "--for", "nginx:1.30", "--json"]
    words += [*words_of("--found", PODS[:3]), *words_of("--against-found", PODS)]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["against"]["moved"]["total"] > 0


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("nginx:1.30", [], "pool.discovery: who the servers are is known to DNS only; say what"),
        ("haproxy:3.2", PODS, "pool.discovery: who the servers are is known to DNS only; list"),
        ("nginx:1.30", [PODS[0], PODS[0]], "--found: each host needs a first label of its own"),
    ],
)
def test_what_dns_finds_has_to_be_said(capsys, discovered, target, given, expected):
    assert main(["place", discovered, "--for", target, *words_of("--found", given)]) == 1
    assert expected in capsys.readouterr().err


def test_found_means_nothing_beside_a_list(capsys, three):
    assert main(["place", three, "--for", "nginx:1.30", "--found", PODS[0]]) == 1
    assert "pool: lists its servers" in capsys.readouterr().err
    assert "is no host" in wrong_use(
        capsys, "place", three, "--for", "nginx:1.30", "--found", "a b"
    )


CANARY_PODS = [f"kato-canary-{i}.kato-canary.kato.svc.cluster.local" for i in range(2)]


def with_canary(tmp_path, share):
    canary = {"share": share, "pool": {"discovery": {"name": "kato-canary.kato.svc"}}}
    file = tmp_path / f"canary-{share}.json"
    file.write_text(json.dumps({**DISCOVERED, "canary": canary}))
    return str(file)


def test_a_larger_share_of_a_canary_that_dns_finds_moves_sessions_to_it_only(capsys, tmp_path):
    words = ["place", with_canary(tmp_path, 25), "--against", with_canary(tmp_path, 50)]
    words += ["--for", "nginx:1.30", "--json", *words_of("--found", PODS)]
    assert main([*words, *words_of("--canary-found", CANARY_PODS)]) == 0
    found = json.loads(capsys.readouterr().out)

    of_canary = [
        sum(count for name, count in side["per_server"].items() if name.startswith("kato-canary-"))
        for side in (found["balance"], found["against"]["balance"])
    ]
    assert of_canary == [pytest.approx(5_000, abs=300), pytest.approx(10_000, abs=300)]
    moves = found["against"]["moved"]
    assert moves["total"] == of_canary[1] - of_canary[0]
    assert all(flow["to"].startswith("kato-canary-") for flow in moves["flows"])


def test_a_canary_that_comes_later_needs_its_hosts_too(capsys, discovered, tmp_path):
    words = ["place", discovered, "--against", with_canary(tmp_path, 25), "--for", "nginx:1.30"]
    words += words_of("--found", PODS)
    assert main([*words, *words_of("--canary-found", CANARY_PODS)]) == 0
    assert main(words) == 1
    assert "say what it finds (kato-lb place --canary-found)" in capsys.readouterr().err


def test_hosts_of_a_canary_that_is_not_there_are_refused(capsys, discovered):
    words = ["place", discovered, "--for", "nginx:1.30", *words_of("--found", PODS)]
    assert main([*words, *words_of("--canary-found", CANARY_PODS)]) == 1
    assert "canary: is not set" in capsys.readouterr().err


def test_a_change_to_a_list_needs_no_hosts(capsys, discovered, three):
    words = ["place", discovered, "--against", three, "--for", "nginx:1.30"]
    assert main([*words, *words_of("--found", PODS)]) == 0
    assert main([*words, *words_of("--found", PODS), "--against-found", PODS[0]]) == 1
    assert "pool: lists its servers" in capsys.readouterr().err
