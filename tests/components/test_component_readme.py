"""The README's program is one that runs."""

import re
from pathlib import Path

from recording import run

README = Path(__file__).parents[2] / "README.md"


def test_the_readmes_program_declares_a_stack() -> None:
    [program] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)

    recording = run(lambda: exec(compile(program, "README.md", "exec"), {}))

    declared = {resource.urn.rsplit("::", 1)[-1] for resource in recording.resources}
    assert {"stores-redis", "kato-0", "kato-1", "kato-2", "balancer"} <= declared
