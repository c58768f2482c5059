"""``python3 -m dev.cluster up|down|status|load|ingress``: a one-node Kubernetes cluster."""

import argparse
import sys
import time

from dev.cluster import given, ingress, lifecycle, report
from dev.cluster.exclusive import exclusive
from dev.toolchain import steps


def main() -> int:
    """Run the command; 0 when all is well, 1 with the cure otherwise."""
    arguments = _parser().parse_args()
    started = time.monotonic()
    try:
        match arguments.command:
            case "up":
                file = lifecycle.ensure(arguments.images, own_kubeconfig=arguments.kubeconfig)
                steps.say(f"cluster ready ({time.monotonic() - started:.1f} s): {file}")
            case "down":
                lifecycle.down(force=arguments.force)
            case "load":
                lifecycle.load(arguments.images)
            case "ingress":
                _ingress(arguments.what)
            case "status":
                usable, text = report.report()
                print(text)
                return 0 if usable else 1
    except steps.SetupError as error:
        return steps.fail(error)
    return 0


def _ingress(what: str) -> None:
    lifecycle.require_own("it has its own ingress controller", "use that one")
    if what == "down":
        ingress.down()
        return
    with exclusive():
        ingress.up()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m dev.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start the cluster, or use a given one")
    up.add_argument("--kubeconfig", help=f"use this cluster instead (or set {given.VARIABLE})")
    up.add_argument("images", nargs="*", metavar="IMAGE", help="images to load as well")
    down = commands.add_parser("down", help="stop it and remove every trace of it")
    down.add_argument("--force", action="store_true", help="also one of another clone")
    commands.add_parser("status", help="say what runs; exit code 1 when it is not usable")
    load = commands.add_parser("load", help="copy images from Docker into the cluster")
    load.add_argument("images", nargs="+", metavar="IMAGE")
    serving = commands.add_parser("ingress", help="switch the ingress controller on or off")
    serving.add_argument("what", choices=["up", "down"])
    return parser


if __name__ == "__main__":
    sys.exit(main())
