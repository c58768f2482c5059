"""Image references: their parts, and which KATO releases may run."""

import pytest

from kato_balancing import images

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("reference", "repository", "tag", "version"),
    [
        ("kato:6.3.0", "kato", "6.3.0", (6, 3, 0)),
        ("registry.example/owner/kato:v6.3.0", "registry.example/owner/kato", "v6.3.0", (6, 3, 0)),
        ("localhost:5000/kato:6.3", "localhost:5000/kato", "6.3", (6, 3, 0)),
        ("r:5000/a/b_c/kato:1.30.4-alpine", "r:5000/a/b_c/kato", "1.30.4-alpine", (1, 30, 4)),
        ("kato:6.3.0-rc.1", "kato", "6.3.0-rc.1", (6, 3, 0)),
        ("kato:main", "kato", "main", None),
        ("kato:main-4f0c2d9", "kato", "main-4f0c2d9", None),
        ("kato:6", "kato", "6", None),
        ("kato:20260131", "kato", "20260131", None),
        (f"kato@{DIGEST}", "kato", None, None),
        (f"kato:6.3.0@{DIGEST}", "kato", "6.3.0", (6, 3, 0)),
        (f"kato:latest@{DIGEST}", "kato", "latest", None),
    ],
)  # fmt: skip
def test_a_reference_is_taken_apart(
    reference: str, repository: str, tag: str | None, version: tuple[int, int, int] | None
) -> None:
    image = images.parse(reference)

    assert (image.repository, image.tag, image.version) == (repository, tag, version)
    assert image.digest == (DIGEST if "@" in reference else None)


@pytest.mark.parametrize("reference", ["kato", "kato:latest", "localhost:5000/kato", "a/b/kato"])
def test_what_runs_must_be_stated(reference: str) -> None:
    with pytest.raises(ValueError, match="no fixed tag; name the version"):
        images.parse(reference)


@pytest.mark.parametrize(
    "reference",
    [
        *(
            "",
            "Kato:6.3.0",
            "registry.example/Owner/kato:6.3.0",
            "kato:",
            "kato:6.3.0 ",
            " kato:6.3.0",
        ),
        *(
            "https://registry.example/kato:6.3.0",
            "kato@sha256:0a",
            "kato:6.3.0\n",
            "kato:-x",
            "/kato:1.0",
        ),
        *("kato:" + "a" * 129, "kato//x:1.0"),
    ],
)
def test_what_has_no_form_is_refused_with_an_example(reference: str) -> None:
    with pytest.raises(ValueError, match="is not an image reference; write registry/name:tag"):
        images.parse(reference)


@pytest.mark.parametrize("tag", ["5.0.1", "v5.0.1", "4.9", "3.10.1", "5.0.1-rc1"])
def test_a_release_that_can_dead_lock_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match=r"use 5\.0\.2 or newer .*PROCESS_PREDICTIONS"):
        images.check_kato(f"kato:{tag}")


@pytest.mark.parametrize("tag", ["5.0.1", "3.10.1"])
def test_without_predictions_it_may_run(tag: str) -> None:
    image = images.check_kato(f"kato:{tag}", predictions=False)

    assert image.tag == tag
    assert "stale statistics" in (images.advice(image) or "")


@pytest.mark.parametrize(
    ("reference", "advised"),
    [
        ("kato:5.0.2", True),
        ("kato:5.1.0", True),
        ("kato:5.2.0", False),
        ("kato:v6.3.0", False),
        ("kato:main", False),
        (f"kato@{DIGEST}", False),
        ("kato-lb/kato-stand-in:6.3.0", False),
    ],
)
def test_a_release_with_stale_statistics_is_advised_against(reference: str, advised: bool) -> None:
    advice = images.advice(images.check_kato(reference))

    assert (advice is not None) is advised
    assert advised is False or "5.2.0 and newer do not" in str(advice)


@pytest.mark.parametrize(
    ("reference", "stand_in"),
    [
        ("kato-lb/kato-stand-in:6.3.0", True),
        ("localhost:5000/kato-stand-in:6.3.0", True),
        ("kato-stand-in/kato:6.3.0", False),
        ("kato-lb/not-kato-stand-in:6.3.0", False),
    ],
)
def test_the_stand_in_is_known_by_its_name(reference: str, stand_in: bool) -> None:
    assert images.parse(reference).is_stand_in is stand_in
