"""The language host on PATH, ours or Pulumi's own: what it starts, and that streams are relayed."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

LIMIT_SECONDS = 30
LAUNCHER = "pulumi-language-python-exec"


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    """Stands for the engine: the host watches that its address answers."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(grace=None)


@pytest.fixture
def host(engine: str, tmp_path: Path) -> Iterator[language_pb2_grpc.LanguageRuntimeStub]:
    """A running host that finds its launcher in the test's folder."""
    program = shutil.which("pulumi-language-python")
    assert program, "no pulumi-language-python on PATH: run 'make test', or '. .state/env' first"
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [program, engine], stdout=subprocess.PIPE, env={**os.environ, "PATH": path}
    )
    assert process.stdout
    channel = grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")
    yield language_pb2_grpc.LanguageRuntimeStub(channel)
    channel.close()
    process.terminate()
    process.wait(timeout=LIMIT_SECONDS)
    process.stdout.close()


def _info(root: Path, entry: str = ".") -> Any:
    options = struct_pb2.Struct()
    (root / "venv" / "bin").mkdir(parents=True, exist_ok=True)
    # The virtualenv is found by its path; this one is another name for the tests' own.
    python = root / "venv" / "bin" / "python"
    if not python.exists():
        python.write_text(f'#!/bin/sh\nKATO_TEST_VENV=yes exec "{shutil.which("python3")}" "$@"\n')
        python.chmod(0o755)
    options.update({"virtualenv": "venv"})
    return language_pb2.ProgramInfo(
        root_directory=str(root), program_directory=str(root), entry_point=entry, options=options
    )


def _plugin(
    host: language_pb2_grpc.LanguageRuntimeStub,
    folder: Path,
    code: str,
    *arguments: str,
    env: tuple[str, ...] = (),
) -> list[Any]:
    (folder / "__main__.py").write_text(code)
    request = language_pb2.RunPluginRequest(
        pwd=str(folder), args=arguments, env=env, info=_info(folder), kind="resource"
    )
    return list(host.RunPlugin(request, timeout=LIMIT_SECONDS))


def _joined(answers: list[Any], stream: str) -> bytes:
    return b"".join(
        getattr(answer, stream) for answer in answers if answer.WhichOneof("output") == stream
    )


def test_a_plugins_streams_and_exit_code_are_relayed(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    code = (
        "import os, sys\n"
        "print('port 1234', flush=True)\n"
        "print('warning', file=sys.stderr)\n"
        "print(sys.argv[1:], os.getcwd(), os.environ['KEY'], os.environ['KATO_TEST_VENV'])\n"
        "sys.stdout.write('no newline')\n"
        "sys.exit(3)\n"
    )
    path = f"PATH={os.environ['PATH']}"
    answers = _plugin(host, tmp_path, code, "a", "b", env=("KEY=x=y", path))

    assert _joined(answers, "stdout").decode() == (
        f"port 1234\n['a', 'b'] {tmp_path} x=y yes\nno newline"
    )
    assert _joined(answers, "stderr") == b"warning\n"
    assert answers[-1].exitcode == 3


def test_a_plugin_that_says_nothing_ends_with_its_exit_code(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    answers = _plugin(host, tmp_path, "")

    assert [answer.WhichOneof("output") for answer in answers] == ["exitcode"]
    assert answers[0].exitcode == 0


def test_much_output_on_both_streams_does_not_block(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    code = (
        "import sys\nfor i in range(3000):\n    print('o' * 99); print('e' * 99, file=sys.stderr)\n"
    )
    answers = _plugin(host, tmp_path, code)

    assert len(_joined(answers, "stdout")) == len(_joined(answers, "stderr")) == 300_000


def test_the_end_of_the_call_ends_the_plugin(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    ended = tmp_path / "ended"
    os.mkfifo(ended)
    (tmp_path / "__main__.py").write_text(
        "import pathlib, signal\n"
        f"signal.alarm({LIMIT_SECONDS})\n"
        "def end(number, frame):\n"
        f"    pathlib.Path({str(ended)!r}).write_text(str(number)); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('up', flush=True)\n"
        "signal.pause()\n"
    )
    request = language_pb2.RunPluginRequest(pwd=str(tmp_path), info=_info(tmp_path))
    answers = host.RunPlugin(request, timeout=LIMIT_SECONDS)

    assert next(answers).stdout.startswith(b"up")
    answers.cancel()
    # Opening it waits for the plugin's word; its alarm ends it, and this, at the latest.
    assert ended.read_text() == str(int(signal.SIGTERM))


def test_the_packages_of_the_environment_are_listed(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    request = language_pb2.GetRequiredPackagesRequest(info=_info(tmp_path))

    answer = host.GetRequiredPackages(request, timeout=LIMIT_SECONDS)

    found = {package.name: (package.kind, package.version) for package in answer.packages}
    assert found["docker"] == ("resource", "v5.2.0")


def test_a_program_without_settings_gets_empty_ones(
    host: language_pb2_grpc.LanguageRuntimeStub, tmp_path: Path
) -> None:
    launcher = tmp_path / LAUNCHER
    launcher.write_text(
        "#!/usr/bin/env python3\n"
        "import json, os\n"
        "assert json.loads(os.environ['PULUMI_CONFIG']) == {}\n"
        "assert json.loads(os.environ['PULUMI_CONFIG_SECRET_KEYS']) == []\n"
    )
    launcher.chmod(0o755)

    answer = host.Run(language_pb2.RunRequest(info=_info(tmp_path)), timeout=LIMIT_SECONDS)

    assert answer.error == ""


@pytest.mark.parametrize(
    ("code", "error", "bail"), [(0, "", False), (32, "", True), (1, "exited with code 1", False)]
)
def test_a_programs_end_is_reported(
    code: int,
    error: str,
    bail: bool,
    host: language_pb2_grpc.LanguageRuntimeStub,
    tmp_path: Path,
) -> None:
    launcher = tmp_path / LAUNCHER
    launcher.write_text(
        "#!/usr/bin/env python3\n"
        "import json, os, sys\n"
        "assert json.loads(os.environ['PULUMI_CONFIG']) == {'kato:port': '80'}\n"
        "assert json.loads(os.environ['PULUMI_CONFIG_SECRET_KEYS']) == ['kato:redis']\n"
        "assert os.environ['KATO_TEST_VENV'] == 'yes'\n"
        "assert sys.argv[sys.argv.index('--dry_run') + 1] == 'true'\n"
        f"assert sys.argv[-1] == {str(tmp_path / 'app.py')!r}\n"
        f"sys.exit({code})\n"
    )
    launcher.chmod(0o755)
    request = language_pb2.RunRequest(
        info=_info(tmp_path, "app.py"),
        config={"kato:port": "80"},
        configSecretKeys=["kato:redis"],
        dryRun=True,
    )

    answer = host.Run(request, timeout=LIMIT_SECONDS)

    assert answer.bail == bail
    assert error in answer.error
    assert bool(answer.error) == bool(error)
