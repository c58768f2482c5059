"""A stack's settings (``Pulumi.yaml`` declares them) as the components' arguments."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pulumi
import yaml
from pulumi.runtime.config import CONFIG, get_config, is_config_secret

from components import (
    BalancerArgs,
    HaproxyBalancer,
    KatoBackend,
    KatoBackendArgs,
    KatoDataStores,
    KatoDataStoresArgs,
    NginxBalancer,
    data_stores,
    haproxy_balancer,
    kato_backend,
    nginx_balancer,
)
from kato_balancing.problems import InvalidInput, Problem

BACKEND = "kato"
"""Name of the backend: its replicas are kato-0, kato-1 … on the stack's network."""

_PROJECT = Path(__file__).with_name("Pulumi.yaml")

_SECRET_INPUTS = ("url", "password", "api_key")
"""Inputs of a store that are secrets wherever they come from."""

_SETTING_OF_BACKEND_INPUT = {
    "image": "katoImage",
    "max_replicas": "maxReplicas",
    "stop_seconds": "stopSeconds",
}
_SETTING_OF_BALANCER_INPUT = {
    "affinity": "affinity",
    "balancing": "balancing",
    "process": "process",
    "publish.address": "address",
    "publish.port": "port",
}

_Check = Callable[[BalancerArgs], object]

_PROXIES: dict[str, tuple[type[NginxBalancer | HaproxyBalancer], _Check, str]] = {
    "nginx": (NginxBalancer, nginx_balancer.check, "nginxImage"),
    "haproxy": (HaproxyBalancer, haproxy_balancer.check, "haproxyImage"),
}
"""The setting ``proxy`` → the component, its check and the setting that names its image."""


@dataclass(frozen=True)
class StackSettings:
    """One stack's arguments, checked as a whole before the first resource is made."""

    stores: KatoDataStoresArgs
    backend: KatoBackendArgs
    balancer: BalancerArgs
    proxy: str

    @classmethod
    def of(cls, config: pulumi.Config) -> "StackSettings":
        """Read and check the stack's settings.

        Raises InvalidInput, which names each setting, the rule and the cure.
        """
        _refuse_unknown(config)
        proxy = config.require("proxy")
        if proxy not in _PROXIES:
            rule = f"must be one of {', '.join(_PROXIES)} (got {proxy!r})"
            raise InvalidInput([Problem("proxy", rule)])
        process = _group(config, "process")
        stores = _stores(config)
        backend: dict[str, Any] = {
            "image": config.require("katoImage"),
            "stores": {"environment": {}},
            "replicas": config.require_int("replicas"),
            "max_replicas": config.require_int("maxReplicas"),
            "process": process,
            "stop_seconds": config.require_int("stopSeconds"),
            "draining": _list(config, "draining"),
            "environment": _environment(config),
        }
        balancer: dict[str, Any] = {
            "servers": kato_backend.server_list(BACKEND, 1),
            "network": "",
            "image": config.require(_PROXIES[proxy][2]),
            "publish": {"port": config.require_int("port"), "address": config.require("address")},
            "process": process,
            "rules": {
                "affinity": config.require("affinity"),
                "balancing": config.require("balancing"),
                **_group(config, "balancer"),
            },
        }
        arguments = cls(
            cast(KatoDataStoresArgs, stores),
            cast(KatoBackendArgs, backend),
            cast(BalancerArgs, balancer),
            proxy,
        )
        # In clear they can be checked as a whole; from here on they are secrets.
        arguments._check(partial(_store_setting, "image" in _group(config, "redis")))
        for store in stores.values():
            _hide(store, _SECRET_INPUTS)
        if is_config_secret(config.full_key("environment")):
            _hide(backend["environment"], backend["environment"].keys())
        return arguments

    def build(self) -> tuple[KatoBackend, NginxBalancer | HaproxyBalancer]:
        """Declare the stack's resources."""
        stores = KatoDataStores("stores", self.stores)
        connection: Any = {"environment": stores.environment, "network": stores.network}
        backend = KatoBackend(BACKEND, {**self.backend, "stores": connection})
        balancer = _PROXIES[self.proxy][0](
            "balancer",
            {**self.balancer, "servers": cast(Any, backend.servers), "network": stores.network},
        )
        return backend, balancer

    def _check(self, store_setting: Callable[[str], str]) -> None:
        _, check, image = _PROXIES[self.proxy]
        problems = [
            *_problems(lambda: data_stores.check(self.stores), store_setting),
            *_problems(lambda: kato_backend.check(self.backend, BACKEND), _backend_setting),
            *_problems(lambda: check(self.balancer), partial(_balancer_setting, image)),
        ]
        if problems:
            # The backend and the balancer may both object to KATO's own numbers.
            raise InvalidInput(dict.fromkeys(problems))


