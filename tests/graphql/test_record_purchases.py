"""Purchases that a shop records: receipts, points, and the same answer for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.ledger import verify_account
from domain.storage import fetch_all
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import OrderFields, applied, line, order, record
from tests.graphql.programme import SHOP, open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

ORDERS_MAX = 500


async def order_id(session: Session, external_id: str) -> str:
    """The global id of a recorded purchase."""
    rows = await fetch_all(
        "SELECT id FROM purchase WHERE member_id = $1 AND external_id = $2",
        *(session.member, external_id),
    )
    return global_id("Purchase", f"{session.member}:{rows[0]['id']}")


async def points(gateway: Gateway, session: Session) -> int:
    query = "{ me { points { available } } }"
    response = await gateway.ask(query, token=session.access_token)
    available: int = response.json()["data"]["me"]["points"]["available"]
    return available


def receipt(index: int, external_id: str, **facts: Any) -> dict[str, Any]:
    return {
        "index": index,
        "externalId": external_id,
        "code": None,
        "orderId": None,
        "pointsEarned": 0,
        **facts,
    }


async def test_each_order_has_its_receipt_and_its_points(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")

    payload = await record(
        gateway,
        "batch-1",
        [
            order("A", alice.member_id, line("tea", 16_800), paid=10_000),
            order("B", bob.member_id, channel="mini-program", shop="静安店", currency="CNY"),
            order("C", alice.member_id, line("bag", 0), paid=0),
        ],
    )

    assert payload["userErrors"] == []
    assert payload["batch"] == {
        "id": "batch-1",
        "replayed": False,
        "receipts": [
            # 168 × 1.5 × 100/168
            receipt(0, "A", status="APPLIED", orderId=await order_id(alice, "A"), pointsEarned=150),
            receipt(1, "B", status="APPLIED", orderId=await order_id(bob, "B"), pointsEarned=88),
            receipt(2, "C", status="APPLIED", orderId=await order_id(alice, "C")),
        ],
    }
    assert (await points(gateway, alice), await points(gateway, bob)) == (150, 88)
    for session in (alice, bob):
        assert await verify_account(session.member) == []


async def test_a_line_of_no_quantity_is_kept_and_earns_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    nothing, something = line("bag", 5_000, quantity=0), line("cup", 3_000)
    payload = await record(
        gateway,
        "batch-1",
        [order("A", alice.member_id, nothing), order("B", alice.member_id, nothing, something)],
    )
    assert applied(payload) == [0, 30]
    assert await points(gateway, alice) == 30


async def test_members_are_named_as_the_shop_knows_them(gateway: Gateway) -> None:
    alice = await gateway.sign_in("o-alice")
    openid = gateway.named("o-alice")
    named: dict[str, OrderFields] = {
        "by id": {"id": alice.member_id},
        "by openid": {"wechat": {"appId": "wxjifendemo0000001", "openId": openid}},
    }
    nobody: dict[str, OrderFields] = {
        "an id of nobody": {"id": global_id("Member", "01977c1e-0000-7000-8000-000000000000")},
        "another app's openid": {"wechat": {"appId": "wx1111111111111111", "openId": openid}},
        "a phone": {"phone": "+8613800138000"},
        "an external reference": {"externalRef": "CRM-1"},
        "a partner's reference": {"memberRef": "p-1"},
        "a binding": {"bindToken": "b-1"},
    }
    orders = [order(name, "", member=ref) for name, ref in (named | nobody).items()]

    payload = await record(gateway, "batch-1", orders)

    outcomes = [(one["status"], one["code"]) for one in payload["batch"]["receipts"]]
    assert outcomes == [("APPLIED", None)] * 2 + [("REJECTED", "MEMBER_NOT_FOUND")] * 6
    assert await points(gateway, alice) == 176


async def test_a_batch_sent_again_is_answered_byte_for_byte(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    nobody = {"externalRef": "nobody"}
    orders = [order("A", alice.member_id), order("B", "", member=nobody)]
    variables = {"input": {"batchId": "batch-1", "orders": orders}}
    token = await gateway.shop()
    first = await gateway.ask(operation("RecordPurchases"), variables, token=token)
    before = await everything_kept()

    gateway.clock.advance(minutes=14)
    again = await gateway.ask(operation("RecordPurchases"), variables, token=token)

    assert first.content.count(b'"replayed":false') == 1
    assert again.content == first.content.replace(b'"replayed":false', b'"replayed":true')
    assert await everything_kept() == before
    assert await points(gateway, alice) == 88


async def test_a_batch_id_with_other_content_is_refused_whole(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await record(gateway, "batch-1", [order("A", alice.member_id)])
    before = await everything_kept()

    for orders in (
        [order("A", alice.member_id, paid=8_700)],
        [order("A2", alice.member_id)],
        [order("A", alice.member_id), order("B", alice.member_id)],
        [order("A", alice.member_id, placedAt="2026-03-01T11:00:00.000001Z")],
    ):
        payload = await record(gateway, "batch-1", orders)
        assert payload["batch"] is None
        (error,) = payload["userErrors"]
        assert (error["code"], error["field"], error["retryable"]) == (
            "IDEMPOTENCY_CONFLICT",
            ["batchId"],
            False,
        )
    assert await everything_kept() == before

    # The facts of the refusal, for a client that wants them.
    query = """mutation($input: RecordPurchasesInput!) { recordPurchases(input: $input) {
        userErrors { ... on IdempotencyConflict { key differing } } } }"""
    variables = {"input": {"batchId": "batch-1", "orders": [order("Z", alice.member_id)]}}
    response = await gateway.ask(query, variables, token=await gateway.shop())
    assert response.json()["data"]["recordPurchases"]["userErrors"] == [
        {"key": "batch-1", "differing": ["orders"]}
    ]


async def test_an_order_known_from_another_batch_is_a_duplicate_or_a_conflict(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    original = order("A", alice.member_id, line("cup", 8_800), line("bag", 500))
    assert applied(await record(gateway, "batch-1", [original])) == [93]
    purchase = await order_id(alice, "A")
    reordered = original | {
        "lines": original["lines"][::-1],
        "placedAt": "2026-03-01T19:00:00+08:00",
    }

    payload = await record(
        gateway,
        "batch-2",
        [
            reordered,
            original | {"paid": 9_000},
            order("B", alice.member_id),
            order("B", alice.member_id),
            order("B", alice.member_id, paid=1),
        ],
    )

    new = await order_id(alice, "B")
    conflict = {"status": "REJECTED", "code": "IDEMPOTENCY_CONFLICT"}
    assert payload["batch"]["receipts"] == [
        receipt(0, "A", status="DUPLICATE", orderId=purchase, pointsEarned=93),
        receipt(1, "A", **conflict),
        receipt(2, "B", status="APPLIED", orderId=new, pointsEarned=88),
        receipt(3, "B", status="DUPLICATE", orderId=new, pointsEarned=88),
        receipt(4, "B", **conflict),
    ]
    assert await points(gateway, alice) == 93 + 88


async def test_what_is_wrong_with_one_order_leaves_the_others_alone(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    payload = await record(
        gateway,
        "batch-1",
        [
            order("A", alice.member_id),
            order("B", alice.member_id, placedAt="2026-03-01T12:05:00.000001Z"),
            order("C", alice.member_id, placedAt="2026-03-01T12:05:00Z"),
            order("D", alice.member_id, currency="USD"),
        ],
    )
    assert [(one["status"], one["code"]) for one in payload["batch"]["receipts"]] == [
        ("APPLIED", None),
        ("REJECTED", "FUTURE_DATED"),
        ("APPLIED", None),
        ("REJECTED", "CURRENCY_MISMATCH"),
    ]
    assert await points(gateway, alice) == 176

    # What was rejected may be put right and sent again under the same id.
    corrected = [order("B", alice.member_id), order("D", alice.member_id)]
    assert applied(await record(gateway, "batch-2", corrected)) == [88, 88]


async def test_a_batch_may_have_500_orders(gateway: Gateway) -> None:
    members = [await gateway.sign_in(f"o-{number}") for number in range(3)]
    orders = [
        order(f"O-{nth:03}", members[nth % 3].member_id, line("bag", 100 * nth))
        for nth in range(ORDERS_MAX)
    ]

    receipts = (await record(gateway, "large", orders))["batch"]["receipts"]

    assert [one["index"] for one in receipts] == list(range(ORDERS_MAX))
    assert [one["externalId"] for one in receipts] == [one["externalId"] for one in orders]
    assert [one["pointsEarned"] for one in receipts] == list(range(ORDERS_MAX))
    for nth, session in enumerate(members):
        assert await points(gateway, session) == sum(range(nth, ORDERS_MAX, 3))
        assert await verify_account(session.member) == []


async def test_an_order_may_have_200_lines(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    lines = [line("bag", 150, lineId=str(nth)) for nth in range(200)]
    # 1.5 points a line, rounded down once for the whole order.
    assert applied(await record(gateway, "b", [order("A", alice.member_id, *lines)])) == [300]

    lines.append(line("bag", 150, lineId="200"))
    payload = await record(gateway, "c", [order("B", alice.member_id, *lines)])
    assert payload["batch"]["receipts"] == [
        receipt(0, "B", status="REJECTED", code="LINES_INVALID")
    ]


async def test_only_callers_with_the_scope_may_record(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    variables = {"input": {"batchId": "b", "orders": [order("A", alice.member_id)]}}
    before = await everything_kept()

    for who, token, status, code in (
        ("nobody", None, 401, "UNAUTHENTICATED"),
        ("the member", alice.access_token, 403, "FORBIDDEN"),
        ("a partner without the scope", await gateway.partner(), 403, "FORBIDDEN"),
        ("staff", await gateway.staff(), 403, "FORBIDDEN"),
        ("the shop with less than it holds", await gateway.shop("points:hold"), 403, "FORBIDDEN"),
    ):
        response = await gateway.ask(
            operation("RecordPurchases"),
            variables,
            token=token,
            accept="application/graphql-response+json",
        )
        assert response.status_code == status, who
        assert response.json().keys() == {"errors"}, who
        assert [one["extensions"]["code"] for one in response.json()["errors"]] == [code], who
    assert await everything_kept() == before

    assert applied(await record(gateway, "b", [order("A", alice.member_id)])) == [88]


async def test_two_shops_have_orders_of_their_own(gateway: Gateway) -> None:
    """The same ids from another shop are other orders and other batches."""
    alice = await gateway.sign_in()
    other = replace(gateway, tag=f"{gateway.tag}-2")
    await open_shop(other.named(SHOP), now=NOW)
    for shop in (gateway, other):
        batch = await record(shop, "b", [order("A", alice.member_id)])
        assert applied(batch) == [88]
    assert await points(gateway, alice) == 176
