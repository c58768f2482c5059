"""The uvicorn command line, which carries most of KATO's process behaviour."""

import pytest

from dev.kato_stand_in.__main__ import command


def flags(**environment: str) -> dict[str, str]:
    words = command(environment)
    return {
        word: words[at + 1]
        for at, word in enumerate(words[:-1])
        if word.startswith("--") and not words[at + 1].startswith("--")
    }


def test_the_flags_of_the_image() -> None:
    given = flags(PORT="9000")
    given.pop("--app-dir")
    assert given.pop("--loop") == "dev.kato_stand_in.event_loop:SpreadingLoop"
    assert given == {
        "--host": "0.0.0.0",
        "--port": "8000",
        "--workers": "4",
        "--limit-concurrency": "100",
        "--timeout-keep-alive": "5",
        "--timeout-graceful-shutdown": "30",
        "--backlog": "2048",
    }


def test_what_the_environment_changes() -> None:
    given = flags(KATO_WORKERS="1", KATO_LIMIT_CONCURRENCY="500", STAND_IN_GRACEFUL_SHUTDOWN="90")
    assert given["--workers"] == "1"
    assert "--loop" not in given
    assert given["--limit-concurrency"] == "500"
    assert given["--timeout-graceful-shutdown"] == "90"


@pytest.mark.parametrize("release", ["3.0.0", "3.4.0"])
def test_early_releases_exit_after_ten_thousand_requests(release: str) -> None:
    given = flags(STAND_IN_RELEASE=release, KATO_WORKERS="4")
    assert given["--limit-max-requests"] == "10000"
    assert given["--workers"] == "1"
    assert "--timeout-graceful-shutdown" not in given


def test_release_3_9_has_one_worker_and_no_request_limit() -> None:
    given = flags(STAND_IN_RELEASE="3.9.3", KATO_WORKERS="4")
    assert given["--workers"] == "1"
    assert given["--timeout-graceful-shutdown"] == "30"
    assert "--limit-max-requests" not in given
