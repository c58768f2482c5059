"""One change of the machine's cluster at a time, whichever clone asks for it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from dev.cluster import layout
from dev.toolchain import steps

_POLL_SECONDS = 0.2


@contextlib.contextmanager
def exclusive(limit: float = 1800) -> Iterator[None]:
    """Hold the machine's lock; others wait up to ``limit`` seconds. Needs root."""
    if os.geteuid() != 0:
        raise steps.SetupError(
            "a cluster's node needs root",
            "run this as root, or give your own cluster with --kubeconfig",
        )
    started = time.monotonic()
    with layout.LOCK.open("w") as handle:
        waiting = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    steps.say("the cluster is being started or stopped; waiting for that")
                    waiting = True
            if time.monotonic() - started > limit:
                raise steps.SetupError(
                    f"another process held {layout.LOCK} for {limit:.0f} s",
                    "end that process, then run this again",
                )
            time.sleep(_POLL_SECONDS)
        yield
