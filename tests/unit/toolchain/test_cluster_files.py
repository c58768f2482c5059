"""The cluster's files: certificates, kubeconfig, configuration of each program."""

import base64
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from dev.cluster import certificates, configuration, kubeconfig, layout
from dev.cluster.certificates import Identity


def test_a_kubeconfig_carries_its_certificates() -> None:
    text = kubeconfig.render("https://192.0.2.1:6443", authority=b"A", certificate=b"C", key=b"K")

    config = yaml.safe_load(text)
    (cluster,), (user,), (context,) = config["clusters"], config["users"], config["contexts"]
    assert cluster["cluster"]["server"] == "https://192.0.2.1:6443"
    assert base64.b64decode(cluster["cluster"]["certificate-authority-data"]) == b"A"
    assert base64.b64decode(user["user"]["client-certificate-data"]) == b"C"
    assert base64.b64decode(user["user"]["client-key-data"]) == b"K"
    assert context["context"] == {"cluster": cluster["name"], "user": user["name"]}
    assert config["current-context"] == context["name"]


def test_a_kubeconfig_is_private_and_replaces_a_link_without_following_it(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("a user's own")
    link = tmp_path / "kubeconfig"
    link.symlink_to(theirs)

    kubeconfig.replace(link, "ours")

    assert theirs.read_text() == "a user's own"
    assert not link.is_symlink()
    assert link.read_text() == "ours"
    assert stat.S_IMODE(link.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"theirs", "kubeconfig"}


def test_a_file_that_is_right_already_is_not_written_again(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    kubeconfig.replace(file, "same")
    before = file.stat().st_ino

    kubeconfig.replace(file, "same")
    assert file.stat().st_ino == before
    kubeconfig.replace(file, "other")
    assert file.read_text() == "other"


def test_certificates_are_made_once_and_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "CERTIFICATES", tmp_path)
    certificates.ensure()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    certificates.ensure()

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    for identity in certificates.IDENTITIES:
        authority = certificates.certificate(identity.authority)
        file = certificates.certificate(identity.file)
        done = subprocess.run(
            ["openssl", "verify", "-CAfile", authority, file],
            capture_output=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done
    for path in tmp_path.glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_only_a_servers_certificate_names_addresses() -> None:
    client = certificates.extensions(Identity("x", "someone"))
    server = certificates.extensions(Identity("x", "someone", server=True))

    assert "subjectAltName" not in client
    assert "serverAuth" not in client
    assert f"IP:{layout.NODE_ADDRESS}" in server
    assert f"IP:{layout.API_SERVICE_ADDRESS}" in server


def test_a_group_becomes_the_organisation() -> None:
    assert certificates.subject(Identity("x", "me", "us")) == "/O=us/CN=me"
    assert certificates.subject(Identity("x", "me")) == "/CN=me"


@pytest.mark.parametrize(("capable", "restricted"), [(True, False), (False, True)])
def test_containerd_lowers_no_score_where_the_machine_forbids_it(
    capable: bool, restricted: bool
) -> None:
    config = tomllib.loads(configuration.containerd(may_raise_priority=capable))

    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is restricted
    assert cri["sandbox_image"] == configuration.PAUSE_IMAGE
    assert cri["netns_mounts_under_state_dir"] is True


def test_every_socket_path_fits_its_limit() -> None:
    assert len(str(layout.CONTAINERD_SOCKET) + ".ttrpc") < 108


@pytest.mark.parametrize(
    ("effective", "has"), [("000001fffeffffff", False), ("000001ffffffffff", True)]
)
def test_a_capability_is_read_from_a_process_status(effective: str, has: bool) -> None:
    status = f"Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t{effective}\n"

    assert configuration.has_capability(status, 24) is has


def test_pods_are_not_sent_to_a_name_server_on_the_machines_loopback() -> None:
    text = "# x\nsearch lan\nnameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver ::1\n"

    assert configuration.outside_names(text) == "nameserver 192.0.2.53\n"
    assert configuration.outside_names("") == ""


def test_node_ports_stay_on_the_private_address() -> None:
    assert configuration.kube_proxy()["nodePortAddresses"] == [f"{layout.NODE_ADDRESS}/32"]
