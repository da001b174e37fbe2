"""Racing redemptions, cancellations and uses of coupons on PostgreSQL."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import orjson

from domain import rewards
from domain.errors import (
    CouponNotStackable,
    CouponRefusal,
    CouponReserved,
    RedemptionNotCancellable,
    RewardLimitReached,
)
from domain.ledger import NEVER, Earn, Source, post
from domain.ledger.auditing import verify_accounts
from domain.rewards import CouponInUse, CouponStatus, Redemption
from domain.storage import fetch_all
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import (
    MUG,
    TEN_OFF,
    cancelled,
    coupon_of,
    open_counter,
    points,
    redeemed,
    reserve,
    stock,
    using,
    wallet,
)
from tests.races.contention import Gate
from tests.races.redeeming import MEMBERS, redeem

FEW = replace(TEN_OFF, id=UUID(int=51), code="few", stock=50, points_price=100)
ONE_EACH = replace(MUG, id=UUID(int=52), code="one-each", points_price=100, per_member=1)
AT_ONCE = 24
"""Connections of a process."""

OPENING = 1_000


async def opened() -> None:
    await open_counter(FEW, ONE_EACH)
    source = Source(kind="race", reference="opening")
    await post(
        [
            Earn(
                member_id=member,
                points=OPENING,
                source=source,
                effective_at=NOW,
                expires_at=NEVER,
            )
            for member in MEMBERS
        ],
        now=NOW,
    )


async def test_fifty_of_two_hundred_redemptions_get_what_there_is(
    postgres: str, gate: Gate, tally: Callable[[str, int, int], None]
) -> None:
    """A hundred members, two redemptions each, from two processes, for a stock of fifty."""
    await opened()
    await gate.hold("LOCK TABLE points_account IN EXCLUSIVE MODE")
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.redeeming", postgres, str(FEW.id), "0", "100"),
        stdout=asyncio.subprocess.PIPE,
    )
    here = asyncio.create_task(redeem(FEW.id, range(100, 200)))
    await gate.open(waiting=2 * AT_ONCE)
    output, _ = await other.communicate()
    assert other.returncode == 0
    answers = [await here, orjson.loads(output.splitlines()[-1])]

    met = {name: sum(one.get(name, 0) for one in answers) for one in answers for name in one}
    assert met == {"given": 50, "sold out": 150}
    assert await stock(FEW) == 0
    rows = await fetch_all(
        "SELECT r.member_id, r.points_spent, c.code FROM redemption AS r"
        " JOIN coupon AS c ON c.member_id = r.member_id AND c.redemption_id = r.id"
    )
    assert len(rows) == len({row["code"] for row in rows}) == 50
    # No points are lost: what all members have, and what was spent, is what there was.
    assert (await verify_accounts(MEMBERS)).violations == ()
    [left] = await fetch_all(
        "SELECT SUM(available)::bigint AS points FROM points_account WHERE member_id = ANY($1)",
        list(MEMBERS),
    )
    assert left["points"] == 100 * OPENING - 50 * FEW.points_price
    assert sum(row["points_spent"] for row in rows) == 50 * FEW.points_price
    tally("redemptions that raced for a stock of 50", sum(met.values()), 200)
    tally("of them given, each with a coupon of its own", met["given"], 50)


async def test_one_key_at_once_is_one_redemption(postgres: str, gate: Gate) -> None:
    await opened()
    await gate.hold("SELECT 1 FROM points_account FOR UPDATE")
    crowd = asyncio.gather(*(redeemed(MUG) for _ in range(8)))
    await gate.open(waiting=8)
    assert len({one.id for one in await crowd}) == 1
    assert (await stock(MUG), await points()) == (9, 500)


async def test_a_limit_holds_under_race(postgres: str, gate: Gate) -> None:
    await opened()
    await gate.hold("SELECT 1 FROM points_account FOR UPDATE")
    crowd = asyncio.gather(
        *(redeemed(ONE_EACH, f"k-{n}") for n in range(8)), return_exceptions=True
    )
    await gate.open(waiting=8)
    outcomes = await crowd
    assert sum(isinstance(one, Redemption) for one in outcomes) == 1
    assert sum(isinstance(one, RewardLimitReached) for one in outcomes) == 7
    assert (await stock(ONE_EACH), await points()) == (9, 900)


async def test_cancellations_at_once_give_back_once(postgres: str, gate: Gate) -> None:
    await opened()
    found = await redeemed(MUG)
    await gate.hold("SELECT 1 FROM points_account FOR UPDATE")
    crowd = asyncio.gather(
        *(cancelled(found, f"c-{n % 4}") for n in range(12)), return_exceptions=True
    )
    await gate.open(waiting=12)
    outcomes = await crowd
    assert sum(isinstance(one, Redemption) for one in outcomes) == 3
    assert sum(isinstance(one, RedemptionNotCancellable) for one in outcomes) == 9
    assert (await stock(MUG), await points()) == (10, 1_000)


async def test_a_coupon_is_reserved_for_one_of_many_orders(postgres: str, gate: Gate) -> None:
    await opened()
    coupon = await coupon_of()
    await gate.hold("SELECT 1 FROM coupon FOR UPDATE")
    crowd = asyncio.gather(*(reserve(coupon, f"o-{n}") for n in range(12)), return_exceptions=True)
    await gate.open(waiting=12)
    outcomes = await crowd
    assert sum(isinstance(one, CouponInUse) for one in outcomes) == 1
    assert sum(isinstance(one, CouponReserved) for one in outcomes) == 11


async def test_an_order_gets_one_of_two_coupons(postgres: str, gate: Gate) -> None:
    """Neither is in the order's reach when the other is reserved: the database decides."""
    await opened()
    one, two = await coupon_of(), await coupon_of(TEN_OFF, "k-2")
    await gate.hold("SELECT 1 FROM coupon FOR UPDATE")
    crowd = asyncio.gather(reserve(one), reserve(two), return_exceptions=True)
    await gate.open(waiting=2)
    outcomes = await crowd
    assert sum(isinstance(found, CouponInUse) for found in outcomes) == 1
    assert sum(isinstance(found, CouponNotStackable) for found in outcomes) == 1
    assert sorted(found.status for found in await wallet()) == ["ACTIVE", "RESERVED"]


