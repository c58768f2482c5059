"""Proofs against a running balancer, through KATO's public interface only.

>>> from kato_balancing.verify import VerifyOptions, verify
>>> report = verify("http://127.0.0.1:8080", VerifyOptions(sessions=20))  # doctest: +SKIP
>>> report.holds  # doctest: +SKIP
True
"""

from kato_balancing.verify.options import CheckName, OptionError, VerifyOptions
from kato_balancing.verify.report import CheckResult, Report, Verdict
from kato_balancing.verify.runner import verify, verify_async

__all__ = [
    "CheckName",
    "CheckResult",
    "OptionError",
    "Report",
    "Verdict",
    "VerifyOptions",
    "verify",
    "verify_async",
]
