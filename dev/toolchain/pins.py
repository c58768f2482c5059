"""The version of every tool that the set-up may fetch or build, each stated once."""

PULUMI = "3.274.1"
"""Pulumi CLI; the newest release whose engine the Go module proxies serve."""

PULUMI_MINIMUM = (3, 250)
"""Oldest Pulumi on PATH that is used as it is: the program relies on typed project settings."""

YAML_HOST = "1.25.0"
"""Language host of Pulumi programs in YAML; the newest one that the Go module proxies serve. An
official Pulumi brings its own."""

DOCKER_PROVIDER = "5.2.0"
"""Docker provider; equals the pulumi-docker SDK of requirements.txt."""

KUBERNETES_PROVIDER = "4.25.0"
"""Kubernetes provider; the newest version that its Go module can be built as."""

KUBERNETES = "1.36.3"
"""Every component of the one-node cluster; equals the recipe's go.mod, like all that follow."""

COREDNS = "1.15.0"

METRICS_SERVER = "0.9.0"

KUBE_ROUTER = "2.1.0"
"""Enforces network policies, nothing else."""

TRAEFIK = "3.5.0"
"""The newest release whose dependencies the Go module proxies all serve."""

GATEWAY_API = "1.6.1"

PROMETHEUS_OPERATOR = "0.93.0"
"""Its resource definitions alone, like the next one's."""

EXTERNAL_DNS = "0.22.0"

CLUSTER_OWN = "1"
"""The programs of the cluster that are this repository's own: pause and storage."""

GO_MINIMUM = (1, 21)
"""Oldest Go that fetches by itself the newer toolchain that a recipe's go.mod asks for."""

PYTHON_MINIMUM = (3, 11)
