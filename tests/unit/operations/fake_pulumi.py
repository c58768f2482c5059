"""An executable that stands for ``pulumi``: for tests of what it is asked, and in which order."""

import json
import stat
import sys
from pathlib import Path

PULUMI = """#!{python}
import json, pathlib, sys, time
here = pathlib.Path(__file__).parent
words = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(words) + "\\n")
answers = json.loads((here / "answers.json").read_text())
for start, answer in answers.items():
    if " ".join(words).startswith(start):
        print(answer["out"], flush=True)
        time.sleep(answer.get("seconds", 0))
        sys.exit(answer.get("code", 0))
sys.exit(0)
"""


def setting(value: object) -> dict[str, object]:
    """A setting that is a list or a group, as ``pulumi config --json`` says it."""
    return {"value": json.dumps(value), "objectValue": value, "secret": False}


class FakePulumi:
    """An executable ``pulumi`` that notes its arguments and says what it was told to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        program = folder / "pulumi"
        program.write_text(PULUMI.format(python=sys.executable))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.says({"stack --show-name": {"out": "dev"}})

    def says(self, answers: dict[str, dict[str, object]]) -> None:
        (self._folder / "answers.json").write_text(json.dumps(answers))

    def calls(self) -> list[str]:
        lines = (self._folder / "calls").read_text().splitlines()
        tail = " --non-interactive --color never"
        return [" ".join(json.loads(line)).removesuffix(tail) for line in lines]
