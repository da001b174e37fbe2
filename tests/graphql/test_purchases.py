"""`me.purchases`: a member's orders, newest first, with their lines."""

from __future__ import annotations

from typing import Any

import pytest

from domain import catalogue
from domain.storage import observed_statements
from tests.graphql.gateway import Gateway, Session, cursor, global_id, plain_id
from tests.graphql.orders import applied, line, order, record

pytestmark = pytest.mark.asyncio(loop_scope="module")

PURCHASES = """
query Purchases($first: Int = 20, $after: String) { me { purchases(first: $first, after: $after) {
  nodes {
    id placedAt paid { amount currency } pointsEarned shop channel
    lines { id productCode product { id title } quantity amount { amount currency } }
  }
  pageInfo { hasNextPage endCursor }
} } }
"""
NODE = (
    "query($id: ID!) { node(id: $id) { ... on Purchase { id pointsEarned lines { quantity } } } }"
)


async def ask(gateway: Gateway, session: Session, **variables: Any) -> dict[str, Any]:
    response = await gateway.ask(PURCHASES, variables, token=session.access_token)
    assert "errors" not in response.json(), response.text
    purchases: dict[str, Any] = response.json()["data"]["me"]["purchases"]
    return purchases


async def test_an_order_is_read_as_it_was_recorded(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    assert (await ask(gateway, alice))["nodes"] == []
    payload = await record(
        gateway,
        "b",
        [
            order(
                "A",
                alice.member_id,
                line("tea", 33_600, quantity=2),
                line("unknown", 100),
                shop="西湖店",
                channel="mini-program",
                paid=30_000,
            )
        ],
    )
    [points] = applied(payload)
    tea = (await catalogue.products_by_code(["tea"]))["tea"]
    purchase_id = payload["batch"]["receipts"][0]["orderId"]
    key = plain_id(purchase_id).removeprefix("Purchase:")
    cny = {"currency": "CNY"}
    assert (await ask(gateway, alice))["nodes"] == [
        {
            "id": purchase_id,
            "placedAt": "2026-03-01T11:00:00Z",
            "paid": {"amount": 30_000, **cny},
            "pointsEarned": points,
            "shop": "西湖店",
            "channel": "mini-program",
            "lines": [
                {
                    "id": global_id("PurchaseLine", f"{key}:tea"),
                    "productCode": "tea",
                    "product": {"id": global_id("Product", tea.id), "title": "西湖龙井 100g"},
                    "quantity": 2,
                    "amount": {"amount": 33_600, **cny},
                },
                {
                    "id": global_id("PurchaseLine", f"{key}:unknown"),
                    "productCode": "unknown",
                    "product": None,
                    "quantity": 1,
                    "amount": {"amount": 100, **cny},
                },
            ],
        }
    ]
    response = await gateway.ask(NODE, {"id": purchase_id}, token=alice.access_token)
    assert response.json()["data"]["node"] == {
        "id": purchase_id,
        "pointsEarned": points,
        "lines": [{"quantity": 2}, {"quantity": 1}],
    }
    bob = await gateway.sign_in("o-bob")
    response = await gateway.ask(NODE, {"id": purchase_id}, token=bob.access_token)
    assert response.json() == {"data": {"node": None}}
    assert (await ask(gateway, bob))["nodes"] == []


async def test_pages_are_newest_first_and_cost_the_same(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    orders = [
        order(str(number), alice.member_id, placedAt=f"2026-02-{number // 2 + 1:02}T00:00:00Z")
        for number in range(12)
    ]
    applied(await record(gateway, "b", orders))
    seen, after, counts = [], None, set()
    while True:
        with observed_statements() as statements:
            page = await ask(gateway, alice, first=5, after=after)
        counts.add(len(statements))
        seen += [node["placedAt"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == sorted((one["placedAt"] for one in orders), reverse=True)
    # The caller, the page, the lines of all its orders, their products.
    assert counts == {4}
    for bad in (cursor('["purchases","2026",1]'), cursor('["coupons","2026-01-01T00:00:00Z",""]')):
        response = await gateway.ask(PURCHASES, {"after": bad}, token=alice.access_token)
        (error,) = response.json()["errors"]
        assert error["extensions"]["code"] == "BAD_CURSOR"
