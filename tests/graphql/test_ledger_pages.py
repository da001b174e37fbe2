"""Pages of the journal: by kinds, with the lots of each entry and what it undoes."""

from __future__ import annotations

from typing import Any

import pytest

from domain.ledger import Source, post
from domain.ledger.commands import TakeBack
from domain.storage import observed_statements
from tests.graphql.gateway import NOW, Gateway, Session, entries_cursor, global_id
from tests.graphql.operations import operation
from tests.graphql.points import capture, earn, held, transfer

pytestmark = pytest.mark.asyncio(loop_scope="module")

EARNED_AT = "2026-03-01T11:00:00Z"
EXPIRES_AT = "2027-03-01T16:00:00Z"


async def a_life(gateway: Gateway) -> tuple[Session, Session]:
    """Alice earns twice, captures, sets aside, gives to Bob; her first order is refunded."""
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100, order_id="A")
    await earn(gateway, alice, 50, order_id="B")
    spent = await held(gateway, alice, 40, reference="till-1")
    await capture(gateway, spent, points=30)
    await held(gateway, alice, 20, reference="till-2", idempotencyKey="hold-2")
    await transfer(gateway, alice, bob, points=60, note="thanks")
    refund = Source(kind="refund", reference="refund-1")
    taken = TakeBack(member_id=alice.member, entry_seq=1, points=5, source=refund, reason="退货")
    await post([taken], now=NOW)
    return alice, bob


def entry(session: Session, seq: int, kind: str, amount: int, after: int, **more: Any) -> Any:
    lots = more.pop("lots", {})
    return {
        "id": global_id("LedgerEntry", f"{session.member}:{seq}"),
        "kind": kind,
        "amount": amount,
        "balanceAfter": after,
        "reason": None,
        "occurredAt": "2026-03-01T12:00:00Z",
        "recordedAt": "2026-03-01T12:00:00Z",
        "reverses": None,
        "lots": [
            {
                "lotId": global_id("Lot", f"{session.member}:{lot}"),
                "points": points,
                "earnedAt": EARNED_AT,
                "expiresAt": EXPIRES_AT,
            }
            for lot, points in lots.items()
        ],
    } | more


async def test_each_entry_names_its_lots_and_what_it_undoes(gateway: Gateway) -> None:
    alice, bob = await a_life(gateway)

    page = await gateway.send("LedgerPage", alice.access_token, first=50)

    till = {"kind": "checkout", "reference": "till-1"}
    nodes = page["ledger"]["nodes"]
    [given] = [node["source"] for node in nodes if node["kind"] == "TRANSFER_OUT"]
    assert nodes == [
        entry(
            *(alice, 7, "REVERSAL", -5, 35),
            reason="退货",
            source={"kind": "refund", "reference": "refund-1"},
            reverses={"id": global_id("LedgerEntry", f"{alice.member}:1")},
            lots={2: 5},  # Of its own lot only what the open hold pins is left.
        ),
        entry(alice, 6, "TRANSFER_OUT", -60, 40, source=given, lots={1: 50, 2: 10}),
        entry(
            *(alice, 5, "HOLD", -20, 100),
            source={"kind": "checkout", "reference": "till-2"},
            lots={1: 20},
        ),
        entry(alice, 4, "CAPTURE", -30, 120, source=till, lots={1: 30}),
        entry(alice, 3, "HOLD", -40, 110, source=till),  # It is captured.
        *(
            entry(
                *(alice, seq, "EARN", points, after),
                occurredAt=EARNED_AT,
                source={"kind": "purchase", "reference": f"{name}-{alice.member}"},
                lots={seq: points},
            )
            for seq, name, points, after in ((2, "B", 50, 150), (1, "A", 100, 100))
        ),
    ]
    assert given["kind"] == "transfer"
    page = await gateway.send("LedgerPage", bob.access_token, first=50)
    assert page["ledger"]["nodes"] == [
        entry(bob, 1, "TRANSFER_IN", 60, 60, source=given, lots={1: 50, 2: 10})
    ]


