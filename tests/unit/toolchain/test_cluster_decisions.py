"""Whose cluster is used, shared, stopped or only forgotten."""

from pathlib import Path

import pytest

from dev.cluster import exclusive, given, images, layout, leftovers, lifecycle, node, packages
from dev.cluster import kubeconfig as kubeconfigs
from dev.toolchain import places, steps
from dev.toolchain.steps import SetupError


class FakeNode:
    """Stands in for the machine's node; keeps what was asked of it."""

    def __init__(self, owner: Path | None, *, healthy: bool) -> None:
        self.calls: list[str] = []
        self._owner, self._healthy = owner, healthy

    def owner(self) -> Path | None:
        return self._owner

    def healthy(self) -> bool:
        return self._healthy

    def start(self) -> None:
        self.calls.append("start")
        self._owner = self._owner or places.ROOT

    def remove(self) -> None:
        self.calls.append("remove")


@pytest.fixture(autouse=True)
def no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(given.VARIABLE, raising=False)
    monkeypatch.setattr(layout, "KUBECONFIG", tmp_path / "state" / "kubeconfig")
    monkeypatch.setattr(layout, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(exclusive.os, "geteuid", lambda: 0)
    monkeypatch.setattr(images, "load", lambda _: None)
    monkeypatch.setattr(
        kubeconfigs, "write", lambda path, who: kubeconfigs.replace(path, f"as {who}")
    )


def _node(
    monkeypatch: pytest.MonkeyPatch, owner: Path | None, *, healthy: bool = False
) -> FakeNode:
    fake = FakeNode(owner, healthy=healthy)
    for name in ("owner", "healthy", "start", "remove"):
        monkeypatch.setattr(node, name, getattr(fake, name))
    return fake


def test_a_cluster_is_started_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _node(monkeypatch, None)

    assert lifecycle.ensure() == layout.KUBECONFIG
    assert fake.calls == ["start"]
    assert layout.KUBECONFIG.read_text() == "as admin"


def test_a_running_cluster_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _node(monkeypatch, places.ROOT, healthy=True)

    lifecycle.ensure()

    assert fake.calls == []


def test_another_clones_cluster_is_shared_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake = _node(monkeypatch, tmp_path, healthy=True)

    lifecycle.ensure()

    assert fake.calls == []
    assert f"sharing the cluster that was started from {tmp_path}" in capsys.readouterr().out


def test_another_clones_cluster_is_not_stopped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fake = _node(monkeypatch, tmp_path, healthy=True)

    lifecycle.down()

    assert fake.calls == []
    assert "stays; --force ends it" in capsys.readouterr().out


@pytest.mark.parametrize(("exists", "force"), [(False, False), (True, True)])
def test_it_is_stopped_by_force_or_when_its_clone_is_gone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, exists: bool, force: bool
) -> None:
    fake = _node(monkeypatch, tmp_path if exists else tmp_path / "gone", healthy=True)

    lifecycle.down(force=force)

    assert fake.calls == ["remove"]


def test_stopping_takes_the_kubeconfig_away(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _node(monkeypatch, places.ROOT, healthy=True)
    lifecycle.ensure()

    lifecycle.down()

    assert fake.calls == ["remove"]
    assert not layout.KUBECONFIG.exists()


@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_given_cluster_is_used_and_none_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    fake = _node(monkeypatch, None)
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    monkeypatch.setattr(steps, "output_of", lambda *_, **__: "v1.36.0\n")
    if how == "variable":
        monkeypatch.setenv(given.VARIABLE, str(theirs))

    lifecycle.ensure(own_kubeconfig=str(theirs) if how == "option" else None)

    assert fake.calls == []
    assert layout.KUBECONFIG.readlink() == theirs
    with pytest.raises(SetupError, match=r"the cluster in use was given"):
        lifecycle.load(["x:1"])
    lifecycle.down()
    assert theirs.read_text() == "theirs"
    assert not layout.KUBECONFIG.exists()


def test_a_given_cluster_that_does_not_answer_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _node(monkeypatch, None)
    kubeconfigs.replace(layout.KUBECONFIG, "before")
    monkeypatch.setattr(steps, "output_of", lambda *_, **__: None)
    (tmp_path / "theirs").write_text("theirs")

    with pytest.raises(SetupError, match=r"does not answer\n.*check it with 'kubectl version'"):
        lifecycle.ensure(own_kubeconfig=str(tmp_path / "theirs"))

    assert layout.KUBECONFIG.read_text() == "before"
    assert [path.name for path in layout.KUBECONFIG.parent.iterdir()] == ["kubeconfig"]


def test_the_projects_own_kubeconfig_is_no_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _node(monkeypatch, None)

    lifecycle.ensure(own_kubeconfig=str(layout.KUBECONFIG))

    assert fake.calls == ["start"]


def test_a_given_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"there is no .*nowhere"):
        lifecycle.ensure(own_kubeconfig=str(tmp_path / "nowhere"))


def test_a_plain_user_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusive.os, "geteuid", lambda: 1000)

    with pytest.raises(SetupError, match=r"needs root\n.*--kubeconfig"):
        lifecycle.ensure()


def test_a_plain_user_forgets_a_given_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    _node(monkeypatch, None)
    monkeypatch.setattr(exclusive.os, "geteuid", lambda: 1000)
    layout.KUBECONFIG.parent.mkdir()
    layout.KUBECONFIG.symlink_to("theirs")

    lifecycle.down()

    assert not layout.KUBECONFIG.is_symlink()


def test_images_need_a_running_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    _node(monkeypatch, None)

    with pytest.raises(SetupError, match=r"no cluster is running\n.*dev\.cluster up"):
        lifecycle.load(["x:1"])


def test_a_second_caller_is_not_let_in() -> None:
    with (
        exclusive.exclusive(),
        pytest.raises(SetupError, match=r"held .*lock for 0 s"),
        exclusive.exclusive(limit=0),
    ):
        pytest.fail("two at a time")


def test_missing_programs_become_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(layout, "CNI_PLUGINS", tmp_path)
    monkeypatch.setattr(
        packages.shutil, "which", lambda name: None if name in ("etcd", "ctr") else name
    )

    wanted = ["containerd", "containernetworking-plugins", "etcd-server"]
    assert packages.missing() == wanted


def test_mounts_below_the_folder_are_found_in_order() -> None:
    table = (
        "1 0 8:1 / / rw - ext4 /dev/x rw\n"
        "2 1 0:5 / /var/lib/c/run/a rw shared:1 - overlay overlay rw\n"
        "3 1 0:6 / /var/lib/c2/b rw - tmpfs tmpfs rw\n"
        "4 2 0:7 / /var/lib/c/run/a/with\\040space rw - tmpfs tmpfs rw\n"
    )

    found = leftovers.mounts(table, Path("/var/lib/c"))

    assert found == ["/var/lib/c/run/a", "/var/lib/c/run/a/with space"]
