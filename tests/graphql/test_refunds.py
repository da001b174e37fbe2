"""Refunds over the API: recorded by shops, foreseen and seen by members."""

from __future__ import annotations

from typing import Any

import pytest

from domain.ledger import verify_account
from tests.graphql.gateway import Gateway, Session, global_id, plain_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import applied, give_back, line, order, record, refund
from tests.graphql.points import balance
from tests.graphql.redeeming import redeem
from tests.graphql.timelines import keep_timelines, staff_timeline

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOWN = """query($id: ID!) { node(id: $id) { ... on Purchase {
    paid { amount } refunded { amount currency } pointsEarned
    refunds { amount { amount currency } refundedAt pointsTaken } } } }"""


async def bought(gateway: Gateway, session: Session, external_id: str, fen: int) -> str:
    """The global id of an order of bags for so much."""
    payload = await record(
        gateway, external_id, [order(external_id, session.member_id, line("bag", fen))]
    )
    applied(payload)
    order_id: str = payload["batch"]["receipts"][0]["orderId"]
    return order_id


async def foreseen(gateway: Gateway, session: Session, order_id: str, amount: int) -> Any:
    """What the member is told of a refund of so much."""
    found = await gateway.send(
        "RefundPreview", session.access_token, orderId=order_id, amount=amount
    )
    return found["refundPreview"]


def receipt(index: int, external_id: str, **facts: Any) -> dict[str, Any]:
    return {
        "index": index,
        "externalId": external_id,
        "status": "APPLIED",
        "code": None,
        "pointsTaken": 0,
        "debtAfter": 0,
        **facts,
    }


