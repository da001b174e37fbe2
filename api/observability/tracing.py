"""Traces: HTTP request -> operation -> statements and calls to others.

A trace says what was done and how long it took, never with which values: no variables, no values of
statements, no query strings, no keys of Redis, no ids of callers. This module is what the gateway
calls. It needs nothing of OpenTelemetry, which `spans` brings in where an endpoint is set; without
one, what remains is a look at a context variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from api.observability.spans import Spans

Attributes: TypeAlias = Mapping[str, str | int | float | bool]

_current: ContextVar[Spans | None] = ContextVar("spans", default=None)


def current() -> Spans | None:
    """What makes the spans of this request, or None where none are recorded."""
    return _current.get()


@contextmanager
def recording(spans: Spans | None) -> Iterator[None]:
    """Let spans be made by `spans` inside the block, or not at all."""
    token = _current.set(spans)
    try:
        yield
    finally:
        _current.reset(token)


class Part:
    """One span that is under way; where none is recorded it takes everything and keeps nothing."""

    __slots__ = ("_span", "_spans")

    def __init__(self, spans: Spans | None = None, span: Span | None = None) -> None:
        self._spans, self._span = spans, span

    @property
    def is_recorded(self) -> bool:
        """Whether it is worth finding out what to say."""
        return self._span is not None

    def rename(self, name: str) -> None:
        """Give it the name that became known."""
        if self._span is not None:
            self._span.update_name(name)

    def describe(self, attributes: Attributes) -> None:
        """Add to what is said of it."""
        if self._span is not None:
            self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        """Mark it as failed; `reason` is a code or the name of a class."""
        if self._spans is not None and self._span is not None:
            self._spans.mark_failed(self._span, reason)


NOT_RECORDED = Part()


@contextmanager
def part(name: str, attributes: Attributes | None = None, *, calls: bool = False) -> Iterator[Part]:
    """A span below the current one; what is raised inside marks it as failed.

    `calls` says that it stands for a call to another server.
    """
    spans = _current.get()
    if spans is None:
        yield NOT_RECORDED
        return
    with spans.child(name, attributes, calls=calls) as span:
        under_way = Part(spans, span)
        try:
            yield under_way
        except BaseException as failure:
            under_way.fail(type(failure).__name__)
            raise


def traceparent() -> str | None:
    """The W3C header that names the current span, for whoever is called; None where none is."""
    spans = _current.get()
    return spans.traceparent() if spans is not None else None
