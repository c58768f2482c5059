"""What the cluster and its pods say, for the tests."""

import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from pulumi_stack import must
from urllib3.exceptions import ProtocolError

from dev.cluster import layout
from kato_balancing import kato
from kato_balancing.client import Instance, Placement
from kato_balancing.client.instances import Program, listed
from kato_balancing.verify.disruption.cluster import BALANCER, Cluster

REVEAL = {"X-Kato-Reveal": "server"}


def wait_for(found: Callable[[], Any], limit: float, what: str) -> Any:
    """Ask until there is an answer that counts; fails after ``limit`` seconds."""
    started = time.monotonic()
    while True:
        answer = found()
        if answer:
            return answer
        assert time.monotonic() - started < limit, f"{what} did not happen within {limit:g} s"
        time.sleep(0.2)


NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For requests on connections of their own: reading the authorities takes longer than a request."""


@dataclass(frozen=True)
class Facts:
    """The cluster, asked directly."""

    kubeconfig: Path
    api: client.ApiClient
    core: client.CoreV1Api
    autoscaling: client.AutoscalingV2Api

    @classmethod
    def of(cls, kubeconfig: Path) -> "Facts":
        """The cluster of this kubeconfig."""
        api = config.new_client_from_config(str(kubeconfig))
        return cls(kubeconfig, api, client.CoreV1Api(api), client.AutoscalingV2Api(api))

    def cluster(self, namespace: str) -> Cluster:
        """The stack in this namespace."""
        return Cluster.connect(namespace, "kato", kubeconfig=str(self.kubeconfig))

    def url(self, namespace: str) -> str:
        """The Service's own address, which this machine reaches."""
        return f"http://{self.cluster(namespace).service_address()}"

    def apply_dry(self, manifest: dict[str, Any], namespace: str) -> None:
        """Have the API server check an object strictly, without storing it."""
        kind = manifest["kind"]
        body = {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}
        if kind == "Namespace":
            del body["metadata"]["namespace"]
        if "name" not in body["metadata"]:
            body["metadata"]["generateName"] = "dry-"
        path = collection(manifest, "" if kind == "Namespace" else namespace)
        answer = self.send("POST", path, body, dryRun="All", fieldValidation="Strict")
        assert answer.status_code == 201, f"{kind}: {answer.text}"

    def stored(self, manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
        """The object of that kind and name, as the cluster keeps it."""
        path = f"{collection(manifest, namespace)}/{manifest['metadata']['name']}"
        answer = self.send("GET", path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def send(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        """One request to the API server; the caller looks at the answer."""
        # The typed client drops what it does not know; the server shall judge what is there.
        own = self.api.configuration
        tls = ssl.create_default_context(cafile=own.ssl_ca_cert)
        if own.cert_file:
            tls.load_cert_chain(own.cert_file, own.key_file)
        token = own.api_key.get("authorization")
        return httpx.request(
            method,
            f"{own.host}{path}",
            params=query,
            headers={"Authorization": token} if token else {},
            json=body,
            verify=tls,
            timeout=20,
        )

    @contextmanager
    def namespace(self, purpose: str, labels: Mapping[str, str] | None = None) -> Iterator[str]:
        """A namespace of the test's own; what is in it goes with it."""
        name = f"{purpose}-{secrets.token_hex(2)}"
        self.core.create_namespace({"metadata": {"name": name, "labels": dict(labels or {})}})
        try:
            # A pod is refused until its namespace has the account that it runs as.
            accounts = self.core.list_namespaced_service_account
            wait_for(lambda: accounts(name).items, 30, f"the account of {name}")
            yield name
        finally:
            self.core.delete_namespace(name)

    @contextmanager
    def foreign_pod(self, name: str, namespace: str, image: str) -> Iterator[str]:
        """A pod that belongs to no stack."""
        with self.pod(name, namespace, image, ["sleep", "600"]):
            yield name

    @contextmanager
    def pod(
        self,
        name: str,
        namespace: str,
        image: str,
        command: Sequence[str],
        *,
        labels: Mapping[str, str] | None = None,
        volumes: Sequence[Mapping[str, Any]] = (),
        **spec: Any,
    ) -> Iterator[str]:
        """A pod that satisfies the strictest rules, with its volumes at ``/<name>``; yields its
        address."""
        pod: Any = {
            "metadata": {"name": name, "labels": dict(labels or {})},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": False,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10002,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "main",
                        "image": image,
                        "command": list(command),
                        "volumeMounts": [
                            {"name": one["name"], "mountPath": f"/{one['name']}"} for one in volumes
                        ],
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
                "volumes": list(volumes),
                **spec,
            },
        }
        self.core.create_namespaced_pod(namespace, pod)
        try:
            wait_for(
                lambda: self.core.read_namespaced_pod(name, namespace).status.phase == "Running",
                60,
                f"the start of {name}",
            )
            yield str(self.core.read_namespaced_pod(name, namespace).status.pod_ip)
        finally:
            self.core.delete_namespaced_pod(name, namespace, grace_period_seconds=0)

    def run_in(
        self, pod: str, namespace: str, command: list[str], container: str | None = None
    ) -> str:
        """What a command in the pod's (first) container prints, with its exit code in the last
        line."""
        chosen = {} if container is None else {"container": container}
        words = ["sh", "-c", '"$@"; echo "exit $?"', "sh", *command]
        # stream() changes the client that it is given.
        own = client.CoreV1Api(config.new_client_from_config(str(self.kubeconfig)))
        return str(
            stream(
                own.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=words,
                **chosen,
                stderr=True,
                stdout=True,
                stdin=False,
                tty=False,
                _request_timeout=60,
            )
        )

    def connects(self, pod: str, namespace: str, host: str, port: int) -> bool:
        """True when the pod can open a connection there."""
        script = f"import socket; socket.create_connection(('{host}', {port}), 3).close()"
        printed = self.run_in(pod, namespace, ["python3", "-c", script])
        return printed.strip().endswith("exit 0")

    def namespaces_objects(self, namespace: str) -> list[str]:
        """What is left in a namespace; empty when it is gone."""
        try:
            self.core.read_namespace(namespace)
        except ApiException as error:
            if error.status == 404:
                return []
            raise
        left = [
            *self.core.list_namespaced_pod(namespace).items,
            *self.core.list_namespaced_persistent_volume_claim(namespace).items,
            *self.core.list_namespaced_secret(namespace).items,
        ]
        return [namespace, *(item.metadata.name for item in left)]


def collection(manifest: Mapping[str, Any], namespace: str) -> str:
    """Path of the objects of a kind; of those without a namespace, ``namespace`` is empty."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    plurals = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"}
    plural = plurals.get(kind, f"{kind.lower()}s")
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    return f"{root}{namespace and f'/namespaces/{namespace}'}/{plural}"


class Endings:
    """Watches how the containers of a namespace's pods end."""

    def __init__(self, facts: Facts, namespace: str) -> None:
        self.codes: dict[str, int] = {}
        self._core, self._namespace = facts.core, namespace
        self._watch = watch.Watch()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Endings":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        self._watch.stop()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        try:
            self._follow()
        except ProtocolError:
            # stop() closes the connection under it.
            if not self._stopped:
                raise

    def _follow(self) -> None:
        listing = self._core.list_namespaced_pod
        for event in self._watch.stream(listing, self._namespace, timeout_seconds=120):
            pod = event["object"]
            for status in pod.status.container_statuses or []:
                if status.state.terminated is not None:
                    self.codes[pod.metadata.name] = status.state.terminated.exit_code


def sessions(url: str, count: int) -> list[str]:
    """New sessions."""

    def create(number: int) -> str:
        answer = httpx.post(
            f"{url}/sessions", json={"node_id": f"n{number}"}, timeout=20, verify=NO_TLS
        )
        return str(answer.json()["session_id"])

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(create, range(count)))


def owners(url: str, ids: list[str]) -> dict[str, str]:
    """Session → the pod that answered it: the stand-in says its host's name, which is the pod's."""

    def ask(session: str) -> str:
        answer = httpx.get(f"{url}/sessions/{session}/stm", timeout=20, verify=NO_TLS)
        assert answer.status_code == 200, answer.text
        return pod_of(answer)

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(ids, pool.map(ask, ids), strict=True))


