"""Makes the images of a stack available: present, pulled, or replaced by local ones."""

import json
from collections.abc import Mapping

from dev.cluster import lifecycle
from dev.images import build, catalogue
from dev.toolchain import places, steps

_REGISTRY_LIMIT_SECONDS = 20
_PULL_LIMIT_SECONDS = 1800


def ensure(stack: str) -> None:
    """Bring every image that the stack's settings name onto this machine.

    Where no registry answers, the settings themselves are changed to name local images, so
    that what runs is always what they say.
    """
    settings = _settings(stack)
    on_cluster = settings["platform"] == "kubernetes"
    if on_cluster and not lifecycle.is_own():
        # Its nodes pull what the settings name.
        return
    used = []
    local = {image.name: image for image in catalogue.ALL}
    unused = {key for proxy, key in catalogue.PROXY_IMAGES.items() if proxy != settings["proxy"]}
    for key, substitute in {**catalogue.SUBSTITUTES, **catalogue.MONITORING}.items():
        if key in unused or key not in settings:
            continue
        wanted = settings[key]
        if wanted in local:
            build.build(local[wanted])
        elif not _present(wanted) and not _pulled(wanted):
            steps.say(f"no registry answers for {wanted}: stack {stack} now uses {substitute.name}")
            build.build(substitute)
            _change(stack, key, substitute.name)
            wanted = substitute.name
        used.append(wanted)
    if on_cluster:
        lifecycle.load(used)


def _settings(stack: str) -> dict[str, str]:
    listing = steps.output_of(["pulumi", "config", "--json", "--stack", stack], limit=60)
    if listing is None:
        raise steps.SetupError(
            f"the settings of stack {stack} can't be read",
            f"run 'pulumi config --stack {stack}' to see why",
        )
    found = json.loads(listing)
    keys = ("platform", "proxy", *catalogue.SUBSTITUTES)
    settings = {key: found[f"kato:{key}"]["value"] for key in keys}
    monitoring = json.loads(found["kato:monitoring"]["value"])
    return settings | _monitoring(monitoring, settings["platform"])


def _monitoring(group: Mapping[str, str], platform: str) -> dict[str, str]:
    """The images of the group ``monitoring``, where it is enabled, by the path of their setting.
    A cluster has its own Prometheus."""
    if not group.get("enabled"):
        return {}
    # Loads Pulumi's SDK, which most stacks need not wait for here.
    from components import kato_monitoring, log_exporter, redis_exporter  # noqa: PLC0415

    defaults = {
        "exporterImage": log_exporter.IMAGE,
        "prometheusImage": kato_monitoring.PROMETHEUS_IMAGE,
        "redisExporterImage": redis_exporter.IMAGE,
    }
    return {
        f"monitoring.{name}": group.get(name, image)
        for name, image in defaults.items()
        if platform == "docker" or name != "prometheusImage"
    }


def _present(image: str) -> bool:
    return steps.output_of(["docker", "image", "inspect", "--format", "{{.Id}}", image]) is not None


def _pulled(image: str) -> bool:
    manifest = ["docker", "manifest", "inspect", image]
    if steps.output_of(manifest, limit=_REGISTRY_LIMIT_SECONDS) is None:
        return False
    with steps.step(f"pulling {image}"):
        steps.run(
            ["docker", "pull", "--quiet", image],
            limit=_PULL_LIMIT_SECONDS,
            cure=f"run 'docker pull {image}' by hand to see more",
            log="pull",
        )
    return True


def _change(stack: str, key: str, value: str) -> None:
    path = ["--path"] if "." in key else []
    steps.run(
        ["pulumi", "config", "set", "--stack", stack, *path, key, value],
        limit=60,
        cure=f"run 'pulumi config set --stack {stack} {key} {value}' by hand to see more",
        log="config-set",
        cwd=places.ROOT,
    )