async def test_each_refund_has_its_receipt_and_is_seen_by_the_member(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    order_id = await bought(gateway, alice, "A", 10_000)
    bags = [{"lineId": "bag", "quantity": 1, "amount": 2_000}]
    payload = await give_back(
        gateway,
        "refunds",
        refund("r-1", "A", 2_500, lines=bags),
        refund("r-2", "none", 1),
        refund("r-3", "A", 7_501),
        refund("r-1", "A", 2_500, lines=bags),
    )
    assert payload == {
        "batch": {
            "id": "refunds",
            "replayed": False,
            "receipts": [
                receipt(0, "r-1", pointsTaken=25),
                receipt(1, "r-2", status="REJECTED", code="ORDER_UNKNOWN"),
                receipt(2, "r-3", status="REJECTED", code="REFUND_EXCEEDS"),
                receipt(3, "r-1", status="DUPLICATE", pointsTaken=25),
            ],
        },
        "userErrors": [],
    }
    shown = await gateway.ask(SHOWN, {"id": order_id}, token=alice.access_token)
    assert shown.json()["data"]["node"] == {
        "paid": {"amount": 10_000},
        "refunded": {"amount": 2_500, "currency": "CNY"},
        "pointsEarned": 100,
        "refunds": [
            {
                "amount": {"amount": 2_500, "currency": "CNY"},
                "refundedAt": "2026-03-01T11:30:00Z",
                "pointsTaken": 25,
            }
        ],
    }
    page = await gateway.send("Purchases", alice.access_token, first=1)
    assert [one["pointsTaken"] for one in page["purchases"]["nodes"][0]["refunds"]] == [25]
    assert await balance(gateway, alice) == {"available": 75, "held": 0, "debt": 0}
    assert await verify_account(alice.member) == []


async def test_a_refund_is_a_change_and_stands_in_the_timeline(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    order_id = await bought(gateway, alice, "A", 10_000)
    seen = await gateway.send("Changes", alice.access_token)
    await give_back(gateway, "refunds", refund("r-1", "A", 2_550))
    changes = await gateway.send("Changes", alice.access_token, since=seen["changes"]["cursor"])
    told = {one["kind"]: one["id"] for one in changes["changes"]["items"]}
    # The member is told of it, in the same moment.
    assert plain_id(told.pop("NOTIFIED")).startswith(f"Notification:{alice.member}:")
    assert told == {
        "PURCHASE_REFUNDED": order_id,
        "POINTS_CHANGED": global_id("LedgerEntry", f"{alice.member}:2"),
    }
    await keep_timelines(gateway)
    assert ("PURCHASE_REFUNDED", "退款 25.50 CNY") in await staff_timeline(gateway, alice)
    english = await staff_timeline(gateway, alice, language="en")
    assert ("PURCHASE_REFUNDED", "Was refunded 25.50 CNY") in english


async def test_a_batch_sent_again_is_answered_byte_for_byte(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await bought(gateway, alice, "A", 10_000)
    variables = {"input": {"batchId": "b", "refunds": [refund("r-1", "A", 100)]}}
    token, document = await gateway.shop(), operation("RecordRefunds")
    first = await gateway.ask(document, variables, token=token)
    before = await everything_kept()
    again = await gateway.ask(document, variables, token=token)
    assert again.content == first.content.replace(b'"replayed":false', b'"replayed":true')
    other = {"input": {"batchId": "b", "refunds": [refund("r-1", "A", 101)]}}
    refused = await gateway.ask(document, other, token=token)
    [error] = refused.json()["data"]["recordRefunds"]["userErrors"]
    assert error["code"] == "IDEMPOTENCY_CONFLICT"
    assert await everything_kept() == before


LESS_PERKS = """query($id: ID!) { me { refundPreview(orderId: $id, amount: 1) {
    perksLost { code }
    perksReduced {
        code before { kind value quota period } after { kind value quota period } } } } }"""


async def test_a_preview_says_what_the_refund_then_does(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    order_id = await bought(gateway, alice, "A", 100_000)
    coupon = await redeem(gateway, alice, "coupon", quantity=2)
    await redeem(gateway, alice, "gift")
    before = await everything_kept()
    assert await foreseen(gateway, alice, order_id, 96_000) == {
        "pointsTaken": 960,
        "debtAfter": 0,
        "levelAfter": {"code": "bronze"},
        "couponsRevoked": [],
    }
    told = await foreseen(gateway, alice, order_id, 100_000)
    assert told == {
        "pointsTaken": 1_000,
        "debtAfter": 20,
        "levelAfter": {"code": "bronze"},
        "couponsRevoked": [{"id": one["id"]} for one in coupon["coupons"]],
    }
    found = await gateway.ask(LESS_PERKS, {"id": order_id}, token=alice.access_token)
    shipping = {"kind": "FREE_SHIPPING", "period": "MONTH"}
    assert found.json() == {
        "data": {
            "me": {
                "refundPreview": {
                    "perksLost": [{"code": "discount"}, {"code": "points"}],
                    "perksReduced": [
                        {
                            "code": "shipping",
                            "before": {**shipping, "value": "59", "quota": 4},
                            "after": {**shipping, "value": "99", "quota": 1},
                        }
                    ],
                }
            }
        }
    }
    assert await everything_kept() == before
    payload = await give_back(gateway, "refunds", refund("r-1", "A", 100_000))
    assert payload["batch"]["receipts"] == [receipt(0, "r-1", pointsTaken=1_000, debtAfter=20)]
    wallet = await gateway.send("Coupons", alice.access_token, status="REVOKED")
    assert len(wallet["coupons"]["nodes"]) == 2
    tier = await gateway.ask("{ me { tier { level { code } } } }", token=alice.access_token)
    assert tier.json()["data"]["me"]["tier"]["level"] == {"code": "bronze"}


async def test_previews_of_what_is_not_the_members_or_too_much(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in(), await gateway.sign_in("o-bob")
    order_id = await bought(gateway, alice, "A", 10_000)
    assert await foreseen(gateway, bob, order_id, 1) is None
    nowhere = global_id("Purchase", f"{alice.member}:{alice.member}")
    assert await foreseen(gateway, alice, nowhere, 1) is None
    document = operation("RefundPreview")
    for amount, reason in ((10_001, "REFUND_EXCEEDS"), (0, "AMOUNT_INVALID")):
        variables = {"orderId": order_id, "amount": amount}
        body = (await gateway.ask(document, variables, token=alice.access_token)).json()
        [error] = body["errors"]
        assert (error["extensions"]["code"], error["extensions"]["reason"]) == (
            "BAD_USER_INPUT",
            reason,
        )
        assert body["data"] == {"me": {"refundPreview": None}}
    variables = {"orderId": alice.member_id, "amount": 1}
    body = (await gateway.ask(document, variables, token=alice.access_token)).json()
    assert body["errors"][0]["extensions"]["code"] == "BAD_ID"


async def test_who_may_not_write_purchases_may_not_refund_them(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    variables = {"input": {"batchId": "b", "refunds": [refund("r-1", "A", 1)]}}
    response = await gateway.ask(operation("RecordRefunds"), variables, token=alice.access_token)
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
