"""Themes that members are thought to care for, from what they do; declared ones beat them.

Whoever infers them stands above; here they are only kept, in batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.members.interest import WEIGHT_PERMILLE_MAX, InterestSource
from domain.outbox import Event, announce
from domain.storage import Table, execute, fetch_all, inside_transaction

_INFERRED: Final = Table(
    "member_interest",
    member_id="uuid",
    id="uuid",
    theme_code="text",
    source="text",
    weight_permille="integer",
    set_at="timestamptz",
)


DECLARED_THEMES: Final = (
    "SELECT i.theme_code FROM member_interest AS i WHERE i.member_id = $1 AND i.source = 'declared'"
)
"""The codes of the themes that $1 declares, as SQL: for statements of other contexts."""


async def inferred_interests(member_ids: Collection[UUID]) -> Mapping[UUID, Mapping[str, int]]:
    """The weights in permille of the themes inferred of each of these, by theme. One statement."""
    found: dict[UUID, dict[str, int]] = {member_id: {} for member_id in member_ids}
    rows = await fetch_all(
        "SELECT member_id, theme_code, weight_permille FROM member_interest"
        " WHERE member_id = ANY($1::uuid[]) AND source = 'inferred'",
        sorted(found),
    )
    for row in rows:
        found[row["member_id"]][row["theme_code"]] = row["weight_permille"]
    return found


async def declared_themes(
    member_ids: Collection[UUID], *, by: datetime | None = None
) -> Mapping[UUID, set[str]]:
    """The themes that each of these declares; those who declare none are left out.

    With `by` only those that had been declared by then.
    """
    found: dict[UUID, set[str]] = defaultdict(set)
    rows = await fetch_all(
        "SELECT member_id, theme_code FROM member_interest"
        " WHERE member_id = ANY($1::uuid[]) AND source = 'declared'"
        " AND ($2::timestamptz IS NULL OR set_at <= $2)",
        *(sorted(set(member_ids)), by),
    )
    for row in rows:
        found[row["member_id"]].add(row["theme_code"])
    return found


async def replace_inferred_interests(
    themes: Mapping[UUID, Mapping[str, int]], *, now: datetime
) -> set[UUID]:
    """Let these be what is inferred of each member, in permille by theme; returns who changed.

    In the caller's transaction, which locked the members. Only differences are written and told; a
    theme that stays keeps its moment, whatever its weight becomes. A fixed number of statements.
    """
    assert inside_transaction(), "the locks of the members end with their transaction"
    before = await inferred_interests(themes) if themes else {}
    changed = {one for one, wanted in themes.items() if dict(before[one]) != dict(wanted)}
    if not changed:
        return set()
    gone = {one: sorted(before[one].keys() - themes[one].keys()) for one in changed}
    await _INFERRED.update(
        (
            {
                "member_id": one,
                "theme_code": theme,
                "source": InterestSource.INFERRED.value,
                "weight_permille": weight,
            }
            for one in sorted(changed)
            for theme, weight in sorted(themes[one].items())
            if before[one].get(theme, weight) != weight
        ),
        key=("member_id", "theme_code", "source"),
    )
    await _delete(gone)
    await _INFERRED.insert(
        _row(one, theme, weight, now)
        for one in sorted(changed)
        for theme, weight in sorted(themes[one].items())
        if theme not in before[one]
    )
    await execute(
        "UPDATE member SET version = version + 1 WHERE id = ANY($1::uuid[])", sorted(changed)
    )
    await announce(
        (
            Event(
                kind="InterestsInferred",
                member_id=one,
                facts={"added": sorted(themes[one].keys() - before[one]), "removed": gone[one]},
            )
            for one in sorted(changed)
        ),
        now=now,
    )
    return changed


async def _delete(gone: Mapping[UUID, Collection[str]]) -> None:
    """Delete these themes of each member, by the ids of their rows."""
    if not any(gone.values()):
        return
    rows = await fetch_all(
        "SELECT member_id, id, theme_code FROM member_interest"
        " WHERE member_id = ANY($1::uuid[]) AND source = 'inferred'",
        sorted(gone),
    )
    ids = [row["id"] for row in rows if row["theme_code"] in gone[row["member_id"]]]
    await execute(
        "DELETE FROM member_interest WHERE member_id = ANY($1::uuid[]) AND id = ANY($2::uuid[])",
        *(sorted(gone), sorted(ids)),
    )


def _row(member_id: UUID, theme: str, weight: int, now: datetime) -> dict[str, Any]:
    assert 0 <= weight <= WEIGHT_PERMILLE_MAX
    return {
        "member_id": member_id,
        "id": uuid7(),
        "theme_code": theme,
        "source": InterestSource.INFERRED.value,
        "weight_permille": weight,
        "set_at": now,
    }
