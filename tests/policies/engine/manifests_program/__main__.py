"""Registers every manifest of the file that MANIFESTS names."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
import yaml

provider = k8s.Provider(
    "cluster",
    # Nobody listens there: a preview needs no cluster.
    kubeconfig=yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "none",
            "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "none", "user": {}}],
            "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
        }
    ),
)


def unknown() -> pulumi.Output[Any]:
    """A value that only a deployment tells."""
    loop = asyncio.get_event_loop()
    value, known = loop.create_future(), loop.create_future()
    value.set_result(None)
    known.set_result(False)
    return pulumi.Output(set(), value, known)


def with_unknowns(data: Any) -> Any:
    """The data with an unknown value wherever UNKNOWN is written."""
    if isinstance(data, dict):
        return {key: with_unknowns(item) for key, item in data.items()}
    if isinstance(data, list):
        return [with_unknowns(item) for item in data]
    return unknown() if data == "UNKNOWN" else data


documents = yaml.safe_load_all(Path(os.environ["MANIFESTS"]).read_text())
for document in filter(None, documents):
    version = document["apiVersion"]
    kind = document["kind"]
    pulumi.CustomResource(
        f"kubernetes:{'core/v1' if version == 'v1' else version}:{kind}",
        f"{document['metadata']['name']}-{kind.lower()}",
        with_unknowns(document),
        pulumi.ResourceOptions(provider=provider),
    )
