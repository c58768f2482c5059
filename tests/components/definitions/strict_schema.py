"""A resource definition as a strict JSON schema: an unknown field is an error, as it is for an API
server that is asked with ``fieldValidation=Strict``."""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

_KEEPS_ALL = "x-kubernetes-preserve-unknown-fields"


def problems(definition: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """What the definition's API server would refuse in the object; each with its path."""
    group, _, version = manifest["apiVersion"].partition("/")
    assert group == definition["spec"]["group"], f"{group} is not the definition's group"
    served = {one["name"]: one for one in definition["spec"]["versions"] if one["served"]}
    assert version in served, f"{version} is not served, only {sorted(served)}"
    schema = _strict(served[version]["schema"]["openAPIV3Schema"])
    # The server knows an object's metadata by itself.
    schema["properties"]["metadata"] = {"type": "object"}
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(dict(manifest))
    ]


def _strict(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(schema)
    for key in ("items", "additionalProperties"):
        if isinstance(found.get(key), dict):
            found[key] = _strict(found[key])
    if "properties" in found:
        found["properties"] = {name: _strict(one) for name, one in found["properties"].items()}
        if not found.get(_KEEPS_ALL):
            found.setdefault("additionalProperties", False)
    if found.get("nullable") and "type" in found:
        found["type"] = [found["type"], "null"]
    return found
