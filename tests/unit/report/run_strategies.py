"""Runs with any text and any figures that a document may hold."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from kato_balancing.report.json_limits import LARGEST
from kato_balancing.report.run_document import (
    Check,
    Failures,
    Kind,
    Latency,
    Mark,
    PoolFigures,
    Run,
    Slice,
    Step,
    Traffic,
    Verdict,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "</title></style><script src=//elsewhere.example/x.js></script>",
    "\"><img src=x onerror='alert(1)'>",
    "]]><!-- --><?php ?>",
    "</text></svg><iframe href='javascript:alert(1)'>",
    "&lt;b&gt; &amp;amp; &#60;i&#62; &notit;",
    "<!DOCTYPE svg [<!ENTITY x 'y'>]>&x;",
    "kato-\x00\x1b[31m\u202e\ufeff\uffff",
    "<plaintext>",
    "@import url(http://elsewhere.example)",
)

texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=12),
    st.lists(st.sampled_from(["<", ">", "</", "&", '"', "'", "script", "=", " ", "-->"])).map(
        "".join
    ),
)
counts = st.one_of(st.integers(0, 1000), st.just(LARGEST))
numbers = st.floats(0, LARGEST, allow_nan=False)
latencies = st.none() | st.builds(Latency, numbers, numbers, numbers, st.none() | numbers)
figure_values = st.recursive(
    st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | texts
    | st.floats(-LARGEST, LARGEST, allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
traffics = st.builds(
    Traffic,
    seconds=numbers,
    requests=counts,
    failed=counts,
    latency=latencies,
    servers=st.dictionaries(texts, counts, max_size=3),
    interval=st.floats(0.001, LARGEST),
    series=st.lists(st.builds(Slice, numbers, counts, counts, latencies), max_size=3).map(tuple),
    marks=st.lists(st.builds(Mark, numbers, texts), max_size=3).map(tuple),
    failures=st.lists(
        st.builds(Failures, texts, texts, counts, numbers, numbers, texts), max_size=3
    ).map(tuple),
)
checks = st.builds(
    Check,
    name=texts,
    verdict=st.sampled_from(Verdict),
    summary=texts,
    figures=st.dictionaries(texts, figure_values, max_size=3),
    messages=st.lists(texts, max_size=2).map(tuple),
    traffic=st.none() | traffics,
)
pools = st.builds(PoolFigures, counts, counts, latencies)
steps = st.builds(
    Step,
    share=st.floats(0, 100),
    at=numbers,
    seconds=numbers,
    primary=pools,
    canary=pools,
    verdict=st.sampled_from(Verdict),
    why=texts,
)
moments = st.datetimes(
    min_value=datetime(1, 1, 3),
    max_value=datetime(9999, 12, 29),
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))]),
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Any run; only a rollout has steps."""
    kind = draw(st.sampled_from(Kind))
    return Run(
        kind=kind,
        url=draw(texts),
        began=draw(moments),
        checks=tuple(draw(st.lists(checks, min_size=1, max_size=2))),
        steps=tuple(draw(st.lists(steps, max_size=2))) if kind is Kind.ROLLOUT else (),
    )
