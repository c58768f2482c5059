"""A balancer's files on a volume: a change is tested, put in place and reloaded, not replaced.

A short-lived container with the balancer's own image gets the files, lets the program test them,
and only then puts them on the volume. The balancer watches the volume and reloads. Refused files
leave the running ones untouched and fail the deployment with the program's message. Nothing but
the Docker API is needed, so it works on a remote host too.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pulumi
import pulumi_docker as docker

from .balancer_programs import CURRENT, FOLDER

RELOAD_LIMIT_SECONDS = 60
"""A running balancer takes new files within a second, on a busy machine within some; after this
time the deployment fails."""

_HEARTBEAT_SECONDS = 15
"""A balancer that has shown no sign of life for this long takes the files when it starts."""


class Reloadable(Protocol):
    """A program that takes other files while it runs, by its shell commands."""

    @property
    def test(self) -> str:
        """Fails when the files in CURRENT can't be used."""

    @property
    def run(self) -> str:
        """Runs the program in the foreground."""

    @property
    def reload(self) -> str:
        """Makes the running program, which is process 1, take the files; done when it has."""


@dataclass(frozen=True)
class LiveConfiguration:
    """The volume, and the step that fills it."""

    volume: pulumi.Output[str]
    ready: docker.Container
    """Done when the files are on the volume; the balancer depends on it."""


# $VERSION is the files' checksum. A balancer that is running touches "alive" every second; one that
# is not takes the files when it starts.
_WRITE = """
if ! {test} > /tmp/test.log 2>&1; then cat /tmp/test.log >&2; exit 1; fi
cat /tmp/test.log
new={folder}-volume/$VERSION
rm -rf "$new" && mkdir -p "$new" && cp {current}/* "$new"/
chown -R {owner} {folder}-volume && chmod 0400 "$new"/*
cd {folder}-volume
old=$(readlink current || true)
ln -sfn "$VERSION" current
for kept in *; do
  case $kept in current|alive|applied|"$VERSION"|"$old") ;; *) rm -rf "$kept" ;; esac
done
alive() {{ [ -e alive ] && [ $(( $(date +%s) - $(stat -c %Y alive) )) -lt {heartbeat} ]; }}
tries=0
while alive && [ "$(cat applied)" != "$VERSION" ]; do
  tries=$((tries + 1))
  if [ $tries -gt {tries} ]; then
    echo "the running balancer did not take the configuration within {limit} s" >&2; exit 1
  fi
  sleep 0.1
done
"""

_WATCH = """
cd {folder}
(while :; do touch alive; sleep 1; done) &
(
  applied=$(readlink current)
  while :; do
    next=$(readlink current)
    if [ "$next" != "$applied" ] && {test} >/tmp/test.log 2>&1; then
      {reload} && applied=$next
    fi
    echo "$applied" > applied.new && mv applied.new applied
    sleep 0.5
  done
) &
exec {run}
"""


def watching(program: Reloadable) -> Sequence[str]:
    """The balancer's command: it runs the program and reloads it when the files change."""
    return [
        "-c",
        _WATCH.format(folder=FOLDER, test=program.test, reload=program.reload, run=program.run),
    ]


def live_configuration(
    name: str,
    *,
    program: Reloadable,
    image: str,
    files: Mapping[str, pulumi.Input[str]],
    owner: str,
    child: pulumi.ResourceOptions,
) -> LiveConfiguration:
    """Declare the volume and the step that fills it. ``files`` are names and contents; ``owner``
    is the user that the balancer runs as."""
    volume = docker.Volume(f"{name}-configuration", opts=child).name
    names = sorted(files)
    contents = pulumi.Output.all(*[files[file] for file in names])
    script = _WRITE.format(
        test=program.test,
        folder=FOLDER,
        current=CURRENT,
        owner=owner,
        heartbeat=_HEARTBEAT_SECONDS,
        limit=RELOAD_LIMIT_SECONDS,
        tries=RELOAD_LIMIT_SECONDS * 10,
    )
    writer = docker.Container(
        f"{name}-configuration",
        image=image,
        entrypoints=["sh"],
        command=["-euc", script],
        envs=[contents.apply(lambda known: f"VERSION={_checksum(names, known)}")],
        uploads=[
            docker.ContainerUploadArgs(file=f"{CURRENT}/{file}", content=files[file])
            for file in names
        ],
        volumes=[docker.ContainerVolumeArgs(container_path=f"{FOLDER}-volume", volume_name=volume)],
        network_mode="none",
        must_run=False,
        attach=True,
        logs=True,
        restart="no",
        opts=pulumi.ResourceOptions.merge(
            child, pulumi.ResourceOptions(delete_before_replace=True)
        ),
    )
    # Nobody needs the result: the error alone ends the deployment.
    pulumi.Output.all(writer.exit_code, writer.container_logs).apply(
        lambda done: _require_accepted(name, int(done[0] or 0), str(done[1] or ""))
    )
    return LiveConfiguration(volume, writer)


def _checksum(names: Sequence[str], contents: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name, content in zip(names, contents, strict=True):
        digest.update(f"{name}\0{len(content)}\0{content}".encode())
    return digest.hexdigest()[:16]


def _require_accepted(name: str, code: int, log: str) -> None:
    if code:
        raise pulumi.RunError(
            f"{name} refused its configuration; the one before is still in use:\n{log.strip()}"
        )
