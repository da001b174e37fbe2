"""What histories found: a capture may pay debt besides, and only what was captured comes back."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.ledger import Posted, Source, balance, post, verify_account
from domain.ledger.commands import Capture, GiveBack, SetAside, TakeBack
from domain.storage import fetch_all
from tests.domain.ledger.commands import ALICE, NOW, days, earn

pytestmark = pytest.mark.usefixtures("database")


async def test_points_come_back_to_the_lots_that_were_captured_not_that_paid_debt() -> None:
    """66 that expire soon and 13 of the others are held; of these 79, 64 are captured.

    171 were taken back meanwhile, for which 158 were there: the 13 that are missing are paid by
    what the capture releases, 2 of the first lot and 11 of the second.
    """
    hold, shop = UUID(int=7), Source(kind="checkout", reference="cart-1")
    refund = Source(kind="refund", reference="r-1")
    await post([earn(171), earn(66, expires=NOW + days(1))], now=NOW)
    for command in (
        SetAside(
            member_id=ALICE,
            hold_id=hold,
            owner="shop",
            points=79,
            expires_at=NOW + days(1),
            source=shop,
        ),
        TakeBack(member_id=ALICE, entry_seq=1, points=171, source=refund),
        Capture(member_id=ALICE, hold_id=hold, points=64, source=shop),
        GiveBack(member_id=ALICE, entry_seq=5, points=21, grace_until=NOW + days(9), source=refund),
    ):
        [outcome] = await post([command], now=NOW)
        assert isinstance(outcome, Posted), outcome
    draws = await fetch_all(
        "SELECT lot_seq, amount FROM points_draw WHERE entry_seq = 5 ORDER BY lot_seq"
    )
    assert [(row["lot_seq"], row["amount"]) for row in draws] == [(1, 11), (2, 66)]
    back = await fetch_all(
        "SELECT earned, parent_lot, expires_at FROM points_lot WHERE entry_seq = 6"
    )
    assert [tuple(dict(row).values()) for row in back] == [(21, 2, NOW + days(1))]
    assert (await balance(ALICE, now=NOW)).available == 23
    assert await verify_account(ALICE) == []
