"""One way to declare a pod here: unprivileged, probed, spread, stopped with patience."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s

from .labels import Labels
from .resources import Resources

USER = 10001
"""Not root, and no user of the node either: those are below 10,000."""

SCRATCH = "/tmp"  # noqa: S108 - the one writable folder of a container with a read-only root
_SCRATCH_LIMIT = "1Gi"

REVISIONS_KEPT = 5
"""Old revisions that ``kubectl rollout undo`` can go back to."""

NOTICE_SECONDS = 15
"""A pod that is to go serves on for this long: by then every node's kube-proxy, the DNS and the
balancers know. kube-proxy took up to 3 s with ten and more processes waiting for each processor;
with a notice of 5 s a connection once met a balancer's pod that was gone."""

HttpGet = k8s.core.v1.HTTPGetActionArgs


@dataclass(frozen=True, kw_only=True)
class Probes:
    """When a container has started, may be asked, or must be restarted. Readiness and liveness
    are different questions: an overloaded container must not be restarted."""

    startup: k8s.core.v1.ProbeArgs
    readiness: k8s.core.v1.ProbeArgs
    liveness: k8s.core.v1.ProbeArgs


@dataclass(frozen=True, kw_only=True)
class Program:
    """What differs between one tier's pod and the next."""

    tier: str
    image: str
    resources: Resources
    ports: Mapping[str, int]
    """Name → number."""
    probes: Probes | None
    """None for a program that ends by itself."""
    grace_seconds: int
    """From the wish to stop to SIGKILL, the pause before SIGTERM included."""
    pause_seconds: float = 0
    """Before SIGTERM: whoever sends requests has to learn first that the pod goes."""
    command: Sequence[str] | None = None
    environment: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """Nothing secret: it can be read by whoever sees the workload."""
    secret_environment: pulumi.Input[str] | None = None
    """Name of a Secret whose entries become variables."""
    volumes: Sequence[k8s.core.v1.VolumeArgs] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)
    """Path → volume; read-only unless the path is in ``writable``."""
    writable: Sequence[str] = ()
    helpers: Sequence[k8s.core.v1.ContainerArgs] = ()
    """Containers that start before the program and end after it."""
    restart: str = "Always"
    revision_label: str | None = None
    """Label that tells one revision's pods from the next one's: each is spread by itself."""


def pod_template(labels: Labels, program: Program) -> k8s.core.v1.PodTemplateSpecArgs:
    """The template of the tier's pods: what Pod Security ``restricted`` asks for, and more."""
    return k8s.core.v1.PodTemplateSpecArgs(
        metadata=k8s.meta.v1.ObjectMetaArgs(labels=labels.of(program.tier)),
        spec=k8s.core.v1.PodSpecArgs(
            init_containers=list(program.helpers) or None,
            containers=[_container(program)],
            volumes=[
                k8s.core.v1.VolumeArgs(
                    name="scratch",
                    empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(size_limit=_SCRATCH_LIMIT),
                ),
                *program.volumes,
            ],
            security_context=k8s.core.v1.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=USER,
                run_as_group=USER,
                fs_group=USER,
                fs_group_change_policy="OnRootMismatch",
                seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            automount_service_account_token=False,
            # A Service named "kato" would set KATO_PORT and stop KATO at start.
            enable_service_links=False,
            termination_grace_period_seconds=program.grace_seconds,
            restart_policy=program.restart,
            topology_spread_constraints=_spread(labels, program),
        ),
    )


def _container(program: Program) -> k8s.core.v1.ContainerArgs:
    probes = program.probes
    return k8s.core.v1.ContainerArgs(
        name=program.tier,
        image=program.image,
        image_pull_policy="IfNotPresent",
        command=list(program.command) if program.command else None,
        ports=[
            k8s.core.v1.ContainerPortArgs(name=name, container_port=port, protocol="TCP")
            for name, port in program.ports.items()
        ],
        env=[
            k8s.core.v1.EnvVarArgs(name=name, value=value)
            for name, value in sorted(program.environment.items())
        ],
        env_from=None
        if program.secret_environment is None
        else [
            k8s.core.v1.EnvFromSourceArgs(
                secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=program.secret_environment)
            )
        ],
        startup_probe=probes.startup if probes else None,
        readiness_probe=probes.readiness if probes else None,
        liveness_probe=probes.liveness if probes else None,
        lifecycle=_pause(program.pause_seconds) if program.pause_seconds else None,
        resources=program.resources.args(),
        volume_mounts=[
            k8s.core.v1.VolumeMountArgs(name="scratch", mount_path=SCRATCH),
            *(
                k8s.core.v1.VolumeMountArgs(
                    name=volume, mount_path=path, read_only=path not in program.writable
                )
                for path, volume in program.mounts.items()
            ),
        ],
        security_context=k8s.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
        ),
    )


