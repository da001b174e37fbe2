"""The themes that a member cares for: declared by the member, or inferred from what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import InvalidInput
from domain.members.standing import lock_member
from domain.outbox import Event, announce
from domain.storage import Table, execute, fetch_all, transaction
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
    wanted = clean_themes(themes)

    async def work() -> Sequence[Interest]:
        # The member's row is the lock: of two replacements one comes after the other.
        standing = await lock_member(member_id)
        declared = await _declared(standing)
        if declared != wanted:
            await _write(standing, gone=declared - wanted, fresh=wanted - declared, now=now)
        return await interests(standing)

    return await transaction(work)


async def bring_interests(themes: Mapping[UUID, Sequence[str]], *, now: datetime) -> set[UUID]:
    """Declare themes for members who have declared none yet; returns for whom it was done.

    In the caller's transaction, which made the members or locked their rows and counts their
    versions; a fixed number of statements whatever the number of members.
    """
    bringing = [member_id for member_id, wanted in themes.items() if wanted]
    if not bringing:
        return set()
    rows = await fetch_all(
        "SELECT DISTINCT member_id FROM member_interest"
        " WHERE member_id = ANY($1::uuid[]) AND source = 'declared'",
        bringing,
    )
    declared = {row["member_id"] for row in rows}
    fresh = {i: sorted(set(themes[i])) for i in bringing if i not in declared}
    await _INTEREST.insert(
        _declared_row(member_id, theme, now) for member_id in fresh for theme in fresh[member_id]
    )
    await announce(
        (
            Event(
                kind="InterestsDeclared",
                member_id=member_id,
                facts={"added": added, "removed": []},
            )
            for member_id, added in fresh.items()
        ),
        now=now,
    )
    return set(fresh)


def _declared_row(member_id: UUID, theme: str, now: datetime) -> dict[str, Any]:
    return {
        "member_id": member_id,
        "id": uuid7(),
        "theme_code": theme,
        "source": InterestSource.DECLARED.value,
        "weight_permille": WEIGHT_PERMILLE_MAX,
        "set_at": now,
    }


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
    await _INTEREST.insert(_declared_row(member_id, theme, now) for theme in sorted(fresh))
    await execute("UPDATE member SET version = version + 1 WHERE id = $1", member_id)
    facts = {"added": sorted(fresh), "removed": sorted(gone)}
    await announce([Event(kind="InterestsDeclared", member_id=member_id, facts=facts)], now=now)


def clean_themes(themes: Sequence[str]) -> set[str]:
    """The themes, each once; InvalidInput for what is no code of one, and for too many."""
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
