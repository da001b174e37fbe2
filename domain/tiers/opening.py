"""Levels that members bring from another system.

They are neither earned nor told to anybody: the history says IMPORTED, and nobody gets a message
about a level that they had yesterday as well. No refund takes them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain.storage import fetch_all
from domain.tiers.careers import Because
from domain.tiers.holdings import load_careers, write_careers
from domain.tiers.ladder import Ladder
from domain.tiers.level_rules import read_ladder
from domain.tiers.qualifying import LevelChanged, changes_of, settle
from domain.tiers.terms import Term, TermKind
from domain.tiers.windows import imported_dates

SOURCE_KIND: Final = "opening"


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
    ladder = await read_ladder()
    assert ladder is not None, "the levels are defined"
    careers = await load_careers([item.member_id for item in items], ladder=ladder, zone=zone)
    await settle(careers.values(), now=now)
    for item in items:
        career = careers[item.member_id].career
        if ladder.ranks[item.code] > ladder.ranks[career.code]:
            term = _term_of(item, ladder=ladder, zone=zone, now=now)
            career.add(term, because=Because.IMPORTED, at=now)
    sources = {item.member_id: SOURCE_KIND for item in items}
    await write_careers(careers.values(), sources=sources, now=now)
    return changes_of(careers.values())


async def held_levels(member_ids: Collection[UUID]) -> dict[UUID, HeldLevel]:
    """The level of each member who is above the base, in one statement."""
    rows = await fetch_all(
        "SELECT m.member_id, m.level_code, m.since, m.keep_until FROM member_level AS m"
        " JOIN level AS l ON l.code = m.level_code AND l.rank > 0"
        " WHERE m.member_id = ANY($1::uuid[])",
        list(member_ids),
    )
    return {
        row["member_id"]: HeldLevel(
            code=row["level_code"], since=row["since"], keep_until=row["keep_until"]
        )
        for row in rows
    }


def _term_of(item: OpeningLevel, *, ladder: Ladder, zone: ZoneInfo, now: datetime) -> Term:
    since = item.since or now
    dates = imported_dates(
        ladder.rules,
        reached_on=since.astimezone(zone).date(),
        keep_until=item.keep_until,
        zone=zone,
    )
    [level] = [level for level in ladder.levels if level.code == item.code]
    return Term(
        id=uuid7(),
        level_code=item.code,
        kind=TermKind.IMPORTED,
        since=since,
        keep_until=dates.keep_until,
        keep_after_day=dates.keep_after_day,
        basis_after_day=dates.basis_after_day,
        asked=level.criteria,
    )
