"""Uses of perks, as they are read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, Table, fetch_all, fetch_one


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkUse:
    """One use of a perk, with the code and the titles that the perk had then.

    A use that was given back (`cancelled_at`) counts towards no quota.
    """

    member_id: UUID
    id: UUID
    perk_code: str
    level_code: str
    title_zh: str
    title_en: str
    reference: str | None
    used_at: datetime
    cancelled_at: datetime | None

    @property
    def key(self) -> str:
        """What names the use in the whole programme."""
        return f"{self.member_id}:{self.id}"


PERK_USES: Final = Table(
    "perk_use",
    member_id="uuid",
    id="uuid",
    used_by="uuid",
    perk_id="uuid",
    perk_code="text",
    level_code="text",
    title_zh="text",
    title_en="text",
    reference="text",
    used_at="timestamptz",
    used_on="date",
    period="text",
    began_on="date",
    ordinal="integer",
    quota="integer",
)

_COLUMNS: Final = (
    "member_id, id, perk_code, level_code, title_zh, title_en, reference, used_at, cancelled_at"
)
_END: Final = (datetime(9999, 12, 30, tzinfo=UTC), UUID(int=2**128 - 1))


async def perk_uses(member_id: UUID, page: PageRequest) -> Page[PerkUse]:
    """A page of the member's uses of perks, newest first, by the key (used_at, id)."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM perk_use WHERE member_id = $1 AND (used_at, id) < ($2, $3)"
        " ORDER BY used_at DESC, id DESC LIMIT $4",
        *(member_id, *(page.after or _END), page.limit),
    )
    return page_of(
        [_use(row) for row in rows], first=page.first, key=lambda use: (use.used_at, use.id)
    )


async def perk_use(member_id: UUID, *, use_id: UUID) -> PerkUse | None:
    """One use of the member's, or None."""
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM perk_use WHERE member_id = $1 AND id = $2", member_id, use_id
    )
    return None if row is None else _use(row)


def _use(row: Row) -> PerkUse:
    return PerkUse(
        member_id=row["member_id"],
        id=row["id"],
        perk_code=row["perk_code"],
        level_code=row["level_code"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        reference=row["reference"],
        used_at=row["used_at"],
        cancelled_at=row["cancelled_at"],
    )
