"""The program: one stack of KATO behind a balancer, from the stack's settings."""

import pulumi

from kato_balancing import images
from kato_balancing.problems import InvalidInput
from stack_settings import StackSettings

try:
    settings = StackSettings.of(pulumi.Config())
except InvalidInput as error:
    raise pulumi.RunError(
        f"The stack's settings are refused; nothing was changed.\n{error}"
    ) from None
image = images.parse(settings.backend["image"])

what_runs = f"KATO {settings.backend['image']}"
if image.is_stand_in:
    what_runs = (
        f"the KATO stand-in ({settings.backend['image']}), not KATO: it answers and loses "
        "updates like KATO, but learns and predicts nothing"
    )
    pulumi.log.warn(f"This stack runs {what_runs}.")
elif "clickhouse" not in settings.stores:
    pulumi.log.warn(
        "KATO without ClickHouse can't observe or predict: set clickhouse to {host: ...} or "
        "{schemaFile: ...}."
    )
redis = settings.stores["redis"]
pulumi.log.info(
    f"Images: {settings.backend['image']}, {settings.balancer['image']}, "
    f"{redis.get('image', 'an existing Redis')}"
)

backend, balancer = settings.build()

pulumi.export("url", balancer.url)
pulumi.export("runs", what_runs)
pulumi.export("servers", backend.servers)
