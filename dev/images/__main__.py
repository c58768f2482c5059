"""``python3 -m dev.images build [NAME ...]`` or ``ensure --stack STACK``."""

import argparse
import sys

from dev.images import build, catalogue, stack_images
from dev.toolchain import steps


def main() -> int:
    """Run the command; 0 when every image is there, 1 with the cure otherwise."""
    parser = argparse.ArgumentParser(prog="python3 -m dev.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build local images (all by default)")
    names = {image.name: image for image in catalogue.ALL}
    building.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    ensuring = commands.add_parser("ensure", help="make a stack's images available")
    ensuring.add_argument("--stack", required=True)
    arguments = parser.parse_args()
    unknown = [n for n in getattr(arguments, "names", []) if n not in names]
    if unknown:
        parser.error(f"no such local image: {', '.join(unknown)}; known: {', '.join(names)}")
    try:
        if arguments.command == "build":
            for name in arguments.names or names:
                build.build(names[name])
        else:
            stack_images.ensure(arguments.stack)
    except steps.SetupError as error:
        return steps.fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
