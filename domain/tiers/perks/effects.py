"""What perks do by themselves: more points for a purchase, and how service treats a member.

And what of them goes with a level.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.storage import Row, fetch_all
from domain.tiers.perks.comparing import LessPerks, PerkTerms, ReducedPerk, is_worse
from domain.tiers.perks.values import (
    PERMILLE,
    EarningMultiplier,
    PerkKind,
    PerkValue,
    Service,
    ServiceLevel,
    value_of,
)
from domain.tiers.reviewing import review

# Members without a level of their own, whose rows have no member, stand at the base.
_VALUES: Final = """
    SELECT m.member_id, p.value, m.next_review_at FROM member_level AS m
    LEFT JOIN perk AS p
        ON p.level_code = m.level_code AND p.kind = $2 AND p.retired_at IS NULL
    WHERE m.member_id = ANY($1::uuid[])
    UNION ALL
    SELECT NULL, p.value, NULL FROM level AS l
    JOIN perk AS p ON p.level_code = l.code AND p.kind = $2 AND p.retired_at IS NULL
    WHERE l.rank = 0
"""

# The perks of one level, each beside the other level's of the same code.
_BESIDE: Final = """
    SELECT p.code, p.kind, p.value, p.quota, p.period,
           o.kind AS kind_after, o.value AS value_after,
           o.quota AS quota_after, o.period AS period_after
    FROM perk AS p
    LEFT JOIN perk AS o ON o.level_code = $2 AND o.code = p.code AND o.retired_at IS NULL
    WHERE p.level_code = $1 AND p.retired_at IS NULL
    ORDER BY p.position, p.code
"""
_TERMS: Final = ("kind", "value", "quota", "period")


async def earning_multipliers(
    member_ids: Collection[UUID], *, zone: ZoneInfo, now: datetime
) -> dict[UUID, int]:
    """What each member's level multiplies points by, in thousandths.

    1,000 where no perk says more; of several the best. One statement; where a level's time is over,
    it is reviewed first. In the caller's transaction, which is to post what is earned.
    """
    rows = await _rows(member_ids, PerkKind.EARNING_MULTIPLIER)
    due = {
        row["member_id"] for row in rows if row["next_review_at"] and row["next_review_at"] <= now
    }
    if due:
        await review(sorted(due), zone=zone, now=now)
        rows = await _rows(member_ids, PerkKind.EARNING_MULTIPLIER)
    values = _values(rows, member_ids, PerkKind.EARNING_MULTIPLIER)
    return {
        member_id: max(
            (one.permille for one in found if isinstance(one, EarningMultiplier)), default=PERMILLE
        )
        for member_id, found in values.items()
    }


async def service_levels(member_ids: Collection[UUID]) -> dict[UUID, ServiceLevel]:
    """How service treats each member: STANDARD where no perk says more; one statement."""
    rows = await _rows(member_ids, PerkKind.SERVICE_LEVEL)
    values = _values(rows, member_ids, PerkKind.SERVICE_LEVEL)
    order = list(ServiceLevel)
    return {
        member_id: max(
            (one.level for one in found if isinstance(one, Service)),
            key=order.index,
            default=ServiceLevel.STANDARD,
        )
        for member_id, found in values.items()
    }


async def less_perks(before: str, after: str) -> LessPerks:
    """What the level of the first code gives, and the other does not, or gives less of.

    In the order of the perks; one statement.
    """
    rows = await fetch_all(_BESIDE, before, after)
    both = [
        ReducedPerk(
            code=row["code"],
            before=PerkTerms(**{name: row[name] for name in _TERMS}),
            after=PerkTerms(**{name: row[f"{name}_after"] for name in _TERMS}),
        )
        for row in rows
        if row["kind_after"] is not None
    ]
    return LessPerks(
        lost=tuple(row["code"] for row in rows if row["kind_after"] is None),
        reduced=tuple(one for one in both if is_worse(one.before, one.after)),
    )


async def _rows(member_ids: Collection[UUID], kind: PerkKind) -> Sequence[Row]:
    return await fetch_all(_VALUES, list(member_ids), kind.value)


def _values(
    rows: Sequence[Row], member_ids: Collection[UUID], kind: PerkKind
) -> dict[UUID, list[PerkValue]]:
    """What perks of the kind give to each member; nothing of one that cannot be read."""
    found: dict[UUID | None, list[PerkValue]] = {None: []}
    for row in rows:
        values = found.setdefault(row["member_id"], [])
        value = None if row["value"] is None else value_of(kind, row["value"])
        if value is not None:
            values.append(value)
    return {member_id: found.get(member_id, found[None]) for member_id in member_ids}
