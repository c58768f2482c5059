"""The checks against a stack in a cluster, then the events."""

from collections.abc import Sequence
from dataclasses import dataclass

from kato_balancing.verify.disruption.cluster import Cluster, ClusterError
from kato_balancing.verify.disruption.names import DisruptionName
from kato_balancing.verify.disruption.proof import prove
from kato_balancing.verify.options import OptionError, VerifyOptions
from kato_balancing.verify.progress import Progress
from kato_balancing.verify.report import CheckResult, Report, Verdict
from kato_balancing.verify.runner import verify


@dataclass(frozen=True)
class Place:
    """Where the stack is."""

    namespace: str
    name: str = "kato"
    kubeconfig: str | None = None
    """None: what KUBECONFIG says."""
    context: str | None = None
    """None: the current one."""


def verify_in_cluster(
    place: Place,
    url: str | None,
    options: VerifyOptions,
    disruptions: Sequence[DisruptionName],
    progress: Progress,
) -> Report:
    """Check the balancer as :func:`kato_balancing.verify.verify` does, then let the events happen.

    ``url`` None stands for the Service's own address, which nodes and pods of the cluster reach.
    Raises OptionError when there is no such stack.
    """
    try:
        cluster = Cluster.connect(
            place.namespace, place.name, kubeconfig=place.kubeconfig, context=place.context
        )
        used = url or f"http://{cluster.service_address()}"
        report = verify(used, options, progress)
        if report.holds is False:
            return _with(report, [_not_begun(name) for name in disruptions])
        results = prove(
            used,
            cluster,
            disruptions,
            progress,
            timeout=options.timeout,
            ca_file=options.ca_file,
        )
    except ClusterError as error:
        problem, _, cure = str(error).rpartition("; ")
        raise OptionError("namespace", problem or str(error), cure) from None
    return _with(report, results)


def _with(report: Report, results: Sequence[CheckResult]) -> Report:
    return Report(report.url, report.began, (*report.checks, *results))


def _not_begun(name: DisruptionName) -> CheckResult:
    why = "Not run, since it does not hold while nothing happens: correct that first."
    return CheckResult(name, Verdict.UNDECIDED, None, "not run", (why,))
