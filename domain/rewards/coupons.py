"""The coupons of a member."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all


class CouponStatus(StrEnum):
    """Where a coupon stands; one whose `expires_at` has passed is EXPIRED without a write."""

    ACTIVE = "ACTIVE"
    RESERVED = "RESERVED"
    USED = "USED"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """A coupon as its member sees it; `expires_at` is exclusive."""

    member_id: UUID
    id: UUID
    code: str
    title_zh: str
    title_en: str
    status: CouponStatus
    expires_at: datetime

    @property
    def key(self) -> str:
        """What names the coupon in the whole programme."""
        return f"{self.member_id}:{self.id}"


_EFFECTIVE = "CASE WHEN status = 'ACTIVE' AND expires_at <= $2 THEN 'EXPIRED' ELSE status END"

_PAGE = f"""
    SELECT member_id, id, code, title_zh, title_en, expires_at, {_EFFECTIVE} AS effective
    FROM coupon
    WHERE member_id = $1 AND ($3::text IS NULL OR {_EFFECTIVE} = $3::text)
      AND (expires_at > $4 OR expires_at = $4 AND id > $5)
    ORDER BY expires_at, id
    LIMIT $6
"""

DUE_MOMENTS = """
    (SELECT MAX(c.expires_at) FROM coupon AS c
     WHERE c.member_id = $1 AND c.status = 'ACTIVE' AND c.expires_at <= $2) AS coupon_expired_at
"""
"""The last moment at which a coupon of $1 became EXPIRED by $2 without a write. For statements of
other contexts."""

_FIRST = (datetime.fromisoformat("0001-01-02T00:00:00+00:00"), UUID(int=0))


async def coupons(
    member_id: UUID, page: PageRequest, *, status: CouponStatus | None, now: datetime
) -> Page[Coupon]:
    """A page of coupons, those that expire soonest first, by the key (expires_at, id)."""
    since, since_id = page.after or _FIRST
    rows = await fetch_all(
        _PAGE, member_id, now, status.value if status else None, since, since_id, page.limit
    )
    found = [_coupon(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.expires_at, one.id))


async def coupon(member_id: UUID, *, coupon_id: UUID, now: datetime) -> Coupon | None:
    """One coupon of the member, or None."""
    rows = await fetch_all(
        f"SELECT member_id, id, code, title_zh, title_en, expires_at, {_EFFECTIVE} AS effective "
        "FROM coupon WHERE member_id = $1 AND id = $3",
        member_id,
        now,
        coupon_id,
    )
    return _coupon(rows[0]) if rows else None


def _coupon(row: Row) -> Coupon:
    return Coupon(
        member_id=row["member_id"],
        id=row["id"],
        code=row["code"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        status=CouponStatus(row["effective"]),
        expires_at=row["expires_at"],
    )
