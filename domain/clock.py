"""The clock of the programme: the database's time, read from the local clock and a measured offset.

Database time is authoritative, so that workers on machines with different clocks agree on what has
matured and what has expired. Asking the database on each request would cost a round trip; instead
the offset is measured at start-up and again at intervals (see `domain.storage.synchronise_clock`).
Domain functions never call this module: they take `now` as an argument.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the database's time. The offset is zero until it is measured."""

    def __init__(self) -> None:
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """The present moment, aware, UTC, microsecond resolution."""
        return datetime.now(UTC) + self._offset

    def correct(self, *, database_now: datetime) -> timedelta:
        """Take the database's time for the present moment; returns the new offset."""
        self._offset = database_now - datetime.now(UTC)
        return self._offset
