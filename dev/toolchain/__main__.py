"""``python3 -m dev.toolchain [up|test|kubernetes|docker-stop]``: make the tools ready."""

import argparse
import sys
import time

from dev.toolchain import (
    debian_packages,
    docker_engine,
    environment,
    providers,
    pulumi_cli,
    python_env,
    steps,
)

_TEST_PROGRAMS = {"chromium": "chromium", "dig": "bind9-dnsutils"}
"""Program → Debian package: the report is opened in a browser, the DNS server is asked."""


def main() -> int:
    """Run the wanted steps; 0 when everything is ready, 1 with the cure otherwise."""
    parser = argparse.ArgumentParser(prog="python3 -m dev.toolchain", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        default="up",
        choices=["python", "up", "test", "kubernetes", "docker-stop"],
        help="python: the Python environment only; up (default): what the Docker stack needs; "
        "kubernetes: what a stack on Kubernetes needs; test: both, with the test tools; "
        "docker-stop: stop the Docker engine that a set-up of this clone started",
    )
    what = parser.parse_args().what
    started = time.monotonic()
    try:
        if what == "docker-stop":
            docker_engine.stop_started()
            return 0
        with steps.only_one():
            python_env.ensure(dev=what in ("python", "test"))
            if what != "python":
                pulumi_cli.ensure()
                providers.ensure_docker()
            if what in ("test", "kubernetes"):
                providers.ensure_kubernetes()
            if what == "test":
                pulumi_cli.ensure_yaml()
            environment.write()
        if what in ("up", "test"):
            docker_engine.ensure()
        if what == "test":
            debian_packages.ensure(_TEST_PROGRAMS, user="the tests")
    except steps.SetupError as error:
        return steps.fail(error)
    steps.say(f"ready ({time.monotonic() - started:.1f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
