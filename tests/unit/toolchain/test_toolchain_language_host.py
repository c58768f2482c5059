"""The language host: which interpreter runs what, and that plugins are relayed."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import language_pb2

from dev.toolchain.language_host import LanguageHost, interpreter, program


def _info(root: Path, entry: str = ".", **options: str) -> Any:
    given = struct_pb2.Struct()
    given.update(options)
    return language_pb2.ProgramInfo(
        root_directory=str(root),
        program_directory=str(root),
        entry_point=entry,
        options=given,
    )


def test_the_projects_virtualenv_runs_the_program() -> None:
    found = interpreter(_info(Path("/p"), virtualenv="venv"))

    assert found == "/p/venv/bin/python"


def test_an_absolute_virtualenv_is_taken_as_it_is() -> None:
    assert interpreter(_info(Path("/p"), virtualenv="/v")) == "/v/bin/python"


def test_without_a_virtualenv_it_is_this_interpreter() -> None:
    assert interpreter(_info(Path("/p"))) == sys.executable
    assert interpreter(SimpleNamespace(options=None, root_directory="/p")) == sys.executable


@pytest.mark.parametrize(
    ("entry", "path"), [(".", "/p"), ("", "/p"), ("app/main.py", "/p/app/main.py")]
)
def test_the_program_is_its_folder_or_the_entry_point(entry: str, path: str) -> None:
    assert program(_info(Path("/p"), entry)) == path


class _Context:
    """Stands for the engine's call; keeps what is to be done when the call ends."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def add_callback(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)


def _plugin(
    folder: Path, code: str, *arguments: str, env: tuple[str, ...] = (), kind: str = "resource"
) -> tuple[list[Any], _Context]:
    (folder / "__main__.py").write_text(code)
    context = _Context()
    request = language_pb2.RunPluginRequest(
        pwd=str(folder), args=arguments, env=env, info=_info(folder), kind=kind
    )
    return list(LanguageHost("engine").RunPlugin(request, context)), context


def _joined(answers: list[Any], stream: str) -> bytes:
    return b"".join(
        getattr(answer, stream) for answer in answers if answer.WhichOneof("output") == stream
    )


def test_a_plugins_streams_and_exit_code_are_relayed(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "print('port 1234', flush=True)\n"
        "print('warning', file=sys.stderr)\n"
        "print(sys.argv[1:], os.getcwd(), os.environ['KEY'])\n"
        "sys.stdout.write('no newline')\n"
        "sys.exit(3)\n"
    )
    answers, context = _plugin(tmp_path, code, "a", "b", env=("KEY=x=y",))

    assert _joined(answers, "stdout").decode() == (
        f"port 1234\n['a', 'b'] {tmp_path} x=y\nno newline"
    )
    assert _joined(answers, "stderr") == b"warning\n"
    assert answers[-1].exitcode == 3
    assert len(context.callbacks) == 1


def test_a_plugin_that_says_nothing_ends_with_its_exit_code(tmp_path: Path) -> None:
    answers, _ = _plugin(tmp_path, "")

    assert [answer.WhichOneof("output") for answer in answers] == ["exitcode"]
    assert answers[0].exitcode == 0


def test_much_output_on_both_streams_does_not_block(tmp_path: Path) -> None:
    code = (
        "import sys\nfor i in range(3000):\n    print('o' * 99); print('e' * 99, file=sys.stderr)\n"
    )
    answers, _ = _plugin(tmp_path, code)

    assert len(_joined(answers, "stdout")) == len(_joined(answers, "stderr")) == 300_000


def test_the_call_ends_the_plugin(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import signal\nsignal.alarm(20)\nprint('up', flush=True)\nsignal.pause()\n"
    )
    context = _Context()
    request = language_pb2.RunPluginRequest(pwd=str(tmp_path), info=_info(tmp_path))
    answers = LanguageHost("engine").RunPlugin(request, context)

    assert next(answers).stdout == b"up\n"
    for callback in context.callbacks:
        callback()
    assert [answer.exitcode for answer in answers] == [-signal.SIGTERM]


def test_the_packages_of_the_environment_are_listed() -> None:
    request = language_pb2.GetRequiredPackagesRequest(info=_info(Path("/p")))

    answer = LanguageHost("engine").GetRequiredPackages(request, None)

    found = {package.name: (package.kind, package.version) for package in answer.packages}
    assert found["docker"] == ("resource", "v5.2.0")


def test_a_missing_launcher_is_an_error_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    answer = LanguageHost("engine").Run(language_pb2.RunRequest(info=_info(Path("/p"))), None)

    assert answer.error == "pulumi-language-python-exec is not on PATH"


@pytest.mark.parametrize(
    ("code", "error", "bail"),
    [(0, "", False), (32, "", True), (1, "Program exited with code 1", False)],
)
def test_a_programs_end_is_reported(
    code: int, error: str, bail: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = tmp_path / "pulumi-language-python-exec"
    launcher.write_text(
        "import json, os, sys\n"
        "assert json.loads(os.environ['PULUMI_CONFIG']) == {'kato:port': '80'}\n"
        "assert json.loads(os.environ['PULUMI_CONFIG_SECRET_KEYS']) == ['kato:redis']\n"
        "assert sys.argv[sys.argv.index('--dry_run') + 1] == 'true'\n"
        f"assert sys.argv[-1] == {str(tmp_path)!r}\n"
        f"sys.exit({code})\n"
    )
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    request = language_pb2.RunRequest(
        info=_info(tmp_path),
        config={"kato:port": "80"},
        configSecretKeys=["kato:redis"],
        dryRun=True,
    )

    answer = LanguageHost("engine").Run(request, None)

    assert (answer.error, answer.bail) == (error, bail)