def balancer_urls(cluster: Cluster) -> list[str]:
    """Every balancer by itself, without those that are leaving."""
    return [f"http://{pod.address}:8080" for pod in cluster.serving(BALANCER)]


def wait_until_known(cluster: Cluster, pod: str, ids: list[str]) -> None:
    """Until every balancer sends sessions to a new pod: each asks DNS by itself."""
    for url in balancer_urls(cluster):
        wait_for(
            lambda url=url: pod in owners(url, ids[:60]).values(),
            30,
            f"traffic from {url} to {pod}",
        )


def predicted(
    program: Program, namespace: str, pods: Sequence[str], ids: list[str]
) -> dict[str, str]:
    """Session → the pod that owns it on the balancer's ring."""
    instances = [
        Instance(f"http://{host}:{kato.PORT}", pod, host)
        for pod in pods
        for host in [f"{pod}.kato-replicas.{namespace}.svc.cluster.local"]
    ]
    placement = Placement(listed(instances), program)
    return {session: str(placement.owner(session)) for session in ids}


def pod_of(answer: httpx.Response) -> str:
    """The pod that answered."""
    return answer.headers["X-Stand-In"].partition(":")[0]


def objects_of(state: str) -> list[dict[str, Any]]:
    """The Kubernetes objects of a stack's exported state, as they were asked for."""
    resources = json.loads(state)["deployment"]["resources"]
    found = [
        {key: value for key, value in one["inputs"].items() if not key.startswith("__")}
        for one in resources
        if one["type"].startswith("kubernetes:")
    ]
    assert found, "the stack has no Kubernetes object"
    return found


def connection_states(port: int) -> set[str]:
    """How the node remembers connections from this port of its own."""
    tracked = Path("/proc/net/nf_conntrack").read_text().splitlines()
    return {line.split()[5] for line in tracked if f" sport={port} dport=8080 " in line}


def kill_process(pod: str, namespace: str, container: str) -> None:
    """Send SIGKILL to a container's process: no pause, no notice to anybody."""
    ctr = ["ctr", "--address", str(layout.CONTAINERD_SOCKET), "--namespace", "k8s.io"]
    labels = {"pod.name": pod, "pod.namespace": namespace, "container.name": container}
    wanted = ",".join(f'labels."io.kubernetes.{key}"=={value}' for key, value in labels.items())
    [found] = must([*ctr, "containers", "list", "--quiet", wanted]).split()
    must([*ctr, "tasks", "kill", "--signal", "SIGKILL", found])
