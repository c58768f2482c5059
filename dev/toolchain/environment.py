"""``.state/env``: the variables with which ``pulumi`` and ``kato-lb`` run in a shell."""

import os
import shlex

from dev.toolchain import places, pulumi_cli

FILE = places.STATE / "env"


def write() -> None:
    """Write the file; values that the user's shell already sets win over these."""
    backend = places.STATE / "pulumi"
    backend.mkdir(parents=True, exist_ok=True)
    tools = pulumi_cli.environment()
    kubeconfig = shlex.quote(str(places.STATE / "kubeconfig"))
    lines = [
        "# Written by the set-up; use it with:  . .state/env",
        f'export PATH={shlex.quote(str(places.VENV / "bin"))}:"$PATH"',
    ]
    if tools:
        lines += [
            f'export PATH={shlex.quote(str(places.BIN))}:"$PATH"',
            f"export PULUMI_HOME={shlex.quote(tools['PULUMI_HOME'])}",
        ]
    lines += [
        "export PULUMI_SKIP_UPDATE_CHECK=true",
        f': "${{PULUMI_BACKEND_URL:={backend.as_uri()}}}" && export PULUMI_BACKEND_URL',
        # The dev stack holds no secret; set a passphrase of your own before you give it one.
        ': "${PULUMI_CONFIG_PASSPHRASE=}" && export PULUMI_CONFIG_PASSPHRASE',
        # The cluster that 'make cluster' started or was given; a KUBECONFIG of yours wins.
        f'[ -z "${{KUBECONFIG:-}}" ] && [ -f {kubeconfig} ] && export KUBECONFIG={kubeconfig}',
        "true",
        "",
    ]
    text = "\n".join(lines)
    if not FILE.exists() or FILE.read_text() != text:
        temporary = FILE.with_suffix(f".{os.getpid()}")
        temporary.write_text(text)
        temporary.replace(FILE)
