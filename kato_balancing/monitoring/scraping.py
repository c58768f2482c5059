"""What Prometheus scrapes, as its configuration file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from kato_balancing.hosts import bracketed, is_address
from kato_balancing.monitoring.exporter.server_names import NamedServer

SECONDS: Final = 5
"""Between two scrapes; the panels' windows of a minute hold for up to 15."""


@dataclass(frozen=True)
class Job:
    """Targets that give the same figures."""

    name: str
    targets: Sequence[str] = ()
    """``host:port`` each."""
    servers: Sequence[NamedServer] = ()
    """The balancer's servers; their names become the label ``server``. Hosts are looked up again
    and again, and one without an address is no target: it is listed ahead of need."""
    path: str = "/metrics"


def configuration(jobs: Sequence[Job], rule_files: Sequence[str]) -> str:
    """``prometheus.yml`` for these jobs and files of rules."""
    return yaml.safe_dump(
        {
            "global": {"scrape_interval": f"{SECONDS}s", "evaluation_interval": f"{SECONDS}s"},
            "rule_files": list(rule_files),
            "scrape_configs": [_job(job) for job in jobs],
        },
        sort_keys=False,
        width=100,
    )


def _job(job: Job) -> dict[str, Any]:
    fixed: list[dict[str, Any]] = [{"targets": list(job.targets)}] if job.targets else []
    fixed += [
        {"targets": [f"{bracketed(server.host)}:{server.port}"], "labels": {"server": server.name}}
        for server in job.servers
        if is_address(server.host)
    ]
    looked_up = [server for server in job.servers if not is_address(server.host)]
    parts: dict[str, Any] = {
        "static_configs": fixed,
        "dns_sd_configs": [_lookup(server) for server in looked_up],
        "relabel_configs": [_name(server) for server in looked_up],
    }
    used = {name: part for name, part in parts.items() if part}
    return {"job_name": job.name, "metrics_path": job.path, **used}


def _lookup(server: NamedServer) -> dict[str, Any]:
    return {
        "names": [server.host],
        "type": "A",
        "port": server.port,
        "refresh_interval": f"{SECONDS}s",
    }


def _name(server: NamedServer) -> dict[str, Any]:
    return {
        "source_labels": ["__meta_dns_name"],
        "regex": re.escape(server.host.removesuffix(".")) + r"\.?",
        "target_label": "server",
        "replacement": server.name,
    }
