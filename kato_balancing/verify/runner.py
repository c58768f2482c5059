"""Run the chosen checks one after the other."""

import asyncio
from datetime import UTC, datetime

from kato_balancing.verify.affinity import check_affinity
from kato_balancing.verify.keep_alive import check_keep_alive
from kato_balancing.verify.options import CheckName, VerifyOptions
from kato_balancing.verify.overlap import check_overlap
from kato_balancing.verify.progress import Progress, silent
from kato_balancing.verify.reachability import check_reachability
from kato_balancing.verify.report import CheckResult, Report, Verdict
from kato_balancing.verify.sessions import SessionsRefusedError
from kato_balancing.verify.target import Target


def verify(url: str, options: VerifyOptions | None = None, progress: Progress = silent) -> Report:
    """Check the balancer at ``url``; from asynchronous code use :func:`verify_async`.

    Raises :class:`~kato_balancing.verify.options.OptionError` when ``url`` is not an address. A
    balancer that does not answer is no error, but a report that does not hold.
    """
    return asyncio.run(verify_async(url, options, progress))


async def verify_async(
    url: str, options: VerifyOptions | None = None, progress: Progress = silent
) -> Report:
    """As :func:`verify`, in the running event loop."""
    chosen = options or VerifyOptions()
    target = Target.at(
        url,
        timeout=chosen.timeout,
        server_header=chosen.server_header,
        ca_file=chosen.ca_file,
    )
    began = datetime.now(UTC)
    results: list[CheckResult] = []
    for name in chosen.checks:
        if any(_unreachable(result) for result in results):
            results.append(
                _not_begun(name, "Not run, since KATO is not reachable: correct that first.")
            )
            continue
        try:
            results.append(await _run(name, target, chosen, progress))
        except SessionsRefusedError as error:
            results.append(_not_begun(name, str(error)))
    return Report(url=target.base, began=began, checks=tuple(results))


async def _run(
    name: CheckName, target: Target, options: VerifyOptions, progress: Progress
) -> CheckResult:
    match name:
        case CheckName.REACHABILITY:
            return await check_reachability(target, progress)
        case CheckName.AFFINITY:
            return await check_affinity(
                target,
                options.sessions,
                allow_one_server=options.allow_one_server,
                progress=progress,
            )
        case CheckName.OVERLAP:
            return await check_overlap(
                target,
                sessions=options.sessions,
                writers=options.writers,
                observations=options.observations,
                progress=progress,
            )
        case CheckName.KEEP_ALIVE:
            return await check_keep_alive(
                target,
                connections=options.keep_alive_connections,
                rounds=options.keep_alive_rounds,
                interval=options.keep_alive_interval,
                progress=progress,
            )


def _unreachable(result: CheckResult) -> bool:
    return result.name is CheckName.REACHABILITY and result.verdict is Verdict.BROKEN


def _not_begun(name: CheckName, why: str) -> CheckResult:
    return CheckResult(name, Verdict.UNDECIDED, None, "not run", (why,))
