"""What readers reckon: sums whatever the number of lots, and the moments at which they change."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.ledger import ExpiringPoints, balance, post
from domain.ledger.commands import SetAside, TakeBack
from domain.ledger.entries import Source
from domain.ledger.reckoning import reckoning
from domain.revisions import revision
from domain.storage import observed_statements
from tests.domain.ledger.commands import ALICE, NOW, days, earn, redeem
from tests.domain.ledger.pasts import MICROSECOND, told

pytestmark = pytest.mark.usefixtures("database")


def set_aside(points: int, *, until: float) -> SetAside:
    return SetAside(
        member_id=ALICE,
        hold_id=UUID(int=1),
        owner="shop",
        points=points,
        expires_at=NOW + days(until),
        source=Source(kind="checkout", reference="cart-1"),
    )


async def test_many_lots_that_are_due_are_read_as_few() -> None:
    for part in range(3):
        lots = [
            earn(
                1,
                matures=NOW + days(2 + nth / 1_000) if nth % 4 == 0 else None,
                expires=NOW + days(3 + part + nth / 1_000),
            )
            for nth in range(400)
        ]
        await post(lots, now=NOW)
    for at, expected in (
        (2, (903, 297, 0, 0)),
        (3, (1_199, 0, 0, 0)),
        (4, (799, 0, 0, 0)),
        (9, (0, 0, 0, 0)),
    ):
        with observed_statements() as statements:
            assert await told(now=NOW + days(at)) == expected
        assert len(statements) == 1
        book = await reckoning(ALICE, until=NOW + days(at), soon=NOW + days(at + 30))
        assert book is not None
        # Lots that are over are one, or two with those that never matured; besides, those that
        # matured and are not written, and twelve moments at which others expire.
        due = sum(lot.expires_at <= NOW + days(at) for lot in book.lots.values())
        assert due <= 2
        pending = sum(lot.pending for lot in book.lots.values())
        assert len(book.lots) - pending <= 13


async def test_only_the_first_moments_of_those_that_expire_soon_are_told() -> None:
    await post([earn(nth, expires=NOW + days(nth)) for nth in range(1, 20)] * 2, now=NOW)
    await post([earn(5, matures=NOW + days(2), expires=NOW + days(4))], now=NOW)
    shown = (await balance(ALICE, now=NOW + days(2))).expiring_soon
    assert [one.points for one in shown] == [6, 13, *(2 * nth for nth in range(5, 15))]
    assert shown[1] == ExpiringPoints(points=13, expires_at=NOW + days(4))


async def test_debt_is_reckoned_lot_by_lot() -> None:
    """Which lot pays decides what is left to expire."""
    await post([earn(10), redeem(10)], now=NOW)
    refund = Source(kind="refund", reference="r-1")
    await post([TakeBack(member_id=ALICE, entry_seq=1, points=10, source=refund)], now=NOW)
    await post(
        [
            earn(6, matures=NOW + days(1), expires=NOW + days(5)),
            earn(6, matures=NOW + days(1), expires=NOW + days(9)),
            earn(6, matures=NOW + days(1), expires=NOW + days(5)),
        ],
        now=NOW,
    )
    assert await told(now=NOW + days(1) - MICROSECOND) == (0, 18, 0, 10)
    assert await told(now=NOW + days(1)) == (8, 0, 0, 0)
    assert await told(now=NOW + days(5)) == (2, 0, 0, 0)
    shown = (await balance(ALICE, now=NOW + days(1))).expiring_soon
    assert [one.points for one in shown] == [6, 2]


async def test_a_hold_that_ran_out_gives_back_what_then_expires_soon_and_expires() -> None:
    """Nobody writes anything: each moment at which the balance changes makes a new revision."""
    await post([earn(50, expires=NOW + days(40)), set_aside(50, until=2)], now=NOW)
    soon = (ExpiringPoints(points=50, expires_at=NOW + days(40)),)
    before = await revision(ALICE, now=NOW)
    for at, balances, expiring in (
        (2, (50, 0, 0, 0), ()),
        (10, (50, 0, 0, 0), soon),
        (40, (0, 0, 0, 0), ()),
    ):
        moment = NOW + days(at)
        just_before = await revision(ALICE, now=moment - MICROSECOND)
        assert just_before.moments == before.moments
        before = await revision(ALICE, now=moment)
        assert before.moments != just_before.moments
        shown = await balance(ALICE, now=moment)
        assert (shown.available, shown.pending, shown.held, shown.debt) == balances
        assert shown.expiring_soon == expiring


async def test_of_a_pinned_lot_that_expires_the_rest_does() -> None:
    await post([earn(50, expires=NOW + days(3)), set_aside(20, until=5)], now=NOW)
    assert await told(now=NOW + days(3)) == (0, 0, 20, 0)
    assert await told(now=NOW + days(5)) == (0, 0, 0, 0)
    # What is set aside is not offered as expiring soon.
    [one] = (await balance(ALICE, now=NOW)).expiring_soon
    assert one.points == 30