async def test_a_cancellation_meets_the_till(postgres: str, gate: Gate) -> None:
    """Either the coupon ends and the points come back, or the order gets it; never both."""
    await opened()
    found = await redeemed(TEN_OFF)
    [coupon] = await wallet()
    await gate.hold("SELECT 1 FROM coupon FOR UPDATE")
    crowd = asyncio.gather(cancelled(found), reserve(coupon), return_exceptions=True)
    await gate.open(waiting=2)
    taken_back, held = await crowd
    [seen] = await wallet()
    if isinstance(taken_back, Redemption):
        assert isinstance(held, CouponRefusal)
        assert (seen.status, await points()) == (CouponStatus.REVOKED, 1_000)
    else:
        assert isinstance(taken_back, RedemptionNotCancellable)
        assert isinstance(held, CouponInUse)
        assert (seen.status, await points()) == (CouponStatus.RESERVED, 700)


async def test_confirming_and_releasing_at_once_end_a_reservation_once(
    postgres: str, gate: Gate
) -> None:
    await opened()
    coupon = await coupon_of()
    await reserve(coupon)
    await gate.hold("SELECT 1 FROM coupon FOR UPDATE")
    crowd = asyncio.gather(
        *(rewards.confirm_coupon(using(coupon, key=f"c-{n}"), now=NOW) for n in range(3)),
        *(rewards.release_coupon(using(coupon, key=f"r-{n}"), now=NOW) for n in range(3)),
        return_exceptions=True,
    )
    await gate.open(waiting=6)
    outcomes = await crowd
    won = [one.status for one in outcomes if isinstance(one, CouponInUse)]
    [seen] = await wallet()
    assert won in ([CouponStatus.USED] * 3, [CouponStatus.ACTIVE])
    assert {seen.status} == set(won)
    assert sum(isinstance(one, CouponRefusal) for one in outcomes) == 6 - len(won)
