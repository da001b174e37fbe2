"""Looking back as a reader of everything does: the balances of a moment, with their reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from domain.ledger import REASONS_MAX, PointsAt, PointsReason, look_back


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsThen(PointsAt):
    """Balances as of a moment, and the newest entries that they are made of, newest first."""

    reasons: tuple[PointsReason, ...] = ()


async def points_at(
    member_id: UUID, *, as_of: datetime, known_at: datetime | None = None, now: datetime
) -> PointsThen:
    """The member's points of that moment with REASONS_MAX reasons. See `look_back`."""
    found = await look_back(member_id, as_of=as_of, known_at=known_at, now=now)
    return PointsThen(**asdict(found.points), reasons=await found.reasons(REASONS_MAX))
