"""The Pod Security Standards, as the admission controller of Kubernetes checks them.

Source: kubernetes/pod-security-admission policy/check_*.go, minors 1.25 to 1.37.
"""

import re
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from ..findings import Hit, broken, each, shown
from ..remedies import known, listed, mapping, set_in
from ..resources import Resource
from ..rule import Knobs, Pack, Rule, Severity, shaped, word
from ..values import Value
from ..workloads import Pods, pods_of
from .running import VERSION

_BASELINE_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
        "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
    }
)  # fmt: skip
_SECCOMP: Final = ("RuntimeDefault", "Localhost")
_SELINUX: Final = ("", "container_t", "container_init_t", "container_kvm_t")
_SYSCTLS: Final = {
    0: (
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
    ),
    27: ("net.ipv4.ip_local_reserved_ports",),
    29: (
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes",
    ),
    32: ("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"),
    37: ("net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"),
}  # fmt: skip
"""Minor from which a sysctl is safe → names."""
_VOLUMES: Final = frozenset(
    {
        "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image",
        "persistentVolumeClaim", "projected", "secret",
    }
)  # fmt: skip
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_HANDLERS: Final = (
    ("livenessProbe",), ("readinessProbe",), ("startupProbe",),
    ("lifecycle", "postStart"), ("lifecycle", "preStop"),
)  # fmt: skip


@dataclass(frozen=True)
class _Pod:
    pods: Pods
    minor: int
    restricted: bool

    @property
    def spec(self) -> Value:
        return self.pods.pod

    @property
    def context(self) -> Value:
        return self.spec["securityContext"]

    @property
    def containers(self) -> list[Value]:
        return self.pods.all_containers

    @property
    def windows(self) -> bool:
        return self.minor >= 25 and self.spec.at("os", "name").text() == "windows"

    @property
    def own_users(self) -> bool:
        """In a user namespace root is nobody outside of the pod."""
        return self.minor >= 35 and self.spec["hostUsers"].flag() is False

    def contexts(self) -> list[Value]:
        """The security contexts of the pod and of its containers."""
        return [self.context, *(one["securityContext"] for one in self.containers)]


_Control = Callable[[_Pod], Iterator[Hit]]


def _host_namespaces(pod: _Pod) -> Iterator[Hit]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec[name].flag():
            yield broken(pod.spec[name], "is true")


def _privileged(pod: _Pod) -> Iterator[Hit]:
    for container in pod.containers:
        value = container.at("securityContext", "privileged")
        if value.flag():
            yield broken(value, "is true")


def _capabilities(pod: _Pod) -> Iterator[Hit]:
    allowed = {"NET_BIND_SERVICE"} if pod.restricted else _BASELINE_CAPABILITIES
    for container in pod.containers:
        own = container.at("securityContext", "capabilities")
        for added in own["add"].items():
            name = added.text()
            if name is not None and name not in allowed:
                yield broken(added, f"is {shown(name)}")
        if pod.restricted and not pod.windows:
            drops = own["drop"].items()
            if not any(not one.unknown and one.data == "ALL" for one in drops):
                for one in drops:
                    one.get()
                yield broken(own["drop"], "does not have 'ALL'")


def _volumes(pod: _Pod) -> Iterator[Hit]:
    for volume in pod.spec["volumes"].items():
        sources = [
            name
            for name, value in volume.entries().items()
            if name != "name" and (value.unknown or value.data is not None)
        ]
        if "hostPath" in sources:
            yield broken(volume["hostPath"], "mounts a path of the node")
        elif pod.restricted and not set(sources) & _VOLUMES:
            yield broken(volume, f"is of a kind that is not allowed ({', '.join(sources) or '?'})")


def _host_ports(pod: _Pod) -> Iterator[Hit]:
    for container in pod.containers:
        for port in container["ports"].items():
            if port["hostPort"].number():
                yield broken(port["hostPort"], f"is {shown(port['hostPort'].number())}")


def _apparmor(pod: _Pod) -> Iterator[Hit]:
    for context in pod.contexts():
        kind = context.at("appArmorProfile", "type")
        if kind.text() not in (None, *_SECCOMP):
            yield broken(kind, f"is {shown(kind.text())}")
    annotations = pod.pods.annotations
    for name in annotations.entries():
        if name.startswith(_APPARMOR):
            text = annotations[name].text() or ""
            if text not in ("", "runtime/default") and not text.startswith("localhost/"):
                yield broken(annotations[name], f"is {shown(text)}")


def _selinux(pod: _Pod) -> Iterator[Hit]:
    allowed = (*_SELINUX, *(("container_engine_t",) if pod.minor >= 31 else ()))
    for context in pod.contexts():
        options = context["seLinuxOptions"]
        if options["type"].text() not in (None, *allowed):
            yield broken(options["type"], f"is {shown(options['type'].text())}")
        for name in ("user", "role"):
            if options[name].text():
                yield broken(options[name], "is set")


def _proc_mount(pod: _Pod) -> Iterator[Hit]:
    if pod.own_users and not pod.restricted:
        return
    for container in pod.containers:
        mount = container.at("securityContext", "procMount")
        if mount.text() not in (None, "Default"):
            yield broken(mount, f"is {shown(mount.text())}")


