"""A stack's settings as plain data, and what is wrong with them by the setting's name."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.config import CONFIG, get_config, is_config_secret

from kato_balancing.problems import InvalidInput, Problem

_PROJECT = Path(__file__).parents[1] / "Pulumi.yaml"

SECRET_INPUTS = ("url", "password", "api_key")
"""Inputs of a store that are secrets wherever they come from."""


def declared() -> dict[str, Any]:
    """The settings that Pulumi.yaml declares, by name."""
    return dict(yaml.safe_load(_PROJECT.read_text())["config"])


def refuse_others(config: pulumi.Config, platform: str, names: Iterable[str]) -> None:
    """Raise InvalidInput for settings of other platforms that were changed: they would be
    ignored."""
    rule = f"has no effect with platform {platform}; remove it"
    problems = [Problem(name, rule) for name in names if not is_default(config, name)]
    if problems:
        raise InvalidInput(problems)


def refuse_unknown(config: pulumi.Config) -> None:
    """Raise InvalidInput for settings that the program does not have."""
    known = declared().keys()
    prefix = f"{config.name}:"
    given = {key.removeprefix(prefix) for key in CONFIG.get() if key.startswith(prefix)}
    problems = []
    for name in sorted(given - known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "'pulumi config' lists them"
        problems.append(Problem(name, f"is not a setting of this program; {hint}"))
    if problems:
        raise InvalidInput(problems)


def is_default(config: pulumi.Config, name: str) -> bool:
    """True when the setting has the value that Pulumi.yaml gives it."""
    default = declared()[name]["default"]
    return get_config(config.full_key(name)) in (None, str(default), json.dumps(default))


def problems_of_group(name: str, given: Mapping[str, Any], known: Iterable[str]) -> list[Problem]:
    """What is wrong with a group of texts."""
    words = list(known)
    return [
        Problem(f"{name}.{camel_case(key)}", f"is not a known setting; use {', '.join(words)}")
        for key in given
        if key not in words
    ] + [
        Problem(f"{name}.{key}", f"must be a text (got {given[key]!r})")
        for key in words
        if key in given and not isinstance(given[key], str)
    ]


def problems_of(check: Callable[[], object], setting: Callable[[str], str]) -> list[Problem]:
    """What a component refuses, by the setting that it comes from."""
    try:
        check()
    except pulumi.InputPropertiesError as error:
        return [
            Problem(setting(detail["property_path"]), detail["reason"])
            for detail in error.errors or []
        ]
    return []


def store_setting(image_in_group: bool, path: str) -> str:
    """The setting that an input of a store comes from."""
    if path == "redis.image" and not image_in_group:
        return "redisImage"
    return "clickhouse.schemaFile" if path == "clickhouse.schema" else camel_case(path)


def stores(config: pulumi.Config) -> dict[str, Any]:
    """The stores' inputs, in clear."""
    redis = group(config, "redis")
    if "url" not in redis:
        redis.setdefault("image", config.require("redisImage"))
    stores: dict[str, Any] = {"redis": redis}
    clickhouse = group(config, "clickhouse")
    if clickhouse:
        file = clickhouse.pop("schema_file", None)
        if file is not None:
            clickhouse["schema"] = _text_of(file)
        stores["clickhouse"] = clickhouse
    qdrant = group(config, "qdrant")
    if qdrant and qdrant.pop("managed", True):
        stores["qdrant"] = qdrant
    return stores


def _text_of(file: object) -> str:
    try:
        return Path(str(file)).read_text()
    except OSError as error:
        problem = Problem("clickhouse.schemaFile", f"can't be read ({error}); name a file")
        raise InvalidInput([problem]) from None


def group(config: pulumi.Config, key: str) -> dict[str, Any]:
    """A group of settings, with names as the components spell them."""
    return {str(name): item for name, item in snake_case(mapping(config, key)).items()}


def canary(config: pulumi.Config) -> dict[str, Any] | None:
    """The canary's inputs; None without one. Raises InvalidInput when it has no image or share."""
    found = group(config, "canary")
    problems = [
        Problem(f"canary.{name}", f"is missing; {cure}, or leave canary out")
        for name, cure in (
            ("image", "name KATO's image that a share of the sessions gets"),
            ("share", "give the percent of the sessions, 0 to 100"),
        )
        if found and name not in found
    ]
    if problems:
        raise InvalidInput(problems)
    return found or None


def switched_group(config: pulumi.Config, key: str) -> dict[str, Any] | None:
    """A group with a switch, ``enabled``; None when it is off. Raises InvalidInput when the switch
    is neither true nor false."""
    found = group(config, key)
    enabled = found.pop("enabled", False)
    if not isinstance(enabled, bool):
        problem = Problem(f"{key}.enabled", f"must be true or false (got {enabled!r})")
        raise InvalidInput([problem])
    return found if enabled else None


def environment(config: pulumi.Config) -> dict[str, str]:
    """Variables keep their names; a bare true or 5 is meant as its text."""
    return {
        str(name): str(item).lower() if isinstance(item, bool) else str(item)
        for name, item in mapping(config, "environment").items()
    }


def items(config: pulumi.Config, key: str) -> list[Any]:
    """A setting that is a list."""
    text = get_config(config.full_key(key))
    value = json.loads(text) if text else []
    if not isinstance(value, list):
        raise InvalidInput([Problem(key, f"must be a list (got {value!r})")])
    return value


def mapping(config: pulumi.Config, key: str) -> Mapping[str, Any]:
    """A setting that is a group, with its names as they are."""
    # Not config.get_object: it warns about secrets, which are hidden later, when checked.
    text = get_config(config.full_key(key))
    value = json.loads(text) if text else {}
    if not isinstance(value, Mapping):
        raise InvalidInput([Problem(key, f"must be a group of settings (got {value!r})")])
    return value


def rules(config: pulumi.Config) -> dict[str, Any]:
    """How requests are balanced."""
    return {
        "affinity": config.require("affinity"),
        "balancing": config.require("balancing"),
        **group(config, "balancer"),
    }


def rule_setting(path: str) -> str:
    """The setting that one of the balancer's rules, or of KATO's own numbers, comes from."""
    path = path.removeprefix("rules.")
    if path in ("affinity", "balancing") or path.partition(".")[0] == "process":
        return camel_case(path)
    return "balancer." + camel_case(path)


def chosen(config: pulumi.Config, key: str, known: Iterable[str]) -> str:
    """A setting that is one of these words."""
    value, words = config.require(key), list(known)
    if value not in words:
        rule = f"must be one of {', '.join(words)} (got {value!r})"
        raise InvalidInput([Problem(key, rule)])
    return value


def hide_secrets(
    config: pulumi.Config, stores: Mapping[str, dict[str, Any]], environment: dict[str, Any]
) -> None:
    """Turn into secrets what is one: a store's address and password wherever they come from, and
    variables when the user said so."""
    for store in stores.values():
        hide(store, SECRET_INPUTS)
    if is_config_secret(config.full_key("environment")):
        hide(environment, environment.keys())


def hide(inputs: dict[str, Any], names: Iterable[str]) -> None:
    """Turn these inputs, where they are given, into secrets."""
    for name in list(names):
        if isinstance(inputs.get(name), str):
            inputs[name] = pulumi.Output.secret(inputs[name])


def snake_case(value: Any) -> Any:
    """A group with names as the components spell them."""
    if isinstance(value, Mapping):
        return {
            re.sub(r"(?<!^)(?=[A-Z])", "_", str(name)).lower(): snake_case(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [snake_case(item) for item in value]
    return value


def camel_case(path: str) -> str:
    """An input's path as the settings spell it."""
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), path)
