"""``haproxy -c -dW``: no warning on what is rendered, as an unprivileged user, read-only."""

import subprocess

import pytest
from balancer_containers import docker
from conftest import IMAGES, render

from kato_balancing.model import Balancer
from kato_balancing.targets import UnsupportedFeature

ADDRESSES = [{"name": f"kato-{i}", "host": f"192.0.2.{10 + i}"} for i in range(3)]
NAMED = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
DNS = {"resolver": {"address": "127.0.0.11"}}
CANARY = {"canary": {"pool": {"servers": [{"name": "next", "host": "192.0.2.30"}]}, "share": 5}}
FOUND = {"pool": {"discovery": {"name": "kato.ns.svc"}}}

SETTINGS = {
    "session": {},
    "reveal": {"reveal_servers": True},
    "least-connections": {"balancing": "LEAST_CONNECTIONS"},
    "names that are not there": {"pool": {"servers": NAMED}, **DNS},
    "ipv6": {"pool": {"servers": [{"name": "kato-0", "host": "2001:db8::1"}]}},
    "backup": {
        "pool": {"servers": [*ADDRESSES, {"name": "s", "host": "192.0.2.9", "backup": True}]}
    },
    "draining": {
        "pool": {"servers": [*ADDRESSES[:2], {**ADDRESSES[2], "draining": True}]},
        "balancing": "LEAST_CONNECTIONS",
    },
    "many": {
        "pool": {
            "servers": [
                {"name": f"k-{i}", "host": f"10.0.{i // 200}.{i % 200 + 1}"} for i in range(256)
            ]
        }
    },
    "canary": CANARY,
    "client address": {
        "affinity": "CLIENT_IP",
        "listener": {"trusted_proxies": ["10.0.0.0/8", "fd00::/8"]},
        **CANARY,
    },
    "cookie": {"affinity": "COOKIE", "cookie": {"max_age": 3600, "same_site": "strict"}},
    "none": {"affinity": "NONE", "balancing": "LEAST_CONNECTIONS"},
    "learned": {"learned": {}, "balancing": "LEAST_CONNECTIONS"},
    "tls, key apart": {"tls": {"certificate": "/c/kato.pem", "key": "/c/other.pem"}},
    "tls, key beside": {
        "affinity": "COOKIE",
        "tls": {"certificate": "/c/kato.pem", "key": "/c/kato.pem.key"},
    },
    "tls, key by extension": {"tls": {"certificate": "/c/kato.crt", "key": "/c/kato.key"}},
    "tls, key inside": {"tls": {"certificate": "/c/both.pem", "key": "/c/both.pem"}},
    "discovery": {**FOUND, **DNS},
    "discovery, learned": {**FOUND, **DNS, "learned": {}, "balancing": "LEAST_CONNECTIONS"},
    "discovery, none": {**FOUND, **DNS, "affinity": "NONE"},
    "bare": {
        "access_log": False, "private_paths": [], "limits": {"websockets": 0},
        "retry": {"tries": 1},
    },
    "probes": {"health": {"active": {"path": "/sessions/lb-probe/exists", "timeout": 0.5}}},
    "private paths": {"private_paths": ["/", *(f"/p{i}" for i in range(100))]},
}  # fmt: skip

REFUSED = {
    "haproxy:2.6": {"learned", "tls, key apart", "discovery", "discovery, learned"},
    "haproxy:3.2": set(),
}

_CERTIFICATES = (
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout other.pem -out kato.pem -days 9 "
    "-subj /CN=kato && cp other.pem kato.pem.key && cp kato.pem kato.crt && cp other.pem kato.key "
    "&& cat kato.pem other.pem > both.pem && chmod 644 *.pem *.key *.crt"
)


@pytest.mark.usefixtures("images")
@pytest.mark.parametrize("target", ["haproxy:2.6", "haproxy:3.2"])
def test_haproxy_takes_every_file_without_a_warning(target, tmp_path):
    tmp_path.chmod(0o755)
    subprocess.run(_CERTIFICATES, shell=True, cwd=tmp_path, check=True, capture_output=True)
    refused, files = set(), {}
    for name, more in SETTINGS.items():
        try:
            text = render(target, Balancer.of({"pool": {"servers": ADDRESSES}, **more}))
        except UnsupportedFeature:
            refused.add(name)
            continue
        files[name] = f"{len(files)}.cfg"
        (tmp_path / files[name]).write_text(text)

    checks = "; ".join(
        f"echo '== {name}'; haproxy -c -dW -f /c/{file} 2>&1 || echo FAILED"
        for name, file in files.items()
    )
    said = docker(
        "run", "--rm", "--user", "10001:10001", "--read-only", "--network", "none",
        "--volume", f"{tmp_path}:/c:ro", IMAGES[target], "sh", "-c", checks,
    )  # fmt: skip

    assert refused == REFUSED[target]
    assert said.count("== ") == len(files) > 15
    bad = [part for part in said.split("== ") if "FAILED" in part or "WARNING" in part]
    assert bad == []
