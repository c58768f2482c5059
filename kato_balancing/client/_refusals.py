"""Whether a failed connection was refused: then no process listens there."""

from collections.abc import Iterator


def is_refused(error: BaseException | None) -> bool:
    """True when every address refused; False for names that are not found and for silence."""
    ends = list(_ends(error))
    return bool(ends) and all(isinstance(end, ConnectionRefusedError) for end in ends)


def _ends(error: BaseException | None) -> Iterator[BaseException]:
    """The first causes: httpx wraps httpcore, which wraps the system's (anyio: a group of them)."""
    if error is None:
        return
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _ends(one)
        return
    deeper = error.__cause__ or error.__context__
    if deeper is None or isinstance(error, ConnectionRefusedError):
        yield error
    else:
        yield from _ends(deeper)
