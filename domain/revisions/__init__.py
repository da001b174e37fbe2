"""What an answer is made of: how far the streams of events have come, and which moments passed.

Whatever a member reads of themselves and of the programme changes in three ways only: with an event
of theirs, with one of the programme, or because time passes a moment that is known beforehand; and
what is recommended also as a reward sells out, which is not announced. So two answers to one
question are the same when their revisions are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain import ledger, recommendations, rewards, tiers
from domain.outbox import POSITION, PROGRAMME
from domain.program import TIME_ZONE
from domain.storage import dialect, fetch_one

NOBODY: Final = UUID(int=2**128 - 1)
"""Stands for who is no member: nothing is kept under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """Equal revisions of one caller: nothing that they can read has changed.

    `member` and `programme` are positions in their streams. `moments` are those last passed at
    which points mature, expire or come to expire soon, holds run out, and coupons expire, the one
    at which a review became due that is not settled yet, and those at which something that is
    recommended came or went; None where none was. Among them is which rewards are sold out.
    `today` is the programme's local date, by which levels and quotas are counted.
    """

    member: int
    programme: int
    moments: tuple[object, ...]
    today: date


_REVISION: Final = {
    engine: f"""
    SELECT {POSITION} AS member, {POSITION.replace("$1", "$4")} AS programme,
           {TIME_ZONE} AS time_zone, {ledger.DUE_MOMENTS}, {rewards.DUE_MOMENTS},
           {tiers.DUE_MOMENTS}, {recommendations.changes(engine)}
    """
    for engine in ("postgres", "sqlite")
}
"""By the database; $1 the member, $2 now, $3 and $5 as the parts say, $4 the programme's stream."""


async def revision(member_id: UUID | None, *, now: datetime) -> Revision:
    """The revision as of `now` of what a member can read, or anybody else. One statement.

    Read it before the answer: what is written in between makes the answer newer than its revision,
    never older.
    """
    row = await fetch_one(
        *(_REVISION[dialect()], member_id or NOBODY, now, now + ledger.EXPIRING_SOON, PROGRAMME),
        now - recommendations.INTRODUCED_LATELY,
    )
    assert row is not None, "a row of values without a table"
    return Revision(
        member=row["member"],
        programme=row["programme"],
        moments=(
            *(row[column] for column in ledger.DUE_COLUMNS),
            row["coupon_expired_at"],
            row["level_due_at"],
            *(row[column] for column in recommendations.CHANGE_COLUMNS),
        ),
        today=now.astimezone(ZoneInfo(row["time_zone"])).date(),
    )


__all__ = ["Revision", "revision"]
