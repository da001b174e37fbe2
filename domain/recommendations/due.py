"""Whose lists are to be computed anew, because something happened that they follow from.

A mark is written by whoever is told of what happened, after its commit. What computes a member's
lists reads the signals after it read the mark, and writes lists and takes the mark away only where
it is still the same: of what happens while lists are computed nothing is lost, and of two who
compute at once the one who read earlier writes nothing over the other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import members
from domain.outbox import Announced, Consumer
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.lists import forget_rows, forget_shelves
from domain.storage import Table, execute, fetch_all, transaction

MARKED_AT_ONCE: Final = 100
"""Members who are marked in one transaction, which holds their locks."""

_DUE: Final = Table("recommendation_due", member_id="uuid", since="timestamptz", mark="uuid")

# Who waits already waits since then; who was done by a model whose successor is trained, since now.
_ANEW: Final = """
    (member_id) DO UPDATE SET
        mark = excluded.mark,
        since = CASE WHEN recommendation_due.computed_with IS NULL
                     THEN recommendation_due.since ELSE excluded.since END,
        computed_with = NULL
"""

_CONSENTS: Final = frozenset({"ConsentChanged", "MembersMerged", "MembersParted"})
"""After these somebody may not agree who did, or a record may have been given up."""

_SIGNALS: Final = frozenset(
    {
        "PurchaseRecorded",
        "PurchaseAmended",
        "PurchaseRefunded",
        "RewardRedeemed",
        "RedemptionCancelled",
        "InterestsDeclared",
        "NotInterestedSet",
        "LevelChanged",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A member who waits since then; whatever happens gives another mark."""

    member_id: UUID
    since: datetime
    mark: UUID


async def mark_due(member_ids: Collection[UUID], *, now: datetime) -> None:
    """Let the lists of these members be computed anew. One statement, none for nobody."""
    mark = uuid7()
    # In one order for everybody, so that two batches never wait for each other in a circle.
    await _DUE.insert(
        ({"member_id": one, "since": now, "mark": mark} for one in sorted(set(member_ids))),
        or_update=_ANEW,
    )


def shelves_consumer() -> Consumer:
    """Whoever hears what members' lists follow from.

    It looks at what holds now, so that repetition and delay do no harm.
    """

    async def hear(events: Sequence[Announced]) -> None:
        concerned = {event.member_id: event.announced_at for event in events}
        doubtful = {event.member_id for event in events if _is_doubtful(event)}
        doubtful |= {UUID(e.facts["loser_id"]) for e in events if e.kind == "MembersMerged"}
        for one in sorted(doubtful):
            await _forget_unwilling(one, now=concerned.get(one) or events[-1].announced_at)
        everybody = sorted(concerned)
        for start in range(0, len(everybody), MARKED_AT_ONCE):
            some = everybody[start : start + MARKED_AT_ONCE]
            await _mark_willing(some, now=max(concerned[one] for one in some))

    return Consumer("shelves", _CONSENTS | _SIGNALS, hear)


async def due_members(
    *, version: int, after: tuple[datetime, UUID] | None, limit: int
) -> list[Due]:
    """Those who wait for this version, the longest first. One statement."""
    rows = await fetch_all(
        """
        SELECT member_id, since, mark FROM recommendation_due
        WHERE (since > $2 OR (since = $2 AND member_id > $3))
            AND (computed_with IS NULL OR computed_with <> $1)
        ORDER BY since, member_id LIMIT $4
        """,
        *(version, *(after or _BEGINNING), limit),
    )
    return [Due(member_id=row["member_id"], since=row["since"], mark=row["mark"]) for row in rows]


async def still_due(read: Sequence[Due], *, version: int) -> list[Due]:
    """Those of whom nothing else happened since, and whom nobody else was done with meanwhile.

    In the caller's transaction, which locked the members: they stay so until it ends. One
    statement.
    """
    rows = await fetch_all(
        "SELECT member_id, mark FROM recommendation_due WHERE member_id = ANY($1::uuid[])"
        " AND (computed_with IS NULL OR computed_with <> $2) ORDER BY member_id FOR UPDATE",
        *(sorted(one.member_id for one in read), version),
    )
    marks = {row["member_id"]: row["mark"] for row in rows}
    return [one for one in read if marks.get(one.member_id) == one.mark]


async def settle_due(member_ids: Collection[UUID], *, version: int) -> None:
    """Take the marks of these away, which the caller's transaction found to be `still_due`.

    While a successor of the version is trained, or serves already, they stay: that one may have
    read the signals before. A fixed number of statements.
    """
    ids = sorted(member_ids)
    await execute(
        "UPDATE recommendation_due SET computed_with = $2 WHERE member_id = ANY($1::uuid[])",
        *(ids, version),
    )
    await execute(f"{_DONE} AND member_id = ANY($2::uuid[])", version, ids)


async def clear_due(*, version: int, limit: int) -> int:
    """Take away marks that stayed for a successor that never came; returns how many."""
    rows = await fetch_all(
        "SELECT member_id FROM recommendation_due WHERE computed_with = $1"
        " ORDER BY since, member_id LIMIT $2",
        *(version, limit),
    )
    if not rows:
        return 0
    ids = [row["member_id"] for row in rows]
    return await execute(f"{_DONE} AND member_id = ANY($2::uuid[])", version, ids)


_BEGINNING: Final = (datetime.fromisoformat("1970-01-01T00:00:00+00:00"), UUID(int=0))

_DONE: Final = """
    DELETE FROM recommendation_due WHERE computed_with = $1 AND NOT EXISTS (
        SELECT 1 FROM recommendation_model AS m
        WHERE m.status = 'TRAINING' OR (m.status = 'ACTIVE' AND m.version > $1)
    )
"""


async def _mark_willing(member_ids: Collection[UUID], *, now: datetime) -> None:
    async def work() -> None:
        # Beside a withdrawal or an erasure no mark is written that would be left.
        standing = await members.lock_members(member_ids)
        await mark_due(await members.consenting(set(standing.values()), PERSONALIZATION), now=now)

    await transaction(work)


def _is_doubtful(event: Announced) -> bool:
    """Whether the member may not agree any more, or may have no record of their own."""
    if event.kind == "ConsentChanged":
        return event.facts["purpose"] == PERSONALIZATION and not event.facts["granted"]
    return event.kind in _CONSENTS


async def _forget_unwilling(member_id: UUID, *, now: datetime) -> None:
    async def work() -> None:
        standing = (await members.lock_members([member_id])).get(member_id)
        # A record that was given up has no shelves: they follow from what the other one has now.
        if standing != member_id:
            await forget_rows([member_id])
        if standing is not None and not await members.has_consented(standing, PERSONALIZATION):
            await forget_shelves([standing], now=now)

    await transaction(work)
