"""Runs a Pulumi program without an engine and keeps what it registered as plain data."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import mocks, rpc, set_all_config, set_mocks
from pulumi.runtime.settings import SETTINGS, set_root_resource
from pulumi.runtime.stack import run_in_stack
from pulumi.runtime.sync_await import _sync_await

PROJECT, STACK = "kato", "test"
CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"


def _is_secret(value: Any) -> bool:
    return isinstance(value, Mapping) and rpc._special_sig_key in value


def unwrapped(value: Any) -> Any:
    """The value without the marks of secrets."""
    if _is_secret(value):
        return unwrapped(value["value"])
    if isinstance(value, Mapping):
        return {key: unwrapped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [unwrapped(item) for item in value]
    return value


def _secret_paths(value: Any, path: str = "") -> Iterator[str]:
    if _is_secret(value):
        yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secret_paths(item, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _secret_paths(item, f"{path}[{index}]")


@dataclass(frozen=True)
class Resource:
    """A registration as the engine would have received it."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    secrets: frozenset[str]
    """Paths of the inputs that are secret."""
    parent: str
    depends_on: tuple[str, ...]
    provider: str
    request: Any

    @property
    def environment(self) -> dict[str, str]:
        """A container's variables."""
        return dict(entry.split("=", 1) for entry in self.inputs["envs"])

    @property
    def files(self) -> dict[str, str]:
        """Path → content of what is written into a container."""
        return {upload["file"]: upload["content"] for upload in self.inputs["uploads"]}


@dataclass
class Recording:
    """Everything that a program registered, logged and exported."""

    preview: bool
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Resource name → more of what the engine answers about it."""
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    secret_outputs: dict[str, frozenset[str]] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)

    def of(self, type_: str) -> list[Resource]:
        """The resources of a type; fails when there is none, so that no loop over them is empty."""
        found = [resource for resource in self.resources if resource.type == type_]
        assert found, f"no {type_} was registered"
        return found

    def one(self, name: str, type_: str = CONTAINER) -> Resource:
        """The only resource of a type and name."""
        [found] = [resource for resource in self.of(type_) if resource.name == name]
        return found

    def manifests(self) -> list[dict[str, Any]]:
        """The Kubernetes objects, as the API server gets them; fails when there is none."""
        found = [
            {key: value for key, value in resource.inputs.items() if value is not None}
            for resource in self.resources
            if resource.type.startswith("kubernetes:")
        ]
        assert found, "no Kubernetes object was registered"
        return found

    def uploaded(self, file: str) -> str:
        """The content of the only file of this name that is written into a container."""
        [content] = [
            upload["content"]
            for container in self.of(CONTAINER)
            for upload in container.inputs.get("uploads", [])
            if upload["file"].rsplit("/", 1)[-1] == file
        ]
        return str(content)

    def names(self, type_: str) -> list[str]:
        """Names of the resources of a type; may be empty."""
        return [resource.name for resource in self.resources if resource.type == type_]

    def outputs_of(self, name: str) -> dict[str, Any]:
        """What the component of this name gives out."""
        [urn] = [urn for urn in self.outputs if urn.endswith(f"::{name}")]
        return self.outputs[urn]

    def is_secret_output(self, name: str, output: str) -> bool:
        """True when that output of the component is secret, or a part of it."""
        [urn] = [urn for urn in self.outputs if urn.endswith(f"::{name}")]
        return any(path.split(".")[0] == output for path in self.secret_outputs[urn])

    @property
    def exports(self) -> dict[str, Any]:
        """What the program exports."""
        return self.outputs_of(f"{PROJECT}-{STACK}")


class _Answers(mocks.Mocks):
    """Gives every resource a generated name, which is unknown in a preview, as Docker does."""

    def __init__(self, recording: Recording) -> None:
        self._preview, self._answers = recording.preview, recording.answers

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        generated = rpc.UNKNOWN if self._preview else f"{args.name}-0123456"
        state = {"name": generated, **args.inputs, **self._answers.get(args.name, {})}
        if args.typ.startswith("kubernetes:"):
            # The provider names an object where the program did not, also in a preview.
            given = args.inputs.get("metadata", {})
            state["metadata"] = {"name": f"{args.name}-0123456", **given}
        return ("" if self._preview else f"{args.name}-id"), state

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"{args.token} was called; nothing here needs it")


class _Monitor(mocks.MockMonitor):
    def __init__(self, recording: Recording) -> None:
        super().__init__(_Answers(recording))
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object, keep_unknowns=True)
            urn = self.make_urn(request.parent, request.type, request.name)
            self._recording.resources.append(
                Resource(
                    urn,
                    request.type,
                    request.name,
                    unwrapped(inputs),
                    frozenset(_secret_paths(inputs)),
                    request.parent,
                    tuple(request.dependencies),
                    request.provider,
                    request,
                )
            )
        return super().RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        outputs = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        self._recording.outputs[request.urn] = unwrapped(outputs)
        self._recording.secret_outputs[request.urn] = frozenset(_secret_paths(outputs))
        return empty_pb2.Empty()


class _Log(logging.Handler):
    def __init__(self, recording: Recording) -> None:
        super().__init__()
        self._recording = recording

    def emit(self, record: logging.LogRecord) -> None:
        self._recording.logs.append(f"{record.levelname}: {record.getMessage()}")


def run(
    program: Callable[[], Any],
    *,
    preview: bool = False,
    config: Mapping[str, str] | None = None,
    secret_keys: Iterable[str] = (),
) -> Recording:
    """Run the program to its end; fails when it registered nothing."""
    recording = Recording(preview)
    attempt(program, recording, config=config, secret_keys=secret_keys)
    assert recording.resources, "the program registered nothing"
    return recording


def attempt(
    program: Callable[[], Any],
    recording: Recording,
    *,
    config: Mapping[str, str] | None = None,
    secret_keys: Iterable[str] = (),
) -> None:
    """Run the program into a recording, which keeps what was registered before an error."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        _attempt(program, recording, config or {}, secret_keys)
    finally:
        # What a failed program left behind must not run inside the next one.
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        SETTINGS.outputs.clear()
        asyncio.set_event_loop(None)


def _attempt(
    program: Callable[[], Any],
    recording: Recording,
    config: Mapping[str, str],
    secret_keys: Iterable[str],
) -> None:
    logger = logging.Logger("recording", logging.INFO)
    logger.addHandler(_Log(recording))
    set_mocks(
        _Answers(recording),
        project=PROJECT,
        stack=STACK,
        preview=recording.preview,
        logger=logger,
        monitor=_Monitor(recording),
    )
    set_all_config(dict(config), list(secret_keys))
    set_root_resource(None)  # type: ignore[arg-type]  # the run makes its own

    def without_result() -> None:
        program()

    _sync_await(run_in_stack(without_result))


def unknown() -> pulumi.Output[Any]:
    """An output whose value is not known yet."""

    async def value(what: Any) -> Any:
        return what

    loop = asyncio.get_event_loop()
    return pulumi.Output(
        set(),
        asyncio.ensure_future(value(None), loop=loop),
        asyncio.ensure_future(value(False), loop=loop),
    )
