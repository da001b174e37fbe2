"""Levels that members bring from another system.

They are neither earned nor told to anybody: the history says IMPORTED, and nobody gets a message
about a level that they had yesterday as well.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.outbox import Event, announce
from domain.storage import fetch_all
from domain.tiers.ladder import review_moment
from domain.tiers.qualifying import LevelChanged
from domain.tiers.standing import read_levels
from domain.tiers.tables import LEVEL_CHANGES, MEMBER_LEVELS


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningLevel:
    """A member's level elsewhere: held since then (None: from now) and kept until then.

    Without `keep_until` it is kept as if it had been reached at `since`. `keep_until` is exclusive.
    """

    member_id: UUID
    code: str
    since: datetime | None = None
    keep_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLevel:
    """The level above the base that a member holds."""

    code: str
    since: datetime
    keep_until: datetime


async def grant_opening_levels(
    items: Sequence[OpeningLevel], *, zone: ZoneInfo, now: datetime
) -> list[LevelChanged]:
    """Lift each member to the level that they bring; who stands as high already stays there.

    The codes are those of levels that are defined; the base level needs no granting. One item for
    each member, in the caller's transaction, under the members' locks; a fixed number of statements
    whatever the number of items. Returns the changes.
    """
    if not items:
        return []
    levels = {level.code: level for level in await read_levels()}
    base = next(level for level in levels.values() if level.rank == 0)
    rows = await fetch_all(
        "SELECT member_id, level_code, changes FROM member_level WHERE member_id = ANY($1::uuid[])",
        [item.member_id for item in items],
    )
    held = {row["member_id"]: (levels[row["level_code"]], row["changes"]) for row in rows}
    lifted = [
        (item, *held.get(item.member_id, (base, 0)))
        for item in items
        if levels[item.code].rank > held.get(item.member_id, (base, 0))[0].rank
    ]
    await MEMBER_LEVELS.insert(
        (_level_row(item, changes + 1, zone=zone, now=now) for item, _, changes in lifted),
        or_update="(member_id) DO UPDATE SET level_code = excluded.level_code, "
        "since = excluded.since, keep_until = excluded.keep_until, "
        "keep_after_day = excluded.keep_after_day, changes = excluded.changes",
    )
    await LEVEL_CHANGES.insert(
        {
            "member_id": item.member_id,
            "seq": changes + 1,
            "from_code": before.code,
            "to_code": item.code,
            "reason": "IMPORTED",
            "qualifying_points": 0,
            "source_kind": "opening",
            "occurred_at": now,
        }
        for item, before, changes in lifted
    )
    await announce(
        (
            Event(
                kind="LevelChanged",
                member_id=item.member_id,
                facts={"from": before.code, "to": item.code, "reason": "IMPORTED"},
            )
            for item, before, _ in lifted
        ),
        now=now,
    )
    return [
        LevelChanged(
            member_id=item.member_id,
            from_code=before.code,
            to_code=item.code,
            qualifying_points=0,
            occurred_at=now,
        )
        for item, before, _ in lifted
    ]


async def held_levels(member_ids: Collection[UUID]) -> dict[UUID, HeldLevel]:
    """The level of each member who is above the base, in one statement."""
    rows = await fetch_all(
        "SELECT member_id, level_code, since, keep_until FROM member_level"
        " WHERE member_id = ANY($1::uuid[])",
        list(member_ids),
    )
    return {
        row["member_id"]: HeldLevel(
            code=row["level_code"], since=row["since"], keep_until=row["keep_until"]
        )
        for row in rows
    }


def _level_row(
    item: OpeningLevel, changes: int, *, zone: ZoneInfo, now: datetime
) -> dict[str, object]:
    since = item.since or now
    reached_on = since.astimezone(zone).date()
    return {
        "member_id": item.member_id,
        "level_code": item.code,
        "since": since,
        "keep_until": item.keep_until or review_moment(reached_on, zone=zone),
        "keep_after_day": reached_on,
        "changes": changes,
    }
