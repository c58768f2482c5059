"""The program: one stack of KATO behind a balancer, from the stack's settings."""

import pulumi

import stack_settings
from kato_balancing import images
from kato_balancing.problems import InvalidInput

try:
    stack = stack_settings.read(pulumi.Config())
except InvalidInput as error:
    raise pulumi.RunError(
        f"The stack's settings are refused; nothing was changed.\n{error}"
    ) from None

kato = stack.images["katoImage"]
what_runs = f"KATO {kato}"
if images.parse(kato).is_stand_in:
    what_runs = (
        f"the KATO stand-in ({kato}), not KATO: it answers and loses "
        "updates like KATO, but learns and predicts nothing"
    )
    pulumi.log.warn(f"This stack runs {what_runs}.")
elif not stack.has_clickhouse:
    pulumi.log.warn(
        "KATO without ClickHouse can't observe or predict: set clickhouse to {host: ...} or "
        "{schemaFile: ...}."
    )
pulumi.log.info(f"Images: {', '.join(stack.images.values())}")

for name, value in stack.build().items():
    pulumi.export(name, value)
pulumi.export("runs", what_runs)
