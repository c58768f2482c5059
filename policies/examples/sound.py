"""Sound stacks: one on Kubernetes, one on Docker. Every example is one of them, changed."""

import textwrap
from typing import Final

from kato_balancing import haproxy, kato, nginx
from kato_balancing.model import Balancer

_DIGEST: Final = f"sha256:{'0123456789abcdef' * 4}"
NGINX: Final = (1, 30, 4)
HAPROXY: Final = (3, 2, 0)
KATO_IMAGE: Final = f"{kato.IMAGE}@{_DIGEST}"

_SERVERS: Final = [
    {"name": f"kato-{index}", "host": f"kato-{index}.kato-replicas.kato.svc.cluster.local"}
    for index in range(3)
]


def _balancer(servers: list[dict[str, str]], resolver: str, **more: object) -> Balancer:
    settings = {"pool": {"servers": servers}, "resolver": {"address": resolver}, **more}
    return Balancer.model_validate(settings)


_POD: Final = """\
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: {grace}
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        runAsGroup: 10001
        fsGroup: 10001
        seccompProfile: {{type: RuntimeDefault}}
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: ScheduleAnyway
        labelSelector: {{matchLabels: {{app: {app}}}}}
"""
_CONTAINER: Final = """\
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
"""


def _indented(text: str, by: int) -> str:
    return textwrap.indent(text, " " * by, lambda line: bool(line.strip()))


def kubernetes(configuration: str, file: str) -> str:
    """The sound stack on Kubernetes with this balancer's configuration."""
    return f"""\
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: kato, namespace: kato}}
spec:
  serviceName: kato-replicas
  minReadySeconds: 10
  updateStrategy: {{type: RollingUpdate}}
  selector: {{matchLabels: {{app: kato}}}}
  template:
    metadata:
      labels: {{app: kato}}
    spec:
{_POD.format(grace=60, app="kato")}\
      containers:
      - name: kato
        image: {KATO_IMAGE}
        env:
        - {{name: KATO_WORKERS, value: "1"}}
        - {{name: REDIS_URL, value: "redis://redis:6379"}}
        ports:
        - {{name: http, containerPort: {kato.PORT}}}
        resources:
          requests: {{cpu: 500m, memory: 1Gi}}
          limits: {{memory: 1Gi}}
        startupProbe:
          httpGet: {{path: {kato.HEALTH_PATH}, port: http}}
          periodSeconds: 5
          failureThreshold: 12
        readinessProbe:
          httpGet: {{path: {kato.REDIS_CHECK_PATH}, port: http}}
          periodSeconds: 2
          failureThreshold: 3
        livenessProbe:
          httpGet: {{path: {kato.HEALTH_PATH}, port: http}}
          periodSeconds: 10
          timeoutSeconds: 5
          failureThreshold: 6
        lifecycle:
          preStop: {{sleep: {{seconds: 10}}}}
{_CONTAINER}\
---
apiVersion: v1
kind: Service
metadata: {{name: kato-replicas, namespace: kato}}
spec:
  clusterIP: None
  selector: {{app: kato}}
  ports:
  - {{name: http, port: {kato.PORT}, targetPort: http}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {{name: kato, namespace: kato}}
spec:
  scaleTargetRef: {{apiVersion: apps/v1, kind: StatefulSet, name: kato}}
  minReplicas: 3
  maxReplicas: 6
  metrics:
  - type: Resource
    resource:
      name: cpu
      target: {{type: Utilization, averageUtilization: 70}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: kato, namespace: kato}}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {{matchLabels: {{app: kato}}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: kato, namespace: kato}}
spec:
  podSelector: {{matchLabels: {{app: kato}}}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - podSelector: {{matchLabels: {{app: balancer}}}}
    ports:
    - {{port: {kato.PORT}}}
  egress:
  - to:
    - podSelector: {{matchLabels: {{app: redis}}}}
    ports:
    - {{port: 6379}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: balancer, namespace: kato}}
data:
  {file}: |
{_indented(configuration, 4)}\
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: balancer, namespace: kato}}
spec:
  replicas: 2
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxUnavailable: 0, maxSurge: 1}}
  selector: {{matchLabels: {{app: balancer}}}}
  template:
    metadata:
      labels: {{app: balancer}}
    spec:
{_POD.format(grace=50, app="balancer")}\
      containers:
      - name: balancer
        image: registry.example/balancer:1.0.0@{_DIGEST}
        ports:
        - {{name: http, containerPort: 8080}}
        - {{name: private, containerPort: 8081}}
        resources:
          requests: {{cpu: 250m, memory: 128Mi}}
          limits: {{memory: 128Mi}}
        readinessProbe:
          httpGet: {{path: /lb/health, port: private}}
        livenessProbe:
          tcpSocket: {{port: http}}
        lifecycle:
          preStop: {{sleep: {{seconds: 10}}}}
{_CONTAINER}\
        volumeMounts:
        - {{name: configuration, mountPath: /etc/balancer, readOnly: true}}
      volumes:
      - name: configuration
        configMap: {{name: balancer}}
---
apiVersion: v1
kind: Service
metadata: {{name: balancer, namespace: kato}}
spec:
  selector: {{app: balancer}}
  ports:
  - {{name: http, port: 80, targetPort: http}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: balancer, namespace: kato}}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector: {{matchLabels: {{app: balancer}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: balancer, namespace: kato}}
spec:
  ingressClassName: traefik
  tls:
  - {{hosts: [kato.example.org], secretName: kato-tls}}
  rules:
  - host: kato.example.org
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {{service: {{name: balancer, port: {{name: http}}}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: redis, namespace: kato}}
spec:
  replicas: 1
  serviceName: redis
  selector: {{matchLabels: {{app: redis}}}}
  template:
    metadata:
      labels: {{app: redis}}
    spec:
{_POD.format(grace=30, app="redis")}\
      containers:
      - name: redis
        image: docker.io/library/redis:8.0.3@{_DIGEST}
        ports:
        - {{name: redis, containerPort: 6379}}
        resources:
          requests: {{cpu: 100m, memory: 512Mi}}
          limits: {{memory: 512Mi}}
        readinessProbe:
          exec: {{command: [redis-cli, ping]}}
        livenessProbe:
          tcpSocket: {{port: redis}}
{_CONTAINER}\
---
apiVersion: v1
kind: Service
metadata: {{name: redis, namespace: kato}}
spec:
  selector: {{app: redis}}
  ports:
  - {{name: redis, port: 6379, targetPort: redis}}
"""


