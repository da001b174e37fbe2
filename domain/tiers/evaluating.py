"""Re-evaluating levels: those whose time has come, and those of everybody.

What is due by the time alone is found by an index (`member_level.next_review_at`). A walk goes over
all members, for what no index tells: levels or rules that were changed. It looks at some hundred
members at once without a lock, decides purely what would change, and locks only those for whom
something does. Both work in batches, each a short transaction of its own, so they may be stopped or
killed anywhere and run by several workers: a review that was done is not due any more, and a walk
keeps its place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import structlog

from domain.ledger import NEVER
from domain.storage import Table, fetch_all, fetch_one, inside_transaction
from domain.tiers.careers import Because
from domain.tiers.holdings import Stored, load_careers, load_days, load_windows
from domain.tiers.ladder import Ladder
from domain.tiers.level_rules import read_ladder
from domain.tiers.reviewing import BEGINNING, due_members, review

log = structlog.get_logger("jifen.tiers")

BATCH_S: Final = 0.03
"""How long a batch should keep its locks; it may take longer where members are unlike the last."""

MEMBERS_MIN: Final = 16
"""A batch of fewer would take hardly less time: the statements themselves take most of it then."""

MEMBERS_MAX: Final = 100
LOOKED_AT: Final = 500
"""At so many members a walk looks at once, without a lock."""

_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWalk:
    """A walk over all members, by its name.

    One that was cut off is gone on with, unless levels or rules were changed meanwhile: then it
    begins anew. One that is over begins anew with another slot; without slots, each time.
    """

    name: str
    slot_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What was done: members looked at, those whose level changed; `done` when all were.

    `locks` were taken, the longest for `slowest_s` seconds. `unsound` are members whose rows
    contradict each other, who were passed over.
    """

    members: int = 0
    changed: int = 0
    locks: int = 0
    slowest_s: float = 0.0
    done: bool = False
    unsound: frozenset[UUID] = frozenset()

    def also(self, other: Evaluated) -> Evaluated:
        """Both together; done when this one is."""
        return Evaluated(
            members=self.members + other.members,
            changed=self.changed + other.changed,
            locks=self.locks + other.locks,
            slowest_s=max(self.slowest_s, other.slowest_s),
            done=self.done,
            unsound=self.unsound | other.unsound,
        )


async def settle_due_levels(
    *,
    now: datetime,
    zone: ZoneInfo,
    within_s: float = float("inf"),
    told: Callable[[Evaluated], None] = lambda found: None,
) -> Evaluated:
    """Decide what is due as of `now`, for as many members as `within_s` seconds are enough for.

    `told` hears after each batch how far it came. Not inside a transaction.
    """
    assert not inside_transaction(), "each batch is a transaction of its own"
    batches = _Batches(zone=zone, now=now)
    began = perf_counter()
    found, after = Evaluated(), BEGINNING
    while perf_counter() - began < within_s:
        due = await due_members(now=now, limit=batches.members, after=after)
        if not due:
            return replace(found, done=True)
        # Beginning anew each time would pass over all that were reviewed before, which the index
        # holds until it is vacuumed; and over those whose rows are unsound, which stay due.
        after = due[-1]
        found = await batches.review([member_id for _, member_id in due], found)
        told(found)
    return found


async def members_due(*, now: datetime) -> int:
    """How many members are due for a review as of `now`."""
    row = await fetch_one(
        "SELECT COUNT(*) AS members FROM member_level WHERE next_review_at <= $1", now
    )
    assert row is not None, "a count without a group has one row"
    members: int = row["members"]
    return members


async def evaluate_levels(
    walk: LevelWalk,
    *,
    now: datetime,
    zone: ZoneInfo,
    within_s: float = float("inf"),
    told: Callable[[Evaluated], None] = lambda found: None,
) -> Evaluated:
    """Go over all members as of `now`, or over those that the walk has left.

    After `within_s` seconds it ends where it is. `told` hears how far it came. Whom the levels and
    rules lift that are in force now is lifted (REDEFINED), and what is due as of `now` is decided.
    Not inside a transaction.
    """
    assert not inside_transaction(), "each batch is a transaction of its own"
    ladder = await read_ladder()
    if ladder is None:
        return Evaluated(done=True)
    place = await _begin(walk, definitions=_digest(ladder, zone=zone), now=now)
    batches = _Batches(zone=zone, now=now)
    began = perf_counter()
    found = Evaluated(done=place.finished_at is not None)
    while not found.done and perf_counter() - began < within_s:
        members = await _following(place.after_member or _FIRST)
        changing = await _changing(members, ladder=ladder, zone=zone, now=now)
        before = found
        while changing:
            some, changing = changing[: batches.members], changing[batches.members :]
            found = await batches.review(some, found)
        # Who was reviewed is among those who were looked at.
        found = replace(found, members=before.members + len(members), done=not members)
        place = place.after(members, changed=found.changed - before.changed, now=now)
        await _keep_place(place)
        told(found)
    return found


async def members_to_evaluate() -> int:
    """How many members a walk over everybody looks at."""
    row = await fetch_one(_MEMBERS)
    assert row is not None, "a count without a group has one row"
    members: int = row["members"]
    return members


