"""A member's points as of now or of a moment, with what they are made of where it is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.ledger import Balance, EntryKind, ExpiringPoints, LookBack, PointsAt, PointsReason
from resolvers.ledger import EntryRecord, records


@dataclass(frozen=True, slots=True)
class ReasonRecord:
    """Something that counts; `entry` is None as long as none is written."""

    kind: EntryKind
    amount: int
    effective_at: datetime
    entry: EntryRecord | None


@dataclass(frozen=True, slots=True)
class PointsRecord:
    """Balances, and how to look for their reasons."""

    shown: Balance | PointsAt
    past: Callable[[], Awaitable[LookBack]]

    @property
    def available(self) -> int:
        """What may be spent."""
        return self.shown.available

    @property
    def pending(self) -> int:
        """What has not matured."""
        return self.shown.pending

    @property
    def held(self) -> int:
        """What is set aside."""
        return self.shown.held

    @property
    def debt(self) -> int:
        """What is owed."""
        return self.shown.debt

    @property
    def expiring_soon(self) -> Sequence[ExpiringPoints]:
        """What expires soon; nothing of the past does."""
        return self.shown.expiring_soon if isinstance(self.shown, Balance) else ()

    async def reasons(self, first: int) -> list[ReasonRecord]:
        """The newest of what counts."""
        past = await self.past()
        reasons = await past.reasons(first)
        entries = records([one.entry for one in reasons if one.entry is not None])
        written = {one.seq: one for one in entries}
        return [_record_of(one, written=written) for one in reasons]


def _record_of(reason: PointsReason, *, written: Mapping[int, EntryRecord]) -> ReasonRecord:
    return ReasonRecord(
        kind=reason.kind,
        amount=reason.amount,
        effective_at=reason.effective_at,
        entry=None if reason.entry is None else written[reason.entry.seq],
    )


def points_now(balance: Balance, *, past: Callable[[], Awaitable[LookBack]]) -> PointsRecord:
    """The points of this moment; `past` is asked for reasons only."""
    return PointsRecord(balance, past)


def points_then(past: LookBack) -> PointsRecord:
    """The points of a moment that was looked up."""

    async def found() -> LookBack:
        return past

    return PointsRecord(past.points, found)
