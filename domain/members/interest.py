"""The themes that a member cares for: declared by the member, or inferred from what they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import InvalidInput, MemberNotFound
from domain.outbox import Event, announce
from domain.storage import Table, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_text

THEMES_MAX: Final = 100
THEME_CHARACTERS_MAX: Final = 64
WEIGHT_PERMILLE_MAX: Final = 1000

_INTEREST: Final = Table(
    "member_interest",
    member_id="uuid",
    id="uuid",
    theme_code="text",
    source="text",
    weight_permille="integer",
    set_at="timestamptz",
)


class InterestSource(StrEnum):
    """Where an interest is known from."""

    DECLARED = "declared"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """One theme. `weight_permille` is 0 to 1,000; a declared theme has it all."""

    theme_code: str
    source: InterestSource
    weight_permille: int
    set_at: datetime


async def interests(member_id: UUID) -> Sequence[Interest]:
    """The member's themes, declared ones first, then by weight.

    Declared beats inferred: a theme stands here once.
    """
    rows = await fetch_all(
        "SELECT theme_code, source, weight_permille, set_at FROM member_interest"
        " WHERE member_id = $1 ORDER BY source, weight_permille DESC, theme_code",
        member_id,
    )
    # In this order "declared" comes before "inferred", so the first of a theme is the one to keep.
    by_theme: dict[str, Interest] = {}
    for row in rows:
        by_theme.setdefault(
            row["theme_code"],
            Interest(
                theme_code=row["theme_code"],
                source=InterestSource(row["source"]),
                weight_permille=row["weight_permille"],
                set_at=row["set_at"],
            ),
        )
    return list(by_theme.values())


async def replace_declared_interests(
    member_id: UUID, themes: Sequence[str], *, now: datetime
) -> Sequence[Interest]:
    """Let these be the themes that the member declares; what was inferred stays as it is.

    Whether a theme exists is the catalogue's to say, above. A theme that was declared before keeps
    its moment. Raises InvalidInput, for more than 100 themes too, and MemberNotFound.
    """
    wanted = _clean(themes)

    async def work() -> Sequence[Interest]:
        # The member's row is the lock: of two replacements one comes after the other.
        if not await fetch_one("SELECT id FROM member WHERE id = $1 FOR NO KEY UPDATE", member_id):
            raise MemberNotFound
        declared = await _declared(member_id)
        if declared != wanted:
            await _write(member_id, gone=declared - wanted, fresh=wanted - declared, now=now)
        return await interests(member_id)

    return await transaction(work)


async def _declared(member_id: UUID) -> set[str]:
    rows = await fetch_all(
        "SELECT theme_code FROM member_interest WHERE member_id = $1 AND source = 'declared'",
        member_id,
    )
    return {row["theme_code"] for row in rows}


async def _write(member_id: UUID, *, gone: set[str], fresh: set[str], now: datetime) -> None:
    await execute(
        "DELETE FROM member_interest"
        " WHERE member_id = $1 AND source = 'declared' AND theme_code = ANY($2::text[])",
        *(member_id, sorted(gone)),
    )
    await _INTEREST.insert(
        {
            "member_id": member_id,
            "id": uuid7(),
            "theme_code": theme,
            "source": InterestSource.DECLARED.value,
            "weight_permille": WEIGHT_PERMILLE_MAX,
            "set_at": now,
        }
        for theme in sorted(fresh)
    )
    await execute("UPDATE member SET version = version + 1 WHERE id = $1", member_id)
    facts = {"added": sorted(fresh), "removed": sorted(gone)}
    await announce([Event(kind="InterestsDeclared", member_id=member_id, facts=facts)], now=now)


def _clean(themes: Sequence[str]) -> set[str]:
    if len(themes) > THEMES_MAX:
        raise InvalidInput(field=("themes",), rule=f"at most {THEMES_MAX} themes")
    return {
        clean_text(
            theme,
            field=("themes", str(number)),
            characters_min=1,
            characters_max=THEME_CHARACTERS_MAX,
        )
        for number, theme in enumerate(themes)
    }
