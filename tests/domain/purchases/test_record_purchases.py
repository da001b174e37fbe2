"""Batches that shops push, below GraphQL: what is decided, what is stored, what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest

from domain import tiers
from domain.errors import ErrorCode, IdempotencyConflict, InvalidInput
from domain.ledger import POINTS_MAX
from domain.members import ById
from domain.purchases import Order, RecordPurchases, publish_rule, record_purchases
from domain.storage import fetch_all, observed_statements
from tests.domain.purchases.shop import (
    NOW,
    PLACED_AT,
    RULE,
    line,
    lines_of,
    open_shop,
    order,
    outcomes,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def test_what_an_order_earns_and_what_is_kept_of_it() -> None:
    shop = await open_shop("alice")
    batch = await shop.record(
        order(
            "A",
            "alice",
            line("longjing", 10_000, quantity=2),
            line("cup", 5_000),
            line("not in the catalogue", 3_000),
            line("gift", 0, quantity=0),
            paid_fen=9_000,
            channel="mini-program",
            shop="静安店",
            placed_at=PLACED_AT.astimezone(timezone(timedelta(hours=8))),
        )
    )

    # (100 × 1.5 + 50 + 30) × 90/180 = 115
    assert outcomes(batch.receipts) == [("APPLIED", None, 115)]
    assert await shop.available("alice") == 115
    assert await lines_of("A") == [
        ("cup", "cup", 1, 5_000, 1_000),
        ("gift", "gift", 0, 0, 1_000),
        ("longjing", "longjing", 2, 10_000, 1_500),
        ("not in the catalogue", "not in the catalogue", 1, 3_000, 1_000),
    ]
    [purchase] = await fetch_all("SELECT * FROM purchase")
    assert dict(purchase) == {
        "member_id": shop.members["alice"],
        "id": batch.receipts[0].purchase_id,
        "source": "shop",
        "external_id": "A",
        "placed_at": PLACED_AT,
        "recorded_at": NOW,
        "paid_fen": 9_000,
        "currency": "CNY",
        "channel": "mini-program",
        "shop": "静安店",
        "rule_code": "standard",
        "rule_version": 1,
        "multiplier_permille": 1_000,
        "points": 115,
    }
    events = await fetch_all("SELECT kind, payload FROM outbox WHERE kind = 'PurchaseRecorded'")
    assert [orjson.loads(event["payload"])["points"] for event in events] == [115]
    await shop.verify()


async def test_the_level_before_the_batch_multiplies() -> None:
    shop = await open_shop("alice")
    thousand = line("cup", 100_000)
    batch = await shop.record(order("A", "alice", thousand), order("B", "alice", thousand))
    assert outcomes(batch.receipts) == [("APPLIED", None, 1_000)] * 2
    assert await tiers.level_codes([shop.members["alice"]]) == {shop.members["alice"]: "gold"}

    later = await shop.record(order("C", "alice", thousand), batch_id="batch-2")
    assert outcomes(later.receipts) == [("APPLIED", None, 2_000)]
    assert await shop.available("alice") == 4_000


async def test_points_of_an_order_that_expired_long_ago_are_gone_already() -> None:
    from domain.ledger import AfterDays

    shop = await open_shop("alice")
    await publish_rule(replace(RULE, expiry=AfterDays(30)), now=NOW)
    batch = await shop.record(order("A", "alice", placed_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert outcomes(batch.receipts) == [("APPLIED", None, 88)]
    assert await shop.available("alice") == 0


MOST = 2**53 - 1
REFUSED: dict[str, tuple[dict[str, Any], ErrorCode]] = {
    "nobody": ({"member": ById(member_id=order("", "")and __import__("uuid").UUID(int=0))}, ErrorCode.MEMBER_NOT_FOUND),
}