def _seccomp(pod: _Pod) -> Iterator[Hit]:
    for context in pod.contexts():
        kind = context.at("seccompProfile", "type")
        if kind.text() not in (None, *_SECCOMP):
            yield broken(kind, f"is {shown(kind.text())}")
    if not pod.restricted or pod.windows:
        return
    if pod.context.at("seccompProfile", "type").text() not in _SECCOMP:
        for container in pod.containers:
            kind = container.at("securityContext", "seccompProfile", "type")
            if kind.text() is None:
                yield broken(kind, "is not set, here or for the pod")


def _sysctls(pod: _Pod) -> Iterator[Hit]:
    safe = {name for since, names in _SYSCTLS.items() if since <= pod.minor for name in names}
    for entry in pod.context["sysctls"].items():
        name = entry["name"].text()
        if name is not None and name not in safe:
            yield broken(entry["name"], f"is {shown(name)}")


def _hosts(pod: _Pod) -> Iterator[Hit]:
    if pod.minor < 34:
        return
    for container in pod.containers:
        for keys in _HANDLERS:
            for kind in ("httpGet", "tcpSocket"):
                host = container.at(*keys, kind, "host")
                if host.text():
                    yield broken(host, "is set")


def _host_process(pod: _Pod) -> Iterator[Hit]:
    for context in pod.contexts():
        value = context.at("windowsOptions", "hostProcess")
        if value.flag():
            yield broken(value, "is true")


def _escalation(pod: _Pod) -> Iterator[Hit]:
    if pod.windows:
        return
    for container in pod.containers:
        value = container.at("securityContext", "allowPrivilegeEscalation")
        if value.flag() is not False:
            yield broken(value, f"is {shown(value.flag())}, not false")


def _non_root(pod: _Pod) -> Iterator[Hit]:
    if pod.own_users:
        return
    of_pod = pod.context["runAsNonRoot"]
    if of_pod.flag() is False:
        yield broken(of_pod, "is false")
    for container in pod.containers:
        own = container.at("securityContext", "runAsNonRoot")
        if own.flag() is False:
            yield broken(own, "is false")
        elif own.flag() is None and of_pod.flag() is not True:
            yield broken(own, "is not set, here or for the pod")


def _user(pod: _Pod) -> Iterator[Hit]:
    if pod.own_users:
        return
    for context in pod.contexts():
        if context["runAsUser"].number() == 0:
            yield broken(context["runAsUser"], "is 0, root")


_BASELINE: Final[tuple[_Control, ...]] = (
    _host_namespaces, _privileged, _capabilities, _volumes, _host_ports, _apparmor, _selinux,
    _proc_mount, _seccomp, _sysctls, _hosts, _host_process,
)  # fmt: skip
_RESTRICTED: Final[tuple[_Control, ...]] = (*_BASELINE, _escalation, _non_root, _user)


def _restricted(resource: Resource, knobs: Knobs) -> Iterator[Hit]:
    pods = pods_of(resource)
    if pods is None:
        return
    restricted = knobs.text("level") == "restricted"
    minor = int(re.sub(r"^1\.", "", knobs.text("version")))
    pod = _Pod(pods, minor, restricted)
    yield from each(_RESTRICTED if restricted else _BASELINE, lambda control: control(pod))


def _harden(_: str, props: MutableMapping[str, Any], __: Knobs) -> bool:
    changed = False
    pod = mapping(mapping(mapping(props, "spec"), "template"), "spec")
    for container in listed(pod, "containers") + listed(pod, "initContainers"):
        context = mapping(container, "securityContext")
        if context is None:
            if known(container, "securityContext") is not None:
                continue  # Unknown: left alone.
            container["securityContext"] = {}
            context = mapping(container, "securityContext")
        if context is None:
            continue
        changed |= set_in(context, "allowPrivilegeEscalation", False, replacing=(None,))
        if known(context, "capabilities") is None:
            context["capabilities"] = {"drop": ["ALL"]}
            changed = True
        of_pod = mapping(pod, "securityContext")
        profiled = known(of_pod, "seccompProfile") is not None
        if not profiled and known(context, "seccompProfile") is None:
            context["seccompProfile"] = {"type": "RuntimeDefault"}
            changed = True
    return changed


RULES: Final = (
    Rule(
        id="pod-security-restricted",
        title="Pods keep the Pod Security Standard 'restricted'",
        pack=Pack.SECURITY,
        severity=Severity.HIGH,
        resource=_restricted,
        cure="runAsNonRoot: true, seccompProfile RuntimeDefault, and per container "
        "allowPrivilegeEscalation: false and capabilities.drop: [ALL]",
        why="A process that is root with all capabilities needs one hole in the kernel or the "
        "runtime to have the node.",
        knobs=(
            word("level", "restricted", "The standard.", "baseline", "restricted"),
            shaped("version", "1.36", VERSION, "The cluster's version; the answers differ by it."),
        ),
        remedy=_harden,
    ),
)