class _Batches:
    """Reviews under locks, as many members at a time as keep them for about BATCH_S."""

    def __init__(self, *, zone: ZoneInfo, now: datetime) -> None:
        self.members = MEMBERS_MIN
        self._review = partial(review, zone=zone, now=now)

    async def review(self, members: Sequence[UUID], before: Evaluated) -> Evaluated:
        """Review some members; what is found is added to what was before."""
        began = perf_counter()
        try:
            changes = await self._review(members)
        except AssertionError:
            if len(members) > 1:
                # One whose rows contradict each other must not keep the others from their reviews.
                for member in members:
                    before = await self.review([member], before)
                return before
            log.exception("level_unsound", members=tuple(members))
            return replace(before, unsound=before.unsound | set(members))
        took_s = perf_counter() - began
        fitting = len(members) * BATCH_S / max(took_s, 0.001)
        if fitting < len(members):
            self.members = max(int(fitting), len(members) // 2, MEMBERS_MIN)
        elif len(members) == self.members:  # A smaller one says nothing of larger ones.
            self.members = min(int(fitting), self.members * 2, MEMBERS_MAX)
        return replace(
            before,
            members=before.members + len(members),
            changed=before.changed + len({change.member_id for change in changes}),
            locks=before.locks + 1,
            slowest_s=max(before.slowest_s, took_s),
        )


# Who ever qualified for anything, or has a level, which may have come from elsewhere.
_FOLLOWING: Final = """
    SELECT member_id FROM (
        SELECT DISTINCT member_id FROM qualifying_day WHERE member_id > $1
        ORDER BY member_id LIMIT $2
    ) AS qualified
    UNION
    SELECT member_id FROM (
        SELECT member_id FROM member_level WHERE member_id > $1 ORDER BY member_id LIMIT $2
    ) AS held
    ORDER BY member_id LIMIT $2
"""
_MEMBERS: Final = """
    SELECT COUNT(*) AS members FROM (
        SELECT member_id FROM qualifying_day UNION SELECT member_id FROM member_level
    ) AS everybody
"""


async def _following(after: UUID) -> list[UUID]:
    """The members at whom the walk looks next, by their ids."""
    return [row["member_id"] for row in await fetch_all(_FOLLOWING, after, LOOKED_AT)]


async def _changing(
    members: Sequence[UUID], *, ladder: Ladder, zone: ZoneInfo, now: datetime
) -> list[UUID]:
    """Those for whom a review would change anything. Looked at without a lock: whoever is posted to
    meanwhile is settled by the posting, and whoever is reviewed is read anew."""
    careers = await load_careers(members, ladder=ladder, zone=zone)
    held = [stored for stored in careers.values() if stored.terms]
    others = [stored for stored in careers.values() if not stored.terms]
    await load_days(held)
    await load_windows(others, ladder=ladder, zone=zone, now=now)
    return [member for member, stored in careers.items() if _changes(stored, now=now)]


def _changes(stored: Stored, *, now: datetime) -> bool:
    if stored.terms and stored.next_review_at == NEVER != stored.career.next_review_at:
        return False  # A record that was given up: nothing becomes of it.
    try:
        stored.career.settle(now=now)
        stored.career.look(now=now, because=Because.REDEFINED)
    except AssertionError:
        return True  # The review says so, of this member alone.
    return stored.changed


# Where a walk stands.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A walk as it is stored: for which definitions, after which member it goes on."""

    walk: str
    slot_at: datetime
    definitions: str
    after_member: UUID | None
    members: int
    changed: int
    started_at: datetime
    finished_at: datetime | None

    def after(self, members: Sequence[UUID], *, changed: int, now: datetime) -> _Place:
        """The place once these were evaluated; nobody: the walk is over."""
        return replace(
            self,
            after_member=members[-1] if members else None,
            members=self.members + len(members),
            changed=self.changed + changed,
            finished_at=None if members else max(now, self.started_at),
        )


_PLACES: Final = Table(
    "level_evaluation",
    walk="text",
    slot_at="timestamptz",
    definitions="text",
    after_member="uuid",
    members="bigint",
    changed="bigint",
    started_at="timestamptz",
    finished_at="timestamptz",
)


async def _begin(walk: LevelWalk, *, definitions: str, now: datetime) -> _Place:
    """Where the walk goes on: from its place, or from the beginning."""
    columns = ", ".join(field.name for field in fields(_Place))
    row = await fetch_one(f"SELECT {columns} FROM level_evaluation WHERE walk = $1", walk.name)
    if row is not None and row["definitions"] == definitions:
        place = _Place(**{field.name: row[field.name] for field in fields(_Place)})
        if place.finished_at is None or place.slot_at == walk.slot_at:
            return place
    return _Place(
        walk=walk.name,
        slot_at=walk.slot_at or now,
        definitions=definitions,
        after_member=None,
        members=0,
        changed=0,
        started_at=now,
        finished_at=None,
    )


async def _keep_place(place: _Place) -> None:
    row = {field.name: getattr(place, field.name) for field in fields(_Place)}
    others = ", ".join(f"{name} = excluded.{name}" for name in row if name != "walk")
    await _PLACES.insert([row], or_update=f"(walk) DO UPDATE SET {others}")


def _digest(ladder: Ladder, *, zone: ZoneInfo) -> str:
    """What levels are decided by, all of it, as one word of 64 characters."""
    rules = ladder.rules
    decided_by = {
        "levels": [(level.code, level.rank, asdict(level.criteria)) for level in ladder.levels],
        "window": (type(rules.window).__name__, asdict(rules.window)),
        "days": (rules.grace_days, rules.notice_days),
        "zone": zone.key,
    }
    return hashlib.sha256(orjson.dumps(decided_by)).hexdigest()
