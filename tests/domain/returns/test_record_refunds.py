"""Refunds that shops push: what is taken, what is kept of it, and the same answer for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from domain import ledger
from domain.errors import IdempotencyConflict, InvalidInput
from domain.ledger import EntryKind
from domain.purchases import orders
from domain.returns import Refund, refunds_of
from domain.storage import execute, fetch_all, observed_statements
from domain.texts import is_storable
from tests.domain.purchases.shop import NOW, PLACED_AT, line, open_shop, order
from tests.domain.returns.desk import (
    journal,
    level,
    of_line,
    points,
    record,
    refund,
    told,
)
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.usefixtures("database")


async def purchase_rows() -> list[tuple[str, int, int, int]]:
    rows = await fetch_all(
        "SELECT external_id, paid_fen, refunded_fen, points_taken FROM purchase ORDER BY 1"
    )
    return [tuple(dict(row).values()) for row in rows]


async def test_a_part_is_given_back_and_then_the_rest() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 9_999)))
    assert (await points(alice)).available == 99

    batch = await record(refund("r-1", "A", 3_333), refund("r-2", "A", 3_333))
    # What is left of 99.99 yuan is 66.66, then 33.33: 66 points, then 33.
    assert told(batch.receipts) == [("APPLIED", None, 33, 0), ("APPLIED", None, 33, 0)]
    batch = await record(refund("r-3", "A", 3_333), batch_id="refunds-2")
    assert told(batch.receipts) == [("APPLIED", None, 33, 0)]
    assert (await points(alice)).available == 0
    assert await journal(alice) == [
        (EntryKind.EARN, 99),
        (EntryKind.REVERSAL, -33),
        (EntryKind.REVERSAL, -33),
        (EntryKind.REVERSAL, -33),
    ]
    assert await purchase_rows() == [("A", 9_999, 9_999, 99)]
    assert await ledger.verify_account(alice) == []


async def test_what_comes_back_of_a_line_takes_what_that_line_earned() -> None:
    shop = await open_shop("alice")
    # Tea earns half as much again: 100 × 1.5 + 100, of which a fifth was a discount: 200.
    await shop.record(
        order("A", "alice", line("longjing", 10_000), line("cup", 10_000), paid_fen=16_000)
    )
    assert (await points(shop.members["alice"])).available == 200
    batch = await record(
        # The tea's share of what was paid is 80 yuan, which earned 120.
        refund("r-1", "A", 8_000, lines=[of_line("longjing", 8_000)]),
        # The rest is the cup's: 40 of 80 yuan.
        refund("r-2", "A", 4_000),
        refund("r-3", "A", 4_000, lines=[of_line("cup", 4_000)]),
    )
    assert told(batch.receipts) == [
        ("APPLIED", None, 120, 0),
        ("APPLIED", None, 40, 0),
        ("APPLIED", None, 40, 0),
    ]


async def test_points_that_are_gone_become_debt_which_the_next_order_pays() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 10_000)))
    spent = ledger.Redeem(
        member_id=alice, points=80, source=ledger.Source(kind="test", reference="1")
    )
    await ledger.post_one(spent, now=NOW)
    batch = await record(refund("r-1", "A", 10_000))
    assert told(batch.receipts) == [("APPLIED", None, 100, 80)]
    assert (await points(alice)).debt == 80
    await shop.record(order("B", "alice", line("cup", 9_000)), batch_id="batch-2")
    balance = await points(alice)
    assert (balance.available, balance.debt) == (10, 0)
    assert await ledger.verify_account(alice) == []


async def test_a_refund_lowers_the_level_that_it_carried() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 60_000)), order("B", "alice"))
    await shop.record(order("C", "alice", line("cup", 40_000)), batch_id="batch-2")
    assert await level(alice) == "gold"
    await record(refund("r-1", "B", 8_800))
    assert await level(alice) == "gold"
    await record(refund("r-2", "A", 1), batch_id="refunds-2")
    assert await level(alice) == "member"
    days = await fetch_all("SELECT points, purchases, amount_fen FROM qualifying_day")
    assert [tuple(dict(day).values()) for day in days] == [(999, 2, 99_999)]
    changes = await fetch_all("SELECT to_code, reason FROM level_change ORDER BY seq")
    assert [tuple(dict(one).values()) for one in changes] == [
        ("gold", "QUALIFIED"),
        ("member", "REFUNDED"),
    ]


async def test_an_order_that_earned_nothing_is_refunded_as_well() -> None:
    shop = await open_shop("alice")
    await shop.record(order("A", "alice", line("cup", 99)))
    batch = await record(refund("r-1", "A", 99))
    assert told(batch.receipts) == [("APPLIED", None, 0, 0)]
    assert await purchase_rows() == [("A", 99, 99, 0)]
    days = await fetch_all("SELECT purchases, amount_fen FROM qualifying_day")
    assert [tuple(dict(day).values()) for day in days] == [(0, 0)]


async def test_pending_points_are_taken_before_they_mature() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 10_000)))
    await ledger.post_one(
        ledger.Earn(
            member_id=alice,
            points=50,
            source=ledger.Source(kind="test", reference="1"),
            effective_at=NOW,
            matures_at=NOW + timedelta(days=1),
            expires_at=ledger.NEVER,
        ),
        now=NOW,
    )
    await record(refund("r-1", "A", 10_000))
    balance = await points(alice)
    assert (balance.available, balance.pending, balance.debt) == (0, 50, 0)


async def test_what_is_told_of_a_refund() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(
        order("A", "alice", line("cup", 10_000), channel="mini-program", shop="静安店")
    )
    await record(refund("r-1", "A", 2_500))
    [purchase] = await fetch_all("SELECT id FROM purchase")
    [event] = await fetch_all("SELECT payload FROM outbox WHERE kind = 'PurchaseRefunded'")
    facts = orjson.loads(event["payload"])
    assert {name: facts[name] for name in ("amount_fen", "points_taken", "channel", "shop")} == {
        "amount_fen": 2_500,
        "points_taken": 25,
        "channel": "mini-program",
        "shop": "静安店",
    }
    [told_of] = await fetch_all("SELECT kind, facts FROM notification")
    assert told_of["kind"] == "PURCHASE_REFUNDED"
    [found] = (await refunds_of(alice, [purchase["id"]]))[purchase["id"]]
    assert (found.amount_fen, found.points_taken, found.refunded_at) == (2_500, 25, NOW)


async def test_a_batch_that_is_sent_again_is_answered_as_before() -> None:
    shop = await open_shop("alice")
    await shop.record(order("A", "alice", line("cup", 10_000)))
    sent = [refund("r-1", "A", 1_000), refund("r-2", "B", 1_000)]
    first = await record(*sent)
    before = await everything_kept()
    again = await record(*sent)
    assert (again.replayed, again.receipts) == (True, first.receipts)
    with pytest.raises(IdempotencyConflict) as conflict:
        await record(refund("r-1", "A", 2_000))
    assert (conflict.value.field, conflict.value.differing) == (("batch_id",), ("refunds",))
    assert await everything_kept() == before


async def test_a_refund_is_recorded_once_whatever_batch_it_comes_in() -> None:
    shop = await open_shop("alice")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 10_000)))
    one = refund("r-1", "A", 1_000)
    await record(one, batch_id="1")
    batch = await record(one, one, refund("r-1", "A", 2_000), refund("r-2", "A", 500), batch_id="2")
    assert told(batch.receipts) == [
        ("DUPLICATE", None, 10, 0),
        ("DUPLICATE", None, 10, 0),
        ("REJECTED", "IDEMPOTENCY_CONFLICT", 0, 0),
        ("APPLIED", None, 5, 0),
    ]
    assert (await points(alice)).available == 85
    # Another shop has ids of its own, and knows nothing of this one's orders.
    other = await record(one, source="other")
    assert told(other.receipts) == [("REJECTED", "ORDER_UNKNOWN", 0, 0)]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"order_external_id": "none"}, "ORDER_UNKNOWN"),
    ({"external_id": ""}, "TEXT_INVALID"),
    ({"external_id": "bad\u200b"}, "TEXT_INVALID"),
    ({"order_external_id": "a\x00b"}, "TEXT_INVALID"),
    ({"order_external_id": "A\u200b"}, "ORDER_UNKNOWN"),
    ({"lines": [of_line("cup\u200b", 1)]}, "REFUND_LINE_UNKNOWN"),
    ({"amount_fen": 0}, "AMOUNT_INVALID"),
    ({"amount_fen": -1}, "AMOUNT_INVALID"),
    ({"amount_fen": 2**53}, "AMOUNT_INVALID"),
    ({"amount_fen": 20_001}, "REFUND_EXCEEDS"),
    ({"refunded_at": PLACED_AT - timedelta(microseconds=1)}, "REFUND_BEFORE_ORDER"),
    ({"refunded_at": NOW + timedelta(minutes=5, microseconds=1)}, "FUTURE_DATED"),
    ({"lines": [of_line("none", 1)]}, "REFUND_LINE_UNKNOWN"),
    ({"lines": [of_line("cup", 1, quantity=3)]}, "REFUND_LINE_EXCEEDS"),
    ({"lines": [of_line("cup", 10_001)], "amount_fen": 11_000}, "REFUND_LINE_EXCEEDS"),
    ({"lines": [of_line("cup", 1, quantity=-1)]}, "QUANTITY_INVALID"),
    ({"lines": [of_line("cup", -1)]}, "AMOUNT_INVALID"),
    ({"lines": [of_line("cup", 1), of_line("cup", 1)]}, "LINES_INVALID"),
    ({"lines": [of_line("cup", 6_000), of_line("longjing", 4_001)]}, "LINES_INVALID"),
    ({"lines": [of_line(str(number), 1) for number in range(201)]}, "LINES_INVALID"),
]


async def test_bad_refunds_are_refused_one_by_one_and_change_nothing() -> None:
    shop = await open_shop("alice")
    await shop.record(
        order("A", "alice", line("cup", 10_000, quantity=2), line("longjing", 10_000))
    )
    before = await everything_kept()
    values: dict[str, Any] = {
        "order_external_id": "A",
        "amount_fen": 10_000,
        "refunded_at": NOW,
    }
    bad = [
        Refund(**{"external_id": f"bad-{at}", **values, **changes})
        for at, (changes, _) in enumerate(BAD)
    ]
    batch = await record(*bad)
    assert [one.code for one in batch.receipts] == [code for _, code in BAD]
    assert {one.status.value for one in batch.receipts} == {"REJECTED"}
    # The answer to the batch is all that is kept.
    assert changed(before, await everything_kept()) == {"idempotency"}
    good = await record(refund("bad-0", "A", 20_000), batch_id="refunds-2")
    assert told(good.receipts) == [("APPLIED", None, 250, 0)]


async def test_an_order_that_hides_something_is_refunded_as_it_was_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = await open_shop("alice")
    with monkeypatch.context() as as_it_was:
        as_it_was.setattr(orders, "is_identity", is_storable)
        hidden = line("cup", 10_000, line_id="1\u200b")
        await shop.record(order("A\u200b", "alice", hidden))
    batch = await record(
        refund("r-1", "A", 10_000),
        refund("r-2", "A\u200b", 10_000, lines=[of_line("1\u200b", 10_000)]),
    )
    assert told(batch.receipts) == [("REJECTED", "ORDER_UNKNOWN", 0, 0), ("APPLIED", None, 100, 0)]


async def test_what_two_refunds_of_a_line_exceed_together_is_refused() -> None:
    shop = await open_shop("alice")
    await shop.record(order("A", "alice", line("cup", 10_000, quantity=2)))
    one_cup = {"lines": [of_line("cup", 5_000)]}
    batch = await record(
        refund("r-1", "A", 5_000, **one_cup),
        refund("r-2", "A", 5_001),
        refund("r-3", "A", 5_000, lines=[of_line("cup", 4_000, quantity=2)]),
        refund("r-4", "A", 5_000, **one_cup),
        refund("r-5", "A", 1),
    )
    assert told(batch.receipts) == [
        ("APPLIED", None, 50, 0),
        ("REJECTED", "REFUND_EXCEEDS", 0, 0),
        ("REJECTED", "REFUND_LINE_EXCEEDS", 0, 0),
        ("APPLIED", None, 50, 0),
        ("REJECTED", "REFUND_EXCEEDS", 0, 0),
    ]


@pytest.mark.parametrize(
    ("batch_id", "count"), [("", 1), ("x" * 129, 1), ("x\u200b", 1), ("x", 0), ("x", 501)]
)
async def test_a_batch_that_breaks_a_rule_is_refused_whole(batch_id: str, count: int) -> None:
    with pytest.raises(InvalidInput):
        await record(*[refund("r-1", "A", 1)] * count, batch_id=batch_id)


async def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    shop = await open_shop(*(f"m-{number}" for number in range(40)))
    await shop.record(*(order(f"o-{number}", f"m-{number}") for number in range(40)))
    seen = []
    for begin, end in ((0, 1), (1, 40)):
        with observed_statements() as statements:
            await record(
                *(refund(f"r-{number}", f"o-{number}", 100) for number in range(begin, end)),
                batch_id=f"{begin}",
            )
        seen.append(len(statements))
    # Of one or two accounts the lots that come first are asked for each; of more all at once.
    assert abs(seen[1] - seen[0]) <= 2, seen


async def test_orders_that_do_not_tell_their_entry_are_found_in_the_journal() -> None:
    shop = await open_shop("alice", "bob")
    alice = shop.members["alice"]
    await shop.record(order("A", "alice", line("cup", 10_000)), order("B", "bob"))
    await shop.record(
        order("A", "alice", line("cup", 5_000), placed_at=PLACED_AT + timedelta(minutes=1)),
        source="other",
    )
    await execute("UPDATE purchase_line SET earned_by = NULL, earned_seq = NULL")
    batch = await record(refund("r-1", "A", 10_000))
    assert told(batch.receipts) == [("APPLIED", None, 100, 0)]
    reversed_ = await fetch_all("SELECT member_id, entry_seq, reversed FROM points_reversed")
    assert [tuple(dict(row).values()) for row in reversed_] == [(alice, 1, 100)]


async def test_who_is_no_more_has_no_order() -> None:
    shop = await open_shop("alice")
    await shop.record(order("A", "alice"))
    await execute("DELETE FROM member_identity")
    await execute("DELETE FROM member")
    batch = await record(refund("r-1", "A", 1))
    assert told(batch.receipts) == [("REJECTED", "ORDER_UNKNOWN", 0, 0)]
