"""The coupons of a member: pages of them, and those that a redemption gives out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain.ledger import AfterDays, expires_at
from domain.paging import Page, PageRequest, page_of
from domain.rewards.codes import new_code
from domain.rewards.offers import Reward, value_of
from domain.rewards.rules import CouponStatus, CouponValue
from domain.rewards.tables import COUPONS
from domain.storage import Row, fetch_all


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
    redemption_id: UUID | None = None
    value: CouponValue = field(default_factory=CouponValue)
    stacks: bool = False
    terms_zh: str = ""
    terms_en: str = ""

    @property
    def key(self) -> str:
        """What names the coupon in the whole programme."""
        return f"{self.member_id}:{self.id}"


EFFECTIVE: Final = """CASE
    WHEN status = 'RESERVED' AND reserved_until > $2 THEN 'RESERVED'
    WHEN status IN ('ACTIVE', 'RESERVED') AND expires_at <= $2 THEN 'EXPIRED'
    WHEN status = 'RESERVED' THEN 'ACTIVE'
    ELSE status END"""
"""Where a coupon stands as of $2: what `rules.as_of` says, in SQL."""

_COLUMNS: Final = (
    "member_id, id, code, title_zh, title_en, expires_at, redemption_id, coupon_off, coupon_value,"
    f" amount_min_fen, discount_max_fen, stacks, terms_zh, terms_en, {EFFECTIVE} AS effective"
)

_PAGE = f"""
    SELECT {_COLUMNS}
    FROM coupon
    WHERE member_id = $1 AND ($3::text IS NULL OR {EFFECTIVE} = $3::text)
      AND (expires_at > $4 OR expires_at = $4 AND id > $5)
    ORDER BY expires_at, id
    LIMIT $6
"""

DUE_MOMENTS = """
    (SELECT MAX(CASE WHEN c.status = 'RESERVED' AND (c.expires_at > $2
                          OR c.expires_at < c.reserved_until)
                     THEN c.reserved_until ELSE c.expires_at END)
     FROM coupon AS c
     WHERE c.member_id = $1 AND (c.status = 'ACTIVE' AND c.expires_at <= $2
                                 OR c.status = 'RESERVED' AND c.reserved_until <= $2)
    ) AS coupon_expired_at
"""
"""The last moment at which a coupon of $1 changed by $2 without a write: it expired, or its
reservation ran out. For statements of other contexts."""

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
        f"SELECT {_COLUMNS} FROM coupon WHERE member_id = $1 AND id = $3", member_id, now, coupon_id
    )
    return _coupon(rows[0]) if rows else None


async def coupons_of(
    member_id: UUID, redemption_ids: Collection[UUID], *, now: datetime
) -> Mapping[UUID, Sequence[Coupon]]:
    """The coupons of each redemption of one member, in the order of issue; one statement."""
    found: dict[UUID, list[Coupon]] = {one: [] for one in redemption_ids}
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM coupon WHERE member_id = $1 AND redemption_id = ANY($3::uuid[])"
        " ORDER BY id",
        *(member_id, now, sorted(found)),
    )
    for row in rows:
        found[row["redemption_id"]].append(_coupon(row))
    return found


async def issue(
    member_id: UUID,
    reward: Reward,
    *,
    count: int,
    redemption_id: UUID,
    zone: ZoneInfo,
    now: datetime,
) -> None:
    """Give out coupons of a reward, inside the transaction of its redemption.

    They are good through the local day that many days after this one.
    """
    terms = reward.coupon
    ends_at = expires_at(AfterDays(terms.days), earned_at=now, zone=zone)
    rows = [
        {
            "member_id": member_id,
            "id": uuid7(),
            "code": new_code(),
            "title_zh": reward.title_zh,
            "title_en": reward.title_en,
            "status": CouponStatus.ACTIVE.value,
            "issued_at": now,
            "expires_at": ends_at,
            "redemption_id": redemption_id,
            "coupon_off": terms.value.off.value if terms.value.off else None,
            "coupon_value": terms.value.value,
            "amount_min_fen": terms.value.amount_min_fen,
            "discount_max_fen": terms.value.discount_max_fen,
            "stacks": terms.stacks,
            "terms_zh": terms.terms_zh,
            "terms_en": terms.terms_en,
        }
        for _ in range(count)
    ]
    await COUPONS.insert(rows)


def _coupon(row: Row) -> Coupon:
    return Coupon(
        member_id=row["member_id"],
        id=row["id"],
        code=row["code"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        status=CouponStatus(row["effective"]),
        expires_at=row["expires_at"],
        redemption_id=row["redemption_id"],
        value=value_of(row),
        stacks=row["stacks"],
        terms_zh=row["terms_zh"],
        terms_en=row["terms_en"],
    )