def _problems(check: Callable[[], object], setting: Callable[[str], str]) -> list[Problem]:
    """What a component refuses, by the setting that it comes from."""
    try:
        check()
    except pulumi.InputPropertiesError as error:
        return [
            Problem(setting(detail["property_path"]), detail["reason"])
            for detail in error.errors or []
        ]
    return []


def _store_setting(image_in_group: bool, path: str) -> str:
    if path == "redis.image" and not image_in_group:
        return "redisImage"
    return "clickhouse.schemaFile" if path == "clickhouse.schema" else _camel_case(path)


def _backend_setting(path: str) -> str:
    if path.startswith("environment."):
        return path
    return _SETTING_OF_BACKEND_INPUT.get(path) or _camel_case(path)


def _balancer_setting(image: str, path: str) -> str:
    if path in ("image", "version"):
        return image
    path = path.removeprefix("rules.")
    known = _SETTING_OF_BALANCER_INPUT.get(path)
    if known or path.startswith("process."):
        return known or _camel_case(path)
    return "balancer." + _camel_case(path)


def _refuse_unknown(config: pulumi.Config) -> None:
    known = yaml.safe_load(_PROJECT.read_text())["config"].keys()
    prefix = f"{config.name}:"
    given = {key.removeprefix(prefix) for key in CONFIG.get() if key.startswith(prefix)}
    problems = []
    for name in sorted(given - known):
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "'pulumi config' lists them"
        problems.append(Problem(name, f"is not a setting of this program; {hint}"))
    if problems:
        raise InvalidInput(problems)


def _stores(config: pulumi.Config) -> dict[str, Any]:
    redis = _group(config, "redis")
    if "url" not in redis:
        redis.setdefault("image", config.require("redisImage"))
    stores: dict[str, Any] = {"redis": redis}
    clickhouse = _group(config, "clickhouse")
    if clickhouse:
        file = clickhouse.pop("schema_file", None)
        if file is not None:
            clickhouse["schema"] = _text_of(file)
        stores["clickhouse"] = clickhouse
    qdrant = _group(config, "qdrant")
    if qdrant and qdrant.pop("managed", True):
        stores["qdrant"] = qdrant
    return stores


def _text_of(file: object) -> str:
    try:
        return Path(str(file)).read_text()
    except OSError as error:
        problem = Problem("clickhouse.schemaFile", f"can't be read ({error}); name a file")
        raise InvalidInput([problem]) from None


def _group(config: pulumi.Config, key: str) -> dict[str, Any]:
    """A group of settings, with names as the components spell them."""
    return {str(name): item for name, item in _snake_case(_mapping(config, key)).items()}


def _environment(config: pulumi.Config) -> dict[str, str]:
    """Variables keep their names; a bare true or 5 is meant as its text."""
    return {
        str(name): str(item).lower() if isinstance(item, bool) else str(item)
        for name, item in _mapping(config, "environment").items()
    }


def _list(config: pulumi.Config, key: str) -> list[Any]:
    text = get_config(config.full_key(key))
    value = json.loads(text) if text else []
    if not isinstance(value, list):
        raise InvalidInput([Problem(key, f"must be a list (got {value!r})")])
    return value


def _mapping(config: pulumi.Config, key: str) -> Mapping[str, Any]:
    # Not config.get_object: it warns about secrets, which are hidden later, when checked.
    text = get_config(config.full_key(key))
    value = json.loads(text) if text else {}
    if not isinstance(value, Mapping):
        raise InvalidInput([Problem(key, f"must be a group of settings (got {value!r})")])
    return value


def _hide(inputs: dict[str, Any], names: Iterable[str]) -> None:
    """Turn these inputs into secrets."""
    for name in list(names):
        if isinstance(inputs.get(name), str):
            inputs[name] = pulumi.Output.secret(inputs[name])


def _snake_case(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            re.sub(r"(?<!^)(?=[A-Z])", "_", str(name)).lower(): _snake_case(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_snake_case(item) for item in value]
    return value


def _camel_case(path: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), path)