def _pause(seconds: float) -> k8s.core.v1.LifecycleArgs:
    return k8s.core.v1.LifecycleArgs(
        pre_stop=k8s.core.v1.LifecycleHandlerArgs(
            sleep=k8s.core.v1.SleepActionArgs(seconds=round(seconds))
        )
    )


def _spread(
    labels: Labels, program: Program
) -> list[k8s.core.v1.TopologySpreadConstraintArgs] | None:
    if program.revision_label is None:
        return None
    return [
        k8s.core.v1.TopologySpreadConstraintArgs(
            topology_key=key,
            max_skew=1,
            # A pod that waits for a better node serves nobody.
            when_unsatisfiable="ScheduleAnyway",
            label_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels.select(program.tier)),
            match_label_keys=[program.revision_label],
        )
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def deployment(
    name: str,
    labels: Labels,
    program: Program,
    *,
    namespace: pulumi.Input[str],
    replicas: int | None,
    settled_seconds: int,
    opts: pulumi.ResourceOptions,
    annotations: Mapping[str, str] | None = None,
) -> k8s.apps.v1.Deployment:
    """Interchangeable pods: at an update the new one is ready, for ``settled_seconds``, before an
    old one goes. ``replicas`` None: somebody else's business."""
    tier = program.tier
    return k8s.apps.v1.Deployment(
        name,
        metadata=metadata(labels, tier, namespace, name, annotations),
        spec=k8s.apps.v1.DeploymentSpecArgs(
            replicas=replicas,
            strategy=k8s.apps.v1.DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(
                    max_unavailable=0, max_surge=1
                ),
            ),
            min_ready_seconds=settled_seconds,
            revision_history_limit=REVISIONS_KEPT,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels.select(tier)),
            template=pod_template(labels, program),
        ),
        opts=opts,
    )


def probe(
    *,
    get: tuple[str, str] | None = None,
    command: Sequence[str] | None = None,
    port: str | None = None,
    period: int,
    timeout: int,
    failures: int,
) -> k8s.core.v1.ProbeArgs:
    """A probe by ``get`` (path, port name), by a command in the container, or by a connection to
    a port. Times are seconds; ``failures`` in a row decide, one success takes it back."""
    return k8s.core.v1.ProbeArgs(
        http_get=None if get is None else HttpGet(path=get[0], port=get[1], scheme="HTTP"),
        exec_=None if command is None else k8s.core.v1.ExecActionArgs(command=list(command)),
        tcp_socket=None if port is None else k8s.core.v1.TCPSocketActionArgs(port=port),
        period_seconds=period,
        timeout_seconds=timeout,
        failure_threshold=failures,
        success_threshold=1,
    )


def disruption_budget(
    name: str,
    labels: Labels,
    tier: str,
    namespace: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> k8s.policy.v1.PodDisruptionBudget:
    """Let a node drain take one pod of the tier at a time. Pods that do not serve anyway never
    hold a drain up."""
    return k8s.policy.v1.PodDisruptionBudget(
        name,
        metadata=metadata(labels, tier, namespace, name),
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels.select(tier)),
            unhealthy_pod_eviction_policy="AlwaysAllow",
        ),
        opts=child,
    )


def metadata(
    labels: Labels,
    tier: str,
    namespace: pulumi.Input[str],
    name: str | None = None,
    annotations: Mapping[str, str] | None = None,
) -> k8s.meta.v1.ObjectMetaArgs:
    """An object's metadata. Without ``name`` Pulumi gives it one of its own: such an object is
    replaced by a new one before the old one goes."""
    return k8s.meta.v1.ObjectMetaArgs(
        name=name,
        namespace=namespace,
        labels=labels.of(tier),
        annotations=dict(annotations) if annotations else None,
    )
