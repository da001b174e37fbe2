"""What the engines tell of each statement, to whoever listens: metrics, traces, the slow log.

Listeners belong to the process, not to a request; one that wants to know on whose behalf a
statement ran looks at its own context variables, since it is called in the task that sent it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that has ended, or was ended. `text` has placeholders, never values.

    `started_at` is on the clock of `time.perf_counter`; the wait for a connection is not part of
    `duration_s`, except for what the ORM sends outside a transaction. `rows` is how many came back
    or were changed, None where nobody counted them.
    """

    text: str
    started_at: float
    duration_s: float
    rows: int | None
    failed: bool


class StorageListener(Protocol):
    """Told of what the engines do, in the task that does it. It must be quick and raise nothing."""

    def statement_ended(self, statement: Statement) -> None:
        """A statement ended, well or not."""
        ...

    def connection_awaited(self, waited_s: float, *, granted: bool) -> None:
        """Somebody waited for a connection (or for SQLite's writer), and got one or did not."""
        ...


_listeners: tuple[StorageListener, ...] = ()


def listen(listener: StorageListener) -> Callable[[], None]:
    """Have the listener told from now on; returns what ends it."""
    global _listeners  # noqa: PLW0603 - one database per process, and one set of listeners to it
    _listeners = (*_listeners, listener)

    def leave() -> None:
        global _listeners  # noqa: PLW0603 - as above
        _listeners = tuple(one for one in _listeners if one is not listener)

    return leave


class running:  # noqa: N801 - a context manager, read as a word
    """The block that runs one statement. `rows` may be set inside it."""

    __slots__ = ("_started_at", "_text", "rows")

    def __init__(self, text: str) -> None:
        self._text = text
        self.rows: int | None = None

    def __enter__(self) -> running:
        self._started_at = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not _listeners:
            return
        statement = Statement(
            text=self._text,
            started_at=self._started_at,
            duration_s=time.perf_counter() - self._started_at,
            rows=self.rows,
            failed=kind is not None,
        )
        for listener in _listeners:
            listener.statement_ended(statement)


class waiting:  # noqa: N801 - a context manager, read as a word
    """The block that waits for a connection."""

    __slots__ = ("_started_at",)

    def __enter__(self) -> None:
        self._started_at = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not _listeners:
            return
        waited_s = time.perf_counter() - self._started_at
        for listener in _listeners:
            listener.connection_awaited(waited_s, granted=kind is None)
