"""Coupons: their effective status, their pages; on both databases.

These tests write the rows themselves: in each state that a page may show, at one moment.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.paging import Key, PageRequest
from domain.rewards import Coupon, CouponStatus, coupon, coupons
from domain.storage import Table, observed_statements
from schema.connections import KeysetList
from tests.domain.ledger.commands import ALICE, BOB, NOW, days

pytestmark = pytest.mark.usefixtures("_wallet")

COUPONS = Table(
    "coupon",
    member_id="uuid",
    id="uuid",
    code="text",
    title_zh="text",
    title_en="text",
    status="text",
    issued_at="timestamptz",
    expires_at="timestamptz",
    owner="text",
    order_reference="text",
    amount_fen="bigint",
    discount_fen="bigint",
    reserved_until="timestamptz",
)
MICROSECOND = timedelta(microseconds=1)
ACTIVE, EXPIRED = CouponStatus.ACTIVE, CouponStatus.EXPIRED


def row(
    number: int,
    status: str,
    expires_at: datetime,
    *,
    member_id: UUID = ALICE,
    until: datetime | None = None,
) -> dict[str, object]:
    of_order = status in {"RESERVED", "USED"}
    return {
        "member_id": member_id,
        "id": UUID(int=number),
        "code": f"CODE-{number:04}",
        "title_zh": "十元券",
        "title_en": "ten yuan",
        "status": status,
        "issued_at": NOW - days(10),
        "expires_at": expires_at,
        "owner": "shop" if of_order else None,
        "order_reference": f"order-{number}" if of_order else None,
        "amount_fen": 100 if of_order else None,
        "discount_fen": 10 if of_order else None,
        "reserved_until": (until or expires_at) if of_order else None,
    }


@pytest.fixture
async def _wallet(database: str) -> None:
    await COUPONS.insert(
        [
            row(1, "ACTIVE", NOW + days(3)),
            row(2, "ACTIVE", NOW),
            row(3, "ACTIVE", NOW + MICROSECOND),
            row(4, "USED", NOW - days(1)),
            row(5, "RESERVED", NOW - days(2), until=NOW + days(100)),
            row(6, "REVOKED", NOW + days(3)),
            row(7, "EXPIRED", NOW - days(3)),
            row(8, "ACTIVE", NOW + days(3), member_id=BOB),
        ]
    )


async def listed(
    status: CouponStatus | None = None, *, member_id: UUID = ALICE, now: datetime = NOW
) -> list[tuple[int, str]]:
    page = await coupons(member_id, PageRequest(first=50), status=status, now=now)
    assert not page.has_next
    return [(found.id.int, found.status.value) for found in page.items]


async def test_the_soonest_to_expire_comes_first_and_what_expired_says_so() -> None:
    assert await listed() == [
        (7, "EXPIRED"),
        (5, "RESERVED"),
        (4, "USED"),
        (2, "EXPIRED"),
        (3, "ACTIVE"),
        (1, "ACTIVE"),
        (6, "REVOKED"),
    ]
    assert await listed(member_id=BOB) == [(8, "ACTIVE")]
    assert await listed(member_id=UUID(int=0)) == []


async def test_a_status_is_the_one_of_now() -> None:
    assert await listed(ACTIVE) == [(3, "ACTIVE"), (1, "ACTIVE")]
    assert await listed(EXPIRED) == [(7, "EXPIRED"), (2, "EXPIRED")]
    assert await listed(ACTIVE, now=NOW - MICROSECOND) == [
        (2, "ACTIVE"),
        (3, "ACTIVE"),
        (1, "ACTIVE"),
    ]
    assert await listed(ACTIVE, now=NOW + days(3)) == []
    # What is used, reserved or revoked stays so, whatever the time.
    assert await listed(CouponStatus.USED, now=NOW + days(99)) == [(4, "USED")]


async def test_pages_meet_without_a_gap_where_moments_are_equal() -> None:
    keys: list[Key] = []
    request, more = PageRequest(first=2), True
    while more:
        with observed_statements() as statements:
            page = await coupons(ALICE, request, status=None, now=NOW)
        assert len(statements) == 1
        keys += page.keys
        request, more = PageRequest(first=2, after=page.keys[-1]), page.has_next
    assert [key[1].int for key in keys if isinstance(key[1], UUID)] == [7, 5, 4, 2, 3, 1, 6]
    assert [key[0] for key in keys] == sorted(
        key[0] for key in keys if isinstance(key[0], datetime)
    )


async def test_a_page_has_cursors_that_lead_back_to_its_keys() -> None:
    """The identifiers of rows must be JSON on both databases: cursors are made of them."""
    page = await coupons(ALICE, PageRequest(first=3), status=None, now=NOW)
    wallet = KeysetList("coupons", (datetime, UUID))
    for key in page.keys:
        assert wallet.key(wallet.cursor(key)) == key


async def test_one_coupon_is_found_by_its_member_alone() -> None:
    found = await coupon(ALICE, coupon_id=UUID(int=2), now=NOW)
    assert found == Coupon(
        member_id=ALICE,
        id=UUID(int=2),
        code="CODE-0002",
        title_zh="十元券",
        title_en="ten yuan",
        status=EXPIRED,
        expires_at=NOW,
    )
    assert found.key == f"{ALICE}:{UUID(int=2)}"
    earlier = await coupon(ALICE, coupon_id=UUID(int=2), now=NOW - MICROSECOND)
    assert earlier is not None
    assert earlier.status == ACTIVE
    assert await coupon(BOB, coupon_id=UUID(int=2), now=NOW) is None
    assert await coupon(ALICE, coupon_id=UUID(int=8), now=NOW) is None
