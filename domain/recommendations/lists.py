"""The lists of members as they are kept, and the themes that are inferred on the way.

Who agreed is asked again under the locks of the members, in the transaction that writes: beside a
withdrawal nothing is written, and after it nothing is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import members
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.scoring import BROWSED, ListKind, ScoringSettings, Taste, inferred
from domain.storage import Table, execute, inside_transaction

INFERRED_MAX: Final = 5
"""So many themes of a member are kept as inferred, the strongest."""

_LISTS: Final = Table(
    "recommendation_list",
    member_id="uuid",
    version="bigint",
    list="text",
    items="jsonb",
    computed_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelves:
    """What was computed for a member, and themes inferred of them with weights in permille.

    The lists are JSON as it is kept; none is empty.
    """

    member_id: UUID
    lists: Mapping[ListKind, str]
    inferred: Mapping[str, int]


async def write_shelves(
    shelves: Sequence[Shelves],
    *,
    of: Collection[UUID],
    version: int,
    anew: bool,
    computed_at: datetime,
    now: datetime,
) -> set[UUID]:
    """Write what was computed for those who agree; returns for whom.

    In the caller's transaction. `of` are all who were looked at: of those who do not agree, and of
    records that were given up or erased meanwhile, everything goes. `anew`: of a version that
    serves. There may be lists of it already, and what was inferred on the way is written too; of
    one that is trained it would be known before that one serves. A fixed number of statements.
    """
    assert inside_transaction(), "under the locks of the members"
    standing = await members.lock_members(of)
    own = {one for one, leads_to in standing.items() if one == leads_to}
    willing = await members.consenting(own, PERSONALIZATION)
    await forget_shelves(own - willing, now=now)
    await forget_rows(set(of) - own)
    writing = [one for one in shelves if one.member_id in willing]
    if anew and writing:
        await execute(
            "DELETE FROM recommendation_list WHERE member_id = ANY($1::uuid[]) AND version = $2",
            *([one.member_id for one in writing], version),
        )
    await _LISTS.insert(
        row for one in writing for row in _rows(one, version=version, computed_at=computed_at)
    )
    if anew:
        await members.replace_inferred_interests(
            {one.member_id: one.inferred for one in writing}, now=now
        )
    return {one.member_id for one in writing}


async def forget_shelves(member_ids: Collection[UUID], *, now: datetime) -> None:
    """Delete what follows from the history of these members, whose locks the caller holds.

    And what they did not want to be shown, which nobody may heed any more.
    """
    if not member_ids:
        return
    await execute(
        "DELETE FROM not_interested WHERE member_id = ANY($1::uuid[])", sorted(member_ids)
    )
    await forget_rows(member_ids)
    await members.replace_inferred_interests({one: {} for one in member_ids}, now=now)


async def forget_rows(member_ids: Collection[UUID]) -> None:
    """Delete the lists of these, and that they wait: also of records that lead elsewhere."""
    if not member_ids:
        return
    ids = sorted(member_ids)
    await execute("DELETE FROM recommendation_list WHERE member_id = ANY($1::uuid[])", ids)
    await execute("DELETE FROM recommendation_due WHERE member_id = ANY($1::uuid[])", ids)


def inferred_themes(
    taste: Taste, *, settings: ScoringSettings, themes: Mapping[str, str | None]
) -> dict[str, int]:
    """The themes that a member seems to care for, with weights in permille; the strongest five.

    The weight is that of scoring.
    """
    known = dict.fromkeys(taste.browsed, 0.0)
    for code in taste.history():
        if (theme := themes.get(code)) is not None:
            known[theme] = known.get(theme, 0.0) + 1
    for theme, events in taste.browsed.items():
        known[theme] += events * BROWSED
    weights = {theme: round(1_000 * inferred(k, settings)) for theme, k in known.items()}
    best = sorted(weights, key=lambda theme: (-known[theme], theme))[:INFERRED_MAX]
    return {theme: weights[theme] for theme in best if weights[theme] > 0}


def _rows(one: Shelves, *, version: int, computed_at: datetime) -> list[dict[str, Any]]:
    return [
        {
            "member_id": one.member_id,
            "version": version,
            "list": kind.value,
            "items": items,
            "computed_at": computed_at,
        }
        for kind, items in one.lists.items()
    ]
