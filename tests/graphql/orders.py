"""Orders as shops send them, and what they give back of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.graphql.gateway import Gateway

OrderFields = dict[str, Any]


def line(product: str, amount: int, **changes: Any) -> OrderFields:
    """One line of one piece, with its product's code for an id; with what is changed."""
    return {
        "lineId": product,
        "productCode": product,
        "quantity": 1,
        "amount": amount,
        **changes,
    }


def order(external_id: str, member_id: str, *lines: OrderFields, **changes: Any) -> OrderFields:
    """An order of a cup for 88 yuan, paid in full, placed an hour ago; with what is changed."""
    bought = list(lines) or [line("cup", 8_800)]
    return {
        "externalId": external_id,
        "member": {"id": member_id},
        "placedAt": "2026-03-01T11:00:00Z",
        "paid": sum(one["amount"] for one in bought),
        "lines": bought,
        **changes,
    }


async def record(
    gateway: Gateway, batch_id: str, orders: Sequence[OrderFields], *, token: str | None = None
) -> Any:
    """The payload of `recordPurchases`, sent by the shop."""
    token = token or await gateway.shop()
    return await gateway.send(
        "RecordPurchases", token, input={"batchId": batch_id, "orders": list(orders)}
    )


def applied(payload: Any) -> list[int]:
    """The points that each order of a batch earned, which was recorded whole."""
    assert payload["userErrors"] == []
    receipts = payload["batch"]["receipts"]
    assert {receipt["status"] for receipt in receipts} == {"APPLIED"}, receipts
    return [receipt["pointsEarned"] for receipt in receipts]


def refund(external_id: str, order_id: str, amount: int, **changes: Any) -> dict[str, Any]:
    """Money that was given back half an hour ago; with what is changed."""
    return {
        "externalId": external_id,
        "orderExternalId": order_id,
        "amount": amount,
        "refundedAt": "2026-03-01T11:30:00Z",
        **changes,
    }


async def give_back(gateway: Gateway, batch_id: str, *refunds: dict[str, Any]) -> Any:
    """The payload of `recordRefunds`, sent by the shop."""
    given = {"batchId": batch_id, "refunds": [*refunds]}
    return await gateway.send("RecordRefunds", await gateway.shop(), input=given)
