"""Which traces are recorded, and what the W3C headers say of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr, ValidationError

from api.observability import tracing
from api.observability.settings import TraceSettings
from api.observability.spans import Spans
from tests.graphql.collector import Collector, collecting

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01"
NOT_SAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.mark.parametrize(
    ("ratio", "traceparent", "recorded"),
    [
        (1.0, None, True),
        (1.0, SAMPLED, True),
        (1.0, NOT_SAMPLED, False),
        (1.0, "no header of this kind", True),
        (0.0, None, False),
        (0.0, SAMPLED, False),  # Nobody makes us record more than our share.
    ],
)
def test_what_is_sampled(
    ratio: float, traceparent: str | None, recorded: bool, collector: Collector
) -> None:
    spans = Spans(TraceSettings(endpoint=collector.url, sample_ratio=ratio))
    span = spans.request("work", {"traceparent": traceparent} if traceparent else {})
    with spans.within(span):
        told = spans.traceparent()
    spans.flush()
    spans.close()

    assert [one.name for one in collector.spans] == (["work"] if recorded else [])
    assert told is not None
    _, trace_id, _, flags = told.split("-")
    assert int(flags, 16) & 1 == recorded
    assert (trace_id == TRACE) == (traceparent in {SAMPLED, NOT_SAMPLED})


def test_where_nothing_is_recorded_parts_cost_and_keep_nothing() -> None:
    with tracing.part("work") as part:
        assert part is tracing.NOT_RECORDED
        part.rename("other")
        part.describe({"a": 1})
        part.fail("reason")
    assert tracing.traceparent() is None


def test_what_is_raised_marks_the_span_by_its_class_alone(collector: Collector) -> None:
    spans = Spans(TraceSettings(endpoint=collector.url))

    def fail() -> None:
        with tracing.recording(spans), tracing.part("work"):
            raise ValueError("a secret")

    with pytest.raises(ValueError, match="a secret"):
        fail()
    spans.flush()
    spans.close()
    span = collector.one("work")
    assert (span.failed, span.attributes) == (True, {"error.type": "ValueError"})
    assert not any(b"a secret" in body for body in collector.bodies)


def test_settings_keep_their_secrets() -> None:
    with pytest.raises(ValidationError, match="endpoint"):
        TraceSettings(endpoint="collector:4318")
    settings = TraceSettings(headers={"x-key": SecretStr("the-key")})
    assert "the-key" not in f"{settings!r} {settings.model_dump_json()}"