async def test_lots_and_reversals_are_read_once_for_a_page_and_only_when_asked_for(
    gateway: Gateway,
) -> None:
    alice, _ = await a_life(gateway)

    async def statements_of(fields: str, first: int) -> int:
        query = f"{{ me {{ ledger(first: {first}) {{ nodes {{ id {fields} }} }} }} }}"
        with observed_statements() as statements:
            response = await gateway.ask(query, token=alice.access_token)
        assert "errors" not in response.json()
        return len(statements)

    plain = await statements_of("", 50)
    for first in (1, 50):
        assert await statements_of("kind amount", first) == plain
        assert await statements_of("lots { points } more: lots { lotId }", first) == plain + 1
        assert await statements_of("reverses { id kind }", first) == plain + 1
        assert await statements_of("lots { points } reverses { id lots { points } }", first) == (
            plain + 3
        )
    # Without a reversal there is nothing to read.
    query = "{ me { ledger(first: 5, kinds: [EARN]) { nodes { reverses { id } } } } }"
    with observed_statements() as statements:
        await gateway.ask(query, token=alice.access_token)
    assert len(statements) == plain


async def test_a_page_has_only_the_kinds_that_are_asked_for(gateway: Gateway) -> None:
    alice, _ = await a_life(gateway)

    async def kinds_of(**variables: Any) -> tuple[list[str], Any]:
        page = await gateway.send("LedgerPage", alice.access_token, **variables)
        return [one["kind"] for one in page["ledger"]["nodes"]], page["ledger"]["pageInfo"]

    both = ["HOLD", "EARN"]
    kinds, info = await kinds_of(first=3, kinds=both)
    assert kinds == ["HOLD", "HOLD", "EARN"]
    assert info == {"hasNextPage": True, "endCursor": entries_cursor(2)}
    kinds, info = await kinds_of(first=3, kinds=both, after=info["endCursor"])
    assert (kinds, info["hasNextPage"]) == (["EARN"], False)
    assert await kinds_of(first=3, kinds=["EXPIRE"]) == (
        [],
        {"hasNextPage": False, "endCursor": None},
    )
    everything: dict[str, Any]
    for everything in ({}, {"kinds": None}, {"kinds": []}):
        assert len((await kinds_of(first=50, **everything))[0]) == 7
    variables = {"first": 3, "kinds": ["GIFT"]}
    response = await gateway.ask(operation("LedgerPage"), variables, token=alice.access_token)
    assert [one["extensions"]["code"] for one in response.json()["errors"]] == ["BAD_USER_INPUT"]


async def test_one_entry_has_its_lots_too(gateway: Gateway) -> None:
    alice, bob = await a_life(gateway)
    entry_id = global_id("LedgerEntry", f"{alice.member}:7")
    query = """query($id: ID!) { node(id: $id) { ... on LedgerEntry {
        lots { points } reverses { kind amount lots { points } } } } }"""
    response = await gateway.ask(query, {"id": entry_id}, token=alice.access_token)
    assert response.json()["data"]["node"] == {
        "lots": [{"points": 5}],
        "reverses": {"kind": "EARN", "amount": 100, "lots": [{"points": 100}]},
    }
    response = await gateway.ask(query, {"id": entry_id}, token=bob.access_token)
    assert response.json() == {"data": {"node": None}}


async def test_staff_read_the_journal_but_not_what_members_write_to_each_other(
    gateway: Gateway,
) -> None:
    alice, _ = await a_life(gateway)
    query = """query($by: MemberRef!) { staff { member(by: $by) { ledger(kinds: [TRANSFER_OUT]) {
        nodes { kind lots { points } %s } } } } }"""
    by = {"by": {"id": alice.member_id}}
    response = await gateway.ask(query % "", by, token=await gateway.staff())
    assert response.json()["data"]["staff"]["member"]["ledger"]["nodes"] == [
        {"kind": "TRANSFER_OUT", "lots": [{"points": 50}, {"points": 10}]}
    ]
    response = await gateway.ask(query % "note", by, token=await gateway.staff())
    assert [one["extensions"]["code"] for one in response.json()["errors"]] == ["FORBIDDEN"]
