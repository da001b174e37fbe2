"""Reviews: levels whose time is over are renewed or lowered, without anything being posted.

It works in batches, each a transaction of its own, so it may be stopped anywhere and run by any
number of workers: who was reviewed is not due any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import NEVER, lock_accounts
from domain.members import lock_members
from domain.program import program
from domain.storage import execute, fetch_all, fetch_one, transaction
from domain.tiers.careers import Because
from domain.tiers.holdings import load_careers, load_days, write_careers
from domain.tiers.level_rules import read_ladder
from domain.tiers.qualifying import LevelChanged, changes_of

BEGINNING: Final = (datetime(1, 1, 2, tzinfo=UTC), UUID(int=0))
"""Where a walk over those who are due begins."""

# A page reads its own rows of the index alone, however many are due at one instant.
_DUE: Final = """
    SELECT next_review_at, member_id FROM member_level
    WHERE next_review_at <= $1 AND (next_review_at, member_id) > ($2, $3)
    ORDER BY next_review_at, member_id LIMIT $4
"""


async def due_members(
    *, now: datetime, limit: int, after: tuple[datetime, UUID] = BEGINNING
) -> list[tuple[datetime, UUID]]:
    """Who is due for a review as of `now`, those first who wait longest, with the moment.

    `after` is the last one of the page before. Nothing is locked.
    """
    rows = await fetch_all(_DUE, now, *after, limit)
    return [(row["next_review_at"], row["member_id"]) for row in rows]


async def review(
    member_ids: Collection[UUID], *, zone: ZoneInfo, now: datetime
) -> list[LevelChanged]:
    """Decide all that is due of the members, and lift those whom today's rules and levels lift.

    Who is lifted so gains by new definitions (REDEFINED): what somebody earns lifts them at once. A
    fixed number of statements for up to some hundred members, in one transaction, which joins the
    caller's; members and accounts are locked. A record that was given up or erased is not due any
    more. Returns the changes.
    """

    async def work() -> list[LevelChanged]:
        ladder = await read_ladder()
        leads = await lock_members(member_ids)
        standing = [one for one in member_ids if leads.get(one) == one]
        await lock_accounts(standing)
        await _close(sorted(set(member_ids) - set(standing)))
        if ladder is None:
            return []
        careers = await load_careers(standing, ladder=ladder, zone=zone)
        await load_days(careers.values(), now=now)
        for stored in careers.values():
            stored.career.settle(now=now)
            stored.career.look(now=now, because=Because.REDEFINED)
        await write_careers(careers.values(), sources={}, now=now)
        return changes_of(careers.values())

    return await transaction(work)


async def review_if_due(member_id: UUID, *, now: datetime) -> None:
    """Review the member where their level's time is over; otherwise one statement, without a lock.

    In the caller's transaction, before it locks accounts: a review locks the member first.
    """
    due = await fetch_one(
        "SELECT 1 AS one FROM member_level WHERE member_id = $1 AND next_review_at <= $2",
        *(member_id, now),
    )
    if due is not None:
        await review([member_id], zone=(await program()).zone, now=now)


async def _close(member_ids: Sequence[UUID]) -> None:
    if member_ids:
        await execute(
            "UPDATE member_level SET next_review_at = $2 WHERE member_id = ANY($1::uuid[])",
            *(list(member_ids), NEVER),
        )
