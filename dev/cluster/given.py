"""A cluster that the user brings: it is only asked whether it answers, and remembered."""

import os
import sys
from pathlib import Path

from dev.cluster import layout
from dev.toolchain import places, steps

VARIABLE = "KATO_LB_KUBECONFIG"

_ASK = """\
import sys
from kubernetes import client, config
config.load_kube_config(sys.argv[1])
print(client.VersionApi().get_code(_request_timeout=10).git_version)
"""


def wanted(option: str | None) -> Path | None:
    """The kubeconfig that the command line or the environment names, unless it is our own."""
    name = option or os.environ.get(VARIABLE)
    file = Path(name).expanduser().absolute() if name else None
    return None if file == layout.KUBECONFIG else file


def use(file: Path) -> None:
    """Point the project's kubeconfig at the file, once its cluster has answered."""
    if not file.exists():
        raise steps.SetupError(f"there is no {file}", f"check --kubeconfig and {VARIABLE}")
    link = layout.KUBECONFIG.with_name(f".kubeconfig.{os.getpid()}")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(file)
    try:
        version = _version(link)
        link.replace(layout.KUBECONFIG)
    finally:
        link.unlink(missing_ok=True)
    steps.say(f"using the cluster of {file} (Kubernetes {version})")


def in_use() -> bool:
    """True when the project's kubeconfig is a user's own."""
    return layout.KUBECONFIG.is_symlink()


def forget() -> None:
    """Stop using the user's cluster; nothing of it is touched."""
    layout.KUBECONFIG.unlink(missing_ok=True)


def _version(file: Path) -> str:
    python = places.VENV / "bin" / "python"
    interpreter = str(python) if python.exists() else sys.executable
    answer = steps.output_of([interpreter, "-c", _ASK, str(file)], limit=40)
    if answer is None:
        raise steps.SetupError(
            "the cluster of the given kubeconfig does not answer",
            "check it with 'kubectl version'; if it holds relative paths, write it again with "
            "'kubectl config view --raw --flatten'; 'make setup' brings the client that asks",
        )
    return answer.strip()
