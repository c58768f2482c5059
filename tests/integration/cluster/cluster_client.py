"""What the tests ask of a cluster, on the official client."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config, stream

ONE_LIMIT_SECONDS = 60


class Cluster:
    """A cluster that a kubeconfig names; its pods are made from one image unless told."""

    def __init__(self, kubeconfig: Path, image: str) -> None:
        api = config.new_client_from_config(str(kubeconfig))
        self.core = client.CoreV1Api(api)
        self.policies = client.NetworkingV1Api(api)
        self.custom = client.CustomObjectsApi(api)
        # Exec replaces the way in which its client sends requests, so it gets its own.
        self._exec = client.CoreV1Api(config.new_client_from_config(str(kubeconfig)))
        self._image = image

    def new_namespace(self, *, enforce: str) -> str:
        name = f"test-{uuid.uuid4().hex[:8]}"
        labels = {"pod-security.kubernetes.io/enforce": enforce}
        self.core.create_namespace({"metadata": {"name": name, "labels": labels}})
        # A pod is refused until its namespace has the account that it runs as.
        eventually(lambda: self.core.read_namespaced_service_account("default", name), api_errors)
        return name

    def delete_namespace(self, name: str) -> None:
        self.core.delete_namespace(name)

    def start_pod(
        self,
        namespace: str,
        name: str,
        *command: str,
        image: str | None = None,
        app: str | None = None,
        **spec: Any,
    ) -> None:
        """Start a pod that satisfies the strictest rules, and wait until it is ready."""
        mounts = [
            {"name": volume["name"], "mountPath": f"/{volume['name']}"}
            for volume in spec.get("volumes", [])
        ]
        container = {
            "name": "main",
            "image": image or self._image,
            "command": list(command),
            "volumeMounts": mounts,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
        }
        body = {
            "metadata": {"name": name, "labels": {"app": app or name}},
            "spec": {
                "terminationGracePeriodSeconds": 0,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10001,
                    "fsGroup": 10001,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                **spec,
            },
        }
        self.core.create_namespaced_pod(namespace, body)
        eventually(lambda: self._is_ready(namespace, name))

    def run(self, namespace: str, pod: str, command: str) -> str:
        """The output of a shell command in a pod."""
        return str(
            stream.stream(
                self._exec.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=["sh", "-c", f"{command} 2>&1"],
                stdout=True,
                stderr=True,
                _request_timeout=30,
            )
        )

    def _is_ready(self, namespace: str, name: str) -> bool:
        status = self.core.read_namespaced_pod(name, namespace).status
        return any(c.type == "Ready" and c.status == "True" for c in status.conditions or [])


def api_errors(error: Exception) -> bool:
    return isinstance(error, client.ApiException)


def eventually(
    condition: Callable[[], object],
    tolerated: Callable[[Exception], bool] = lambda _: False,
    *,
    limit: float = ONE_LIMIT_SECONDS,
    seen: Callable[[], str] = lambda: "",
) -> None:
    """Return when the condition is true; fail after ``limit`` seconds with what was ``seen``."""
    deadline = time.monotonic() + limit
    while True:
        try:
            if condition():
                return
        except client.ApiException as error:
            if not tolerated(error):
                raise
        assert time.monotonic() < deadline, f"not within {limit:.0f} s; {seen()}"
        time.sleep(0.1)