def docker(configuration: str, file: str) -> str:
    """The sound stack on Docker with this balancer's configuration."""
    replicas = "---\n".join(_replica(index) for index in range(3))
    return f"""\
{replicas}---
type: docker:index/container:Container
name: balancer
properties:
  image: nginx:1.30.4@{_DIGEST}
  stopSignal: SIGQUIT
  stopTimeout: 40
  destroyGraceSeconds: 40
  memory: 256
  readOnly: true
  capabilities: {{drops: [ALL]}}
  securityOpts: ["no-new-privileges:true"]
  networksAdvanced:
  - {{name: kato}}
  ports:
  - {{internal: 8080, external: 8080, ip: 127.0.0.1}}
  uploads:
  - file: /etc/nginx/{file}
    content: |
{_indented(configuration, 6)}"""


def _replica(index: int) -> str:
    return f"""\
type: docker:index/container:Container
name: kato-{index}
properties:
  image: {KATO_IMAGE}
  envs: ["KATO_WORKERS=1", "REDIS_URL=redis://redis:6379"]
  stopTimeout: 45
  destroyGraceSeconds: 45
  memory: 2048
  readOnly: true
  capabilities: {{drops: [ALL]}}
  securityOpts: ["no-new-privileges:true"]
  networksAdvanced:
  - {{name: kato, aliases: [kato-{index}]}}
  healthcheck:
    tests: [CMD, python, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health')"]
    interval: 5s
    timeout: 3s
"""


NGINX_TEXT: Final = nginx.render(_balancer(_SERVERS, "10.96.0.10"), NGINX)
HAPROXY_TEXT: Final = haproxy.render(_balancer(_SERVERS, "10.96.0.10"), HAPROXY)
_DOCKER_SERVERS: Final = [{"name": f"kato-{i}", "host": f"kato-{i}"} for i in range(3)]
NGINX_ON_DOCKER: Final = nginx.render(_balancer(_DOCKER_SERVERS, "127.0.0.11"), NGINX)

ON_NGINX: Final = kubernetes(NGINX_TEXT, "nginx.conf")
ON_HAPROXY: Final = kubernetes(HAPROXY_TEXT, "haproxy.cfg")
ON_DOCKER: Final = docker(NGINX_ON_DOCKER, "nginx.conf")
ON_NGINX_WITH_TABLE: Final = kubernetes(
    nginx.render(_balancer(_SERVERS, "10.96.0.10", learned={}), NGINX), "nginx.conf"
)
ON_NGINX_WITH_COOKIE: Final = kubernetes(
    nginx.render(_balancer(_SERVERS, "10.96.0.10", affinity="COOKIE"), NGINX), "nginx.conf"
)
