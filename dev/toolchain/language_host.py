"""Pulumi's Python language host, for machines where only Go modules and PyPI are reachable.

The engine starts it with its own address as the last argument, reads the port from standard
output and then talks ``pulumirpc.LanguageRuntime``. Only what running programs, policy packs
and component plugins needs is answered; code generation is left out.
"""

import importlib.metadata
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    language_pb2,
    language_pb2_grpc,
    plugin_pb2,
)

BAIL_EXIT_CODE = 32
"""The SDK's exit code for "the error was already shown"."""

_PACKAGES_SCRIPT = """
import importlib.metadata as m, json
found = []
for d in m.distributions():
    for f in d.files or ():
        if f.name == "pulumi-plugin.json":
            plugin = json.loads(f.locate().read_text())
            if plugin.get("resource"):
                version = plugin.get("version") or d.version
                server = plugin.get("server", "")
                found.append({"name": plugin.get("name"), "version": version, "server": server})
print(json.dumps(found))
"""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Answers the engine's calls; one instance a host process."""

    def __init__(self, engine: str) -> None:
        self._engine = engine

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        python = interpreter(request.info)
        return language_pb2.AboutResponse(executable=python, version=sys.version.split()[0])

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return language_pb2.GetProgramDependenciesResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802, ARG002
        message = b"Dependencies are installed by 'make setup'.\n"
        yield language_pb2.InstallDependenciesResponse(stdout=message)

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        listing = subprocess.run(
            [interpreter(request.info), "-c", _PACKAGES_SCRIPT],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        packages = [
            plugin_pb2.PackageDependency(
                name=package["name"],
                kind="resource",
                version="v" + package["version"].removeprefix("v"),
                server=package["server"],
            )
            for package in json.loads(listing.stdout)
        ]
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        script = shutil.which("pulumi-language-python-exec")
        if script is None:
            return language_pb2.RunResponse(error="pulumi-language-python-exec is not on PATH")
        argv = [
            interpreter(request.info), "-u", script,
            "--monitor", request.monitor_address,
            "--engine", self._engine,
            "--project", request.project,
            "--root_directory", request.info.root_directory,
            "--stack", request.stack,
            "--pwd", request.pwd,
            "--dry_run", "true" if request.dryRun else "false",
            "--parallel", str(request.parallel),
            "--organization", request.organization,
            program(request.info),
            *request.args,
        ]  # fmt: skip
        env = {
            **os.environ,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        # The program writes to this process' own streams, which the engine relays.
        code = subprocess.run(argv, env=env, check=False).returncode
        if code == BAIL_EXIT_CODE:
            return language_pb2.RunResponse(bail=True)
        error = f"Program exited with code {code}" if code else ""
        return language_pb2.RunResponse(error=error)

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        python = interpreter(request.info)
        directory = request.info.program_directory
        if request.kind == "analyzer":
            argv, cwd = [python, "-u", "-m", "pulumi.policy", *request.args, directory], directory
        else:
            argv, cwd = [python, "-u", directory, *request.args], request.pwd
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(entry.split("=", 1) for entry in request.env) or None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        yield from _relay(process)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        return empty_pb2.Empty()


def program(info: Any) -> str:
    """The program's path: its folder, or the entry point when the project names one."""
    directory = Path(info.program_directory)
    return str(directory if info.entry_point in ("", ".") else directory / info.entry_point)


def interpreter(info: Any) -> str:
    """The interpreter of the virtualenv that the project names, else this process' own."""
    options = dict(info.options) if info.options else {}
    name = options.get("virtualenv")
    if not name:
        return sys.executable
    return str(Path(info.root_directory) / str(name) / "bin" / "python")


def _relay(process: "subprocess.Popen[bytes]") -> Iterator[Any]:
    """Pass both streams on as they come, in one order."""
    chunks: queue.Queue[tuple[str, bytes] | None] = queue.Queue()

    def read(kind: str, stream: Any) -> None:
        for line in iter(stream.readline, b""):
            chunks.put((kind, line))
        chunks.put(None)

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for kind, stream in streams.items():
        threading.Thread(target=read, args=(kind, stream), daemon=True).start()
    open_streams = len(streams)
    while open_streams:
        chunk = chunks.get()
        if chunk is None:
            open_streams -= 1
        else:
            kind, data = chunk
            yield (
                language_pb2.RunPluginResponse(stdout=data)
                if kind == "stdout"
                else language_pb2.RunPluginResponse(stderr=data)
            )


def main() -> None:
    """Serve until the engine stops this process."""
    limit = [("grpc.max_receive_message_length", 400 << 20), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=limit)
    engine = next((a for a in reversed(sys.argv[1:]) if not a.startswith("-")), "")
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    print(port, flush=True)
    stop.wait()
    server.stop(grace=None)


if __name__ == "__main__":
    main()
