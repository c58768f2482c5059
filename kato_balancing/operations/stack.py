"""A deployed Pulumi stack, driven through the ``pulumi`` command as its operator would."""

import json
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

UP_LIMIT: Final = 1800.0
"""Seconds that an update may take, unless the caller says otherwise."""

_ASK_LIMIT: Final = 60.0
_END_LIMIT: Final = 60.0
"""Seconds that the engine gets to end the step that it is at, once it was interrupted."""

_LINES_SHOWN: Final = 15
_FLAGS: Final = ("--non-interactive", "--color", "never")

Leaf: TypeAlias = str | int | bool
Setting: TypeAlias = Leaf | list[Leaf] | Mapping[str, Leaf]
"""A setting's value: text, number or switch, or a flat list or group of these."""

Tell: TypeAlias = Callable[[str], None]
"""Called as the work goes on, with what happens now."""


class StackError(RuntimeError):
    """The stack can't be asked, or an update of it failed; says what to do."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the stack's state."""

    urn: str
    type: str
    """Such as ``docker:index/container:Container``."""
    name: str
    """Logical name: what the program called it."""
    id: str
    """The provider's id; empty for a component."""
    outputs: Mapping[str, Any]
    """Secrets among them are still encrypted."""


class Stack:
    """One stack of a project. Make it with :meth:`select`.

    Settings changed here stay changed: who wants the old ones back sets them.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name

    @classmethod
    def select(cls, folder: Path, name: str | None = None) -> "Stack":
        """The stack ``name`` of the project in ``folder``; None is the one that is selected there.

        Raises StackError when there is no such project or stack.
        """
        if not folder.is_dir():
            raise StackError(f"there is no folder {folder}; give the project's with --cwd")
        chosen = () if name is None else ("--stack", name)
        found = _asked(folder, "stack", "--show-name", *chosen)
        return cls(folder, found.strip())

    def setting(self, name: str) -> Any:
        """A setting as data, the project's default where the stack has none; None without either.

        Numbers and switches at the top come as text, as Pulumi keeps them. Raises StackError when
        the setting is a secret: nothing here needs one in clear.
        """
        settings: dict[str, dict[str, Any]] = json.loads(self._ask("config", "--json"))
        for key, found in settings.items():
            if key.partition(":")[2] == name:
                if found["secret"]:
                    raise StackError(f"the setting {name} is a secret, which is not read")
                return found.get("objectValue", found["value"])
        return None

    def configure(self, settings: Mapping[str, Setting | None]) -> None:
        """Change settings, each as a whole; None and an empty list or group take one out.

        A name may be the path of a part, such as ``canary.share``. Raises StackError.
        """
        for path, value in settings.items():
            # A leaf is written over in one step: what is stopped here loses nothing.
            if not isinstance(value, Leaf):
                self._ask("config", "rm", "--path", path)
        leaves = [
            word
            for path, value in settings.items()
            for leaf, text in _leaves(path, value)
            for word in ("--plaintext", f"{leaf}={text}")
        ]
        if leaves:
            self._ask("config", "set-all", "--path", *leaves)

    def up(self, *more: str, tell: Tell, limit: float = UP_LIMIT) -> None:
        """Deploy, with ``more`` arguments of ``pulumi up``; each line of the engine goes to
        ``tell``.

        Raises StackError with the engine's last lines when it fails, or when it is not done after
        ``limit`` seconds: it is then interrupted, and ends the step that it is at.
        """
        argv = ["pulumi", "up", "--yes", "--skip-preview", "--suppress-outputs"]
        argv += ["--suppress-progress", "--stack", self.name, *more, *_FLAGS]
        last: deque[str] = deque(maxlen=_LINES_SHOWN)
        with _started(argv, self.folder) as engine:
            late = threading.Event()
            timers = [
                threading.Timer(limit, late.set),
                threading.Timer(limit, engine.send_signal, [signal.SIGINT]),
                threading.Timer(limit + _END_LIMIT, _kill, [engine]),
            ]
            for timer in timers:
                timer.start()
            try:
                for line in engine.stdout or ():
                    if line.strip():
                        last.append(line.rstrip())
                        tell(line.strip())
                code = engine.wait()
            finally:
                for timer in timers:
                    timer.cancel()
                _end(engine)
        if late.is_set():
            problem = f"'pulumi up' of {self.name} was not done after {limit:g} s and was stopped"
        elif code:
            problem = f"'pulumi up' of {self.name} ended with {code}"
        else:
            return
        raise StackError("\n".join([f"{problem}; its last lines:", *last]))

    def canary_lag(self) -> str | None:
        """Which of the canary's replicas don't run what was deployed: None, because the update
        waited for all."""
        return None

    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs; a secret one is hidden. Raises StackError."""
        found: dict[str, Any] = json.loads(self._ask("stack", "output", "--json"))
        return found

    def resources(self) -> list[Resource]:
        """What the state holds, in the order of its creation. Raises StackError."""
        state = json.loads(self._ask("stack", "export"))
        return [
            Resource(
                urn=item["urn"],
                type=item["type"],
                name=item["urn"].rpartition("::")[2],
                id=item.get("id", ""),
                outputs=item.get("outputs", {}),
            )
            for item in state["deployment"].get("resources", ())
            # An old one that is still to be deleted is not the stack's any more.
            if not item.get("delete", False)
        ]

    def _ask(self, *words: str) -> str:
        return _asked(self.folder, *words, "--stack", self.name)


def _leaves(path: str, value: Setting | None) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, leaf in value.items():
            yield f"{path}.{name}", _text(leaf)
    elif isinstance(value, list):
        for index, leaf in enumerate(value):
            yield f"{path}[{index}]", _text(leaf)
    elif value is not None:
        yield path, _text(value)


def _text(leaf: Leaf) -> str:
    return str(leaf).lower() if isinstance(leaf, bool) else str(leaf)


def _started(argv: list[str], folder: Path) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C reaches the engine once, through here: a second one would end it at once.
            start_new_session=True,
        )
    except FileNotFoundError:
        raise StackError(_NO_PULUMI) from None


def _end(engine: subprocess.Popen[str]) -> None:
    """Have an engine that still runs end the step that it is at and save its state."""
    if engine.poll() is None:
        engine.send_signal(signal.SIGINT)
        try:
            engine.wait(_END_LIMIT)
        except subprocess.TimeoutExpired:
            _kill(engine)


def _kill(engine: subprocess.Popen[str]) -> None:
    if engine.poll() is None:
        os.killpg(engine.pid, signal.SIGKILL)


def _asked(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", *words, *_FLAGS],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_LIMIT,
            check=False,
        )
    except FileNotFoundError:
        raise StackError(_NO_PULUMI) from None
    except subprocess.TimeoutExpired:
        raise StackError(
            f"'pulumi {words[0]}' did not answer within {_ASK_LIMIT:g} s; check its backend "
            "('pulumi whoami -v')"
        ) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-_LINES_SHOWN:]
        raise StackError(
            "\n".join([f"'pulumi {' '.join(words[:2])}' ended with {done.returncode}:", *said])
        )
    return done.stdout


_NO_PULUMI: Final = "pulumi is not on PATH; install it, or '. .state/env' in this project first"
