"""Orders from files: idempotent by order id and line id, growing by the lines that are new."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import ErrorCode
from domain.members import ByExternalReference, resolve_members
from domain.purchases import (
    ImportedOrder,
    ImportOrders,
    Order,
    current_rule,
    import_orders,
    publish_rule,
)
from domain.storage import fetch_all, observed_statements
from tests.domain.purchases.shop import NOW, RULE, line, lines_of, open_shop, order
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.usefixtures("database")

TEA, CUP = line("longjing", 10_000), line("cup", 150)


async def bring(*orders: Order, create_members: bool = False) -> list[ImportedOrder]:
    """Import orders under the current rule."""
    command = ImportOrders(source="file", orders=orders, create_members=create_members)
    return await import_orders(command, rule=await current_rule("standard"), now=NOW)


def seen(outcome: ImportedOrder) -> tuple[list[str], list[str], list[str], int]:
    """Added, known and differing lines, and points."""
    return ([*outcome.added], [*outcome.known], [*outcome.differing], outcome.points_earned)


async def test_an_order_imported_again_changes_nothing() -> None:
    shop = await open_shop("alice")
    first = await bring(order("A", "alice", TEA, CUP))
    assert [seen(outcome) for outcome in first] == [(["longjing", "cup"], [], [], 151)]
    before = await everything_kept()

    # The rows of a file may come in any order.
    again = await bring(order("A", "alice", CUP, TEA))
    assert [seen(outcome) for outcome in again] == [([], ["cup", "longjing"], [], 0)]
    assert await everything_kept() == before
    await shop.verify()


async def test_new_lines_of_a_known_order_earn_what_the_whole_order_gains() -> None:
    shop = await open_shop("alice")
    await bring(order("A", "alice", CUP))  # 1.5 yuan: 1 point
    # What was published since does not count: the order keeps its rule and its multiplier.
    await publish_rule(replace(RULE, permille_per_yuan=9_000, themes={}), now=NOW)

    grown = order("A", "alice", line("cup", 150, line_id="2"), TEA, CUP)
    [outcome] = await bring(grown)
    # 1.5 + 1.5 + 150 = 153 points, of which 1 is there.
    assert seen(outcome) == (["2", "longjing"], ["cup"], [], 152)
    assert await lines_of("A") == [
        ("2", "cup", 1, 150, 1_000),
        ("cup", "cup", 1, 150, 1_000),
        ("longjing", "longjing", 1, 10_000, 1_500),
    ]
    [purchase] = await fetch_all("SELECT paid_fen, points, rule_version FROM purchase")
    assert dict(purchase) == {"paid_fen": 10_300, "points": 153, "rule_version": 1}
    assert await shop.available("alice") == 153
    await shop.verify()

    before = await everything_kept()
    assert [seen(one) for one in await bring(grown)] == [([], ["2", "longjing", "cup"], [], 0)]
    assert [seen(one) for one in await bring(order("A", "alice", CUP))] == [([], ["cup"], [], 0)]
    assert await everything_kept() == before


async def test_lines_that_add_less_than_a_point_are_kept_and_post_nothing() -> None:
    shop = await open_shop("alice")
    await bring(order("A", "alice", CUP))
    [outcome] = await bring(order("A", "alice", CUP, line("bag", 49), line("gift", 0, quantity=0)))
    assert seen(outcome) == (["bag", "gift"], ["cup"], [], 0)
    assert await shop.available("alice") == 1
    [entries] = await fetch_all("SELECT COUNT(*) AS n FROM points_entry")
    assert entries["n"] == 1
    # The next 1 fen completes the second yuan.
    [last] = await bring(order("A", "alice", CUP, line("bag", 49), line("pin", 1)))
    assert seen(last) == (["pin"], ["cup", "bag"], [], 1)
    await shop.verify()


@pytest.mark.parametrize(
    "other",
    [line("cup", 151), line("cup", 150, quantity=2), line("longjing", 150, line_id="cup")],
    ids=["amount", "quantity", "product"],
)
async def test_a_known_line_with_other_content_is_left_as_it_was(other: Any) -> None:
    shop = await open_shop("alice")
    await bring(order("A", "alice", CUP))
    before = await everything_kept()
    [outcome] = await bring(order("A", "alice", other))
    assert seen(outcome) == ([], [], ["cup"], 0)
    assert await everything_kept() == before

    # Lines beside it that are new are added all the same.
    [beside] = await bring(order("A", "alice", other, TEA))
    assert seen(beside) == (["longjing"], [], ["cup"], 150)
    await shop.verify()


async def test_a_known_order_of_another_member_is_refused() -> None:
    await open_shop("alice", "bob")
    await bring(order("A", "alice", CUP))
    before = await everything_kept()
    [outcome] = await bring(order("A", "bob", CUP, TEA))
    assert outcome.refusal is not None
    assert outcome.refusal.code == ErrorCode.IDEMPOTENCY_CONFLICT
    assert await everything_kept() == before


async def test_members_are_created_only_when_asked_for() -> None:
    await open_shop("alice")
    before = await everything_kept()
    [unknown] = await bring(order("A", "nobody"))
    assert unknown.refusal is not None
    assert unknown.refusal.code == ErrorCode.MEMBER_NOT_FOUND
    assert await everything_kept() == before

    outcomes = await bring(
        order("A", "new"), order("B", "new"), order("C", "alice"), create_members=True
    )
    assert [outcome.points_earned for outcome in outcomes] == [88, 88, 88]
    [member] = await resolve_members([ByExternalReference("new")])
    owners = await fetch_all("SELECT external_id FROM purchase WHERE member_id = $1", member)
    assert {row["external_id"] for row in owners} == {"A", "B"}


async def test_a_grown_order_beyond_the_range_is_refused_and_changes_nothing() -> None:
    await open_shop("alice")
    most = line("free", 2**53 - 1)
    await publish_rule(replace(RULE, permille_per_yuan=0, themes={"TEA": 1_000_000}), now=NOW)
    await bring(order("A", "alice", most), order("B", "alice", CUP))
    before = await everything_kept()

    too_much = line("longjing", 2**53 - 10_000)
    outcomes = await bring(order("A", "alice", most, CUP), order("B", "alice", CUP, too_much))
    codes = [outcome.refusal and outcome.refusal.code for outcome in outcomes]
    assert codes == [ErrorCode.AMOUNT_INVALID, ErrorCode.POINTS_OUT_OF_RANGE]
    assert await everything_kept() == before


async def test_sound_orders_of_a_batch_are_recorded_beside_refused_ones() -> None:
    shop = await open_shop("alice")
    outcomes = await bring(
        order("A", "alice", line("cup", -1), paid_fen=0),
        order("B", "alice"),
        order("C", "alice", line("cup", 10, line_id="c" * 129)),
    )
    codes = [outcome.refusal and outcome.refusal.code for outcome in outcomes]
    assert codes == [ErrorCode.AMOUNT_INVALID, None, ErrorCode.TEXT_INVALID]
    assert await shop.available("alice") == 88


async def test_the_number_of_statements_does_not_grow_with_the_orders() -> None:
    await open_shop("alice")
    await bring(order("first", "alice", CUP))
    counts: dict[str, list[int]] = {"new": [], "grown": [], "known": []}
    for size in (2, 200):
        orders = [order(f"{size}-{n}", "alice", CUP) for n in range(size)]
        grown = [order(f"{size}-{n}", "alice", CUP, line("bag", 50)) for n in range(size)]
        for kind, brought in (("new", orders), ("grown", grown), ("known", orders)):
            with observed_statements() as statements:
                await bring(*brought)
            counts[kind].append(len(statements))
    # Two statements sum up a journal that has grown by a hundred entries.
    more = {kind: many - few for kind, (few, many) in counts.items()}
    assert more == {"new": 2, "grown": 2, "known": 0}
    assert counts["known"][0] < counts["new"][0]


async def test_events_tell_what_was_recorded_and_what_was_added() -> None:
    await open_shop("alice")
    before = await everything_kept()
    await bring(order("A", "alice", CUP))
    await bring(order("A", "alice", CUP, TEA))
    kinds = [
        row["kind"]
        for row in await fetch_all("SELECT kind FROM outbox ORDER BY member_id, seq")
        if row["kind"].startswith("Purchase")
    ]
    assert kinds == ["PurchaseRecorded", "PurchaseAmended"]
    assert changed(before, await everything_kept()) == {
        "idempotency",
        "outbox",
        "outbox_stream",
        "points_account",
        "points_entry",
        "points_entry_text",
        "points_lot",
        "purchase",
        "purchase_line",
        "qualifying_day",
    }
