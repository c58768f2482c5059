"""What can go wrong with a call, by what it says about the call itself.

Every error has ``happened``: False when KATO certainly did not do what was asked, None when that
could not be found out. A call that raised an error with ``happened`` False may be made again.
"""

from typing import ClassVar


class KatoError(Exception):
    """Base of every error of this package; the cause is kept in ``__cause__``.

    ``instance`` is the name of the last instance that was asked, ``session`` the session's id.
    """

    happened: ClassVar[bool | None] = False

    def __init__(
        self, message: str, *, instance: str | None = None, session: str | None = None
    ) -> None:
        self.message = message
        self.instance = instance
        self.session = session
        super().__init__(message)


class NoInstance(KatoError):  # noqa: N818 - named after what the caller sees
    """No instance took the call: connections failed, or all refused it. Nothing was done."""


class OutOfTime(KatoError):  # noqa: N818
    """The deadline passed before the call could be sent, or while only reading. Nothing was
    done."""


class SessionHeld(KatoError):  # noqa: N818
    """An earlier write of this session may still run in an instance that does not answer.

    Another instance would lose it or be overwritten by it, so nothing was sent. The session goes
    on when the instance answers again or is replaced.
    """


class RetryBudgetSpent(KatoError):  # noqa: N818
    """Too large a share of the recent calls were repeats; this one was not repeated."""


class UnknownOutcome(KatoError):  # noqa: N818
    """The call may or may not have happened, and reading the session did not tell."""

    happened = None


class ServerFailed(KatoError):  # noqa: N818
    """KATO answered with a server error and did not do what was asked.

    ``status`` is the HTTP status, ``body`` the answer's text.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        body: str,
        instance: str | None = None,
        session: str | None = None,
    ) -> None:
        super().__init__(message, instance=instance, session=session)
        self.status = status
        self.body = body


class Refused(ServerFailed):
    """KATO answered with 4xx: the call itself is wrong, another instance would say the same."""


class SessionNotFound(Refused):
    """The session is gone: KATO's store answers and does not have it."""


class StoreUnavailable(KatoError):  # noqa: N818
    """KATO said that the session is unknown, but could not reach its store to know. Nothing was
    done; do not create the session again."""


class RegionDown(KatoError):  # noqa: N818
    """The session's region does not serve. The session lives in that region's store only."""
