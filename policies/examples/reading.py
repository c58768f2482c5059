"""Examples are YAML documents: Kubernetes manifests, or ``type``, ``name``, ``properties``."""

from typing import Any

import yaml

from ..resources import Resource

PROVIDERS = {"kubernetes": "urn:pulumi:s::p::pulumi:providers:kubernetes::cluster"}


def token(manifest: dict[str, Any]) -> str:
    """Pulumi's type of a Kubernetes manifest."""
    version = manifest["apiVersion"]
    return f"kubernetes:{'core/v1' if version == 'v1' else version}:{manifest['kind']}"


def documents(text: str) -> list[dict[str, Any]]:
    """The documents that are not empty."""
    return [document for document in yaml.safe_load_all(text) if document]


def resources(text: str) -> list[Resource]:
    """The resources of an example, as a preview would register them."""
    return [resource(document) for document in documents(text)]


def resource(document: dict[str, Any]) -> Resource:
    """One document's resource."""
    if "apiVersion" in document:
        type_, name, data = token(document), document["metadata"]["name"], document
        name = f"{name}-{document['kind'].lower()}"
    else:
        type_, name, data = document["type"], document["name"], document["properties"]
    provider = PROVIDERS.get(type_.partition(":")[0], "")
    return Resource(f"urn:pulumi:s::p::{type_}::{name}", type_, name, data, provider=provider)
