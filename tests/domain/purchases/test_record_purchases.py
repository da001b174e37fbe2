"""Batches that shops push, below GraphQL: what is decided, what is stored, what is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import tiers
from domain.errors import ErrorCode, IdempotencyConflict, InvalidInput
from domain.ledger import AfterDays
from domain.members import ByExternalReference, ById, ByPhone
from domain.purchases import publish_rule
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
from tests.graphql.kept import changed, everything_kept

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
            line("gift", 0),
            line("nothing", 0, quantity=0),
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
        ("gift", "gift", 1, 0, 1_000),
        ("longjing", "longjing", 2, 10_000, 1_500),
        ("not in the catalogue", "not in the catalogue", 1, 3_000, 1_000),
        ("nothing", "nothing", 0, 0, 0),
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
        "came_with": None,
        "refunded_fen": 0,
        "points_taken": 0,
    }
    events = await fetch_all("SELECT kind, payload FROM outbox WHERE kind = 'PurchaseRecorded'")
    assert [orjson.loads(event["payload"])["points"] for event in events] == [115]
    await shop.verify()


async def test_a_line_of_no_quantity_is_kept_and_earns_nothing_whatever_its_amount() -> None:
    shop = await open_shop("alice")
    nothing = line("longjing", 10_000, quantity=0)
    batch = await shop.record(
        order("A", "alice", nothing), order("B", "alice", nothing, line("cup", 500))
    )
    assert outcomes(batch.receipts) == [("APPLIED", None, 0), ("APPLIED", None, 5)]
    assert await lines_of("A") == [("longjing", "longjing", 0, 10_000, 0)]
    entries = await fetch_all("SELECT amount FROM points_entry")
    assert [entry["amount"] for entry in entries] == [5]
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
    shop = await open_shop("alice")
    await publish_rule(replace(RULE, expiry=AfterDays(30)), now=NOW)
    batch = await shop.record(order("A", "alice", placed_at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert outcomes(batch.receipts) == [("APPLIED", None, 88)]
    assert await shop.available("alice") == 0


MOST = 2**53 - 1
STATEMENTS_MAX = 25
REFUSED: dict[str, tuple[dict[str, Any], ErrorCode]] = {
    "nobody": ({"member": ById(UUID(int=0))}, ErrorCode.MEMBER_NOT_FOUND),
    "a NUL in a reference": ({"member": ByExternalReference("a\0")}, ErrorCode.MEMBER_NOT_FOUND),
    "a phone": ({"member": ByPhone("+8613800138000")}, ErrorCode.MEMBER_NOT_FOUND),
    "a negative payment": ({"paid_fen": -1}, ErrorCode.AMOUNT_INVALID),
    "too large a payment": ({"paid_fen": MOST + 1}, ErrorCode.AMOUNT_INVALID),
    "a payment beyond 64 bits": ({"paid_fen": 2**64}, ErrorCode.AMOUNT_INVALID),
    "a negative amount": ({"lines": [line("cup", -1)], "paid_fen": 0}, ErrorCode.AMOUNT_INVALID),
    "too large an amount": ({"lines": [line("cup", MOST + 1)]}, ErrorCode.AMOUNT_INVALID),
    "a negative quantity": ({"lines": [line("cup", 1, quantity=-1)]}, ErrorCode.QUANTITY_INVALID),
    "too many pieces": ({"lines": [line("cup", 1, quantity=2**31)]}, ErrorCode.QUANTITY_INVALID),
    "the future": (
        {"placed_at": NOW + timedelta(minutes=5, microseconds=1)},
        ErrorCode.FUTURE_DATED,
    ),
    "the end of time": (
        {"placed_at": datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))},
        ErrorCode.FUTURE_DATED,
    ),
    "before 1970": (
        {"placed_at": datetime.min.replace(tzinfo=timezone(timedelta(hours=12)))},
        ErrorCode.INVALID_INPUT,
    ),
    "another currency": ({"currency": "USD"}, ErrorCode.CURRENCY_MISMATCH),
    "no line": ({"lines": [], "paid_fen": 1}, ErrorCode.LINES_INVALID),
    "a line id twice": ({"lines": [line("cup", 1), line("cup", 1)]}, ErrorCode.LINES_INVALID),
    "201 lines": (
        {"lines": [line("cup", 1, line_id=str(n)) for n in range(201)]},
        ErrorCode.LINES_INVALID,
    ),
    "a NUL in a shop": ({"shop": "a\0b"}, ErrorCode.TEXT_INVALID),
    "a lone surrogate": ({"channel": "\ud800"}, ErrorCode.TEXT_INVALID),
    "an empty channel": ({"channel": ""}, ErrorCode.TEXT_INVALID),
    "a long product": ({"lines": [line("c" * 65, 1)]}, ErrorCode.TEXT_INVALID),
    "an empty line id": ({"lines": [line("cup", 1, line_id="")]}, ErrorCode.TEXT_INVALID),
    "a balance out of range": (
        {"lines": [line("longjing", MOST, line_id=str(n)) for n in range(200)], "paid_fen": MOST},
        ErrorCode.POINTS_OUT_OF_RANGE,
    ),
}
RICH = replace(RULE, themes={"TEA": 1_000_000})
"""A thousand points per yuan of tea."""


async def test_an_order_that_is_refused_changes_nothing_and_may_be_sent_again() -> None:
    shop = await open_shop("alice", "bob")
    await publish_rule(RICH, now=NOW)
    for what, (changes, code) in REFUSED.items():
        before = await everything_kept()
        batch = await shop.record(order(what, "alice", **changes), batch_id=what)

        assert outcomes(batch.receipts) == [("REJECTED", code, 0)], what
        # Nothing but the answer to the batch, and an account of no points where the ledger refused.
        touched = changed(before, await everything_kept())
        assert touched - {"points_account"} == {"idempotency"}, what
        again = await shop.record(order(what, "alice", **changes), batch_id=what)
        assert (again.replayed, again.receipts) == (True, batch.receipts), what
    assert await fetch_all("SELECT member_id FROM points_account WHERE version > 0") == []

    mended = await shop.record(*(order(what, "alice") for what in REFUSED), batch_id="mended")
    assert outcomes(mended.receipts) == [("APPLIED", None, 88)] * len(REFUSED)
    await shop.verify()


async def test_an_order_id_that_cannot_be_kept_is_refused_and_replayed() -> None:
    shop = await open_shop("alice")
    unsound = ["", "x" * 129, "a\0b", "\ud800", "line\nfeed", "A\u200b"]
    orders = [*(order(external_id, "alice") for external_id in unsound), order("A", "alice")]
    first = await shop.record(*orders)
    assert outcomes(first.receipts) == [("REJECTED", "TEXT_INVALID", 0)] * 6 + [
        ("APPLIED", None, 88)
    ]
    assert [receipt.external_id for receipt in first.receipts] == [*unsound, "A"]
    assert await shop.record(*orders) == replace(first, replayed=True)


async def test_any_plain_text_names_an_order_and_a_shop() -> None:
    shop = await open_shop("alice")
    texts = ["订单-1", "🧧👨👩👧", "مرحبا", "o'); DROP TABLE purchase;--"]
    batch = await shop.record(*(order(text, "alice", shop=text) for text in texts))
    assert outcomes(batch.receipts) == [("APPLIED", None, 88)] * 4
    rows = await fetch_all("SELECT external_id, shop FROM purchase")
    assert {(row["external_id"], row["shop"]) for row in rows} == {(text, text) for text in texts}


ALTERED: dict[str, dict[str, Any]] = {
    "member": {"member": ByExternalReference("bob")},
    "placed_at": {"placed_at": PLACED_AT - timedelta(microseconds=1)},
    "paid": {"paid_fen": 8_799},
    "channel": {"channel": "web"},
    "shop": {"shop": "mall"},
    "lines": {"lines": [line("cup", 8_800, quantity=2)], "paid_fen": 8_800},
}


async def test_each_altered_field_is_a_conflict_that_changes_nothing() -> None:
    shop = await open_shop("alice", "bob")
    await shop.record(order("A", "alice"))
    for field, changes in ALTERED.items():
        altered = order("A", "alice", **changes)
        before = await everything_kept()

        with pytest.raises(IdempotencyConflict) as refused:
            await shop.record(altered)
        assert (refused.value.key, refused.value.field) == ("batch-1", ("batch_id",)), field
        assert await everything_kept() == before, field

        other = await shop.record(altered, batch_id=f"with another {field}")
        assert outcomes(other.receipts) == [("REJECTED", "IDEMPOTENCY_CONFLICT", 0)], field
        assert changed(before, await everything_kept()) == {"idempotency"}, field


async def test_one_order_twice_in_a_batch() -> None:
    shop = await open_shop("alice")
    once = order("A", "alice")
    batch = await shop.record(
        order("A", "alice", currency="USD"),  # refused by itself, so the next one is the first
        once,
        replace(once, currency="CNY"),  # naming the programme's currency says nothing new
        replace(once, paid_fen=1),
    )
    assert outcomes(batch.receipts) == [
        ("REJECTED", "CURRENCY_MISMATCH", 0),
        ("APPLIED", None, 88),
        ("DUPLICATE", None, 88),
        ("REJECTED", "IDEMPOTENCY_CONFLICT", 0),
    ]
    ids = [receipt.purchase_id for receipt in batch.receipts]
    assert ids[1] is not None
    assert ids == [None, ids[1], ids[1], None]
    await shop.verify()


async def test_a_repeat_of_an_order_that_the_ledger_refuses_is_refused_too() -> None:
    shop = await open_shop("alice")
    await publish_rule(RICH, now=NOW)
    lines = [line("longjing", MOST, line_id=str(n)) for n in range(2)]
    huge = order("A", "alice", *lines, paid_fen=MOST)
    batch = await shop.record(huge, huge)
    assert outcomes(batch.receipts) == [("REJECTED", "POINTS_OUT_OF_RANGE", 0)] * 2


async def test_a_batch_that_breaks_a_rule_is_refused_whole() -> None:
    shop = await open_shop("alice")
    before = await everything_kept()
    for batch_id, size, field in (
        ("", 1, "batch_id"),
        ("b" * 129, 1, "batch_id"),
        ("b\0", 1, "batch_id"),
        ("b\u200b", 1, "batch_id"),
        ("batch-1", 0, "orders"),
        ("batch-1", 501, "orders"),
    ):
        pushed = [order(str(number), "alice") for number in range(size)]
        with pytest.raises(InvalidInput) as refused:
            await shop.record(*pushed, batch_id=batch_id)
        assert refused.value.field == (field,)
    assert await everything_kept() == before


async def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    """Besides the few that make accounts and write the levels that a batch reached."""
    shop = await open_shop("alice", "bob")
    await shop.record(order("A", "alice"), order("B", "bob"))
    counts = []
    for size in (2, 20, 400):
        orders = [
            order(f"{size}-{n}", ("alice", "bob")[n % 2], line(("cup", "longjing")[n % 2], 100))
            for n in range(1, size + 1)
        ]
        with observed_statements() as seen:
            await shop.record(*orders, batch_id=f"batch of {size}")
        counts.append(len(seen))
    # Two more sum up journals that have grown by a hundred entries.
    assert counts[0] == counts[1] == counts[2] - 2 <= STATEMENTS_MAX
