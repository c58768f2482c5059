"""``kato-lb rollout`` as an operator types it, against a stack that a test made."""

import subprocess
import sys

from pulumi_stack import PulumiStack, run


def rollout(
    stack: PulumiStack, *more: str, hold: float, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; it prints JSON. ``hold``: seconds of each step."""
    return run(
        [
            sys.executable, "-m", "kato_balancing.cli", "rollout", "--cwd", str(stack.folder),
            "--stack", stack.name, "--hold", str(hold), "--max-latency", "20", "--json",
            *more,
        ],
        env={
            "PULUMI_BACKEND_URL": (stack.folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            **environment,
        },
        limit=580,
    )  # fmt: skip
