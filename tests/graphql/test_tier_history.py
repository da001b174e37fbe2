"""`me.tierHistory` and `me.purchases` as clients plan to ask for them."""

from __future__ import annotations

from typing import Any

import pytest

from domain import catalogue
from tests.graphql.gateway import Gateway, global_id
from tests.graphql.operations import operation
from tests.graphql.orders import applied, line, order, record

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_changes_of_level_stand_newest_first(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    empty: dict[str, Any] = {
        "tierHistory": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    }
    assert await gateway.send("TierHistory", alice.access_token) == empty
    for name, yuan in (("A", 1_000), ("B", 2_500)):
        gateway.clock.advance(seconds=60)
        await record(gateway, name, [order(name, alice.member_id, line("bag", yuan * 100))])

    page = (await gateway.send("TierHistory", alice.access_token))["tierHistory"]
    assert page["nodes"] == [
        {
            "from": {"code": "silver"},
            "to": {"code": "gold"},
            "reason": "QUALIFIED",
            "occurredAt": "2026-03-01T12:02:00Z",
        },
        {
            "from": {"code": "bronze"},
            "to": {"code": "silver"},
            "reason": "QUALIFIED",
            "occurredAt": "2026-03-01T12:01:00Z",
        },
    ]
    assert page["pageInfo"]["hasNextPage"] is False
    assert await gateway.send("TierHistory", bob.access_token) == empty

    query = """query($after: String) { me { tierHistory(first: 1, after: $after) {
        nodes { to { code name } } pageInfo { hasNextPage endCursor } } } }"""
    found, after = [], None
    for more in (True, False):
        response = await gateway.ask(query, {"after": after}, token=alice.access_token)
        one = response.json()["data"]["me"]["tierHistory"]
        found += one["nodes"]
        after = one["pageInfo"]["endCursor"]
        assert one["pageInfo"]["hasNextPage"] is more
    assert found == [
        {"to": {"code": "gold", "name": "黄金会员"}},
        {"to": {"code": "silver", "name": "白银会员"}},
    ]


async def test_the_planned_list_of_purchases(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    payload = await record(
        gateway, "b", [order("A", alice.member_id, line("tea", 16_800), shop="西湖店")]
    )
    [points] = applied(payload)
    tea = (await catalogue.products_by_code(["tea"]))["tea"]
    response = await gateway.ask(operation("Purchases"), token=alice.access_token)
    [node] = response.json()["data"]["me"]["purchases"]["nodes"]
    cny = {"currency": "CNY"}
    assert node == {
        "id": payload["batch"]["receipts"][0]["orderId"],
        "placedAt": "2026-03-01T11:00:00Z",
        "paid": {"amount": 16_800, **cny},
        "pointsEarned": points,
        "shop": "西湖店",
        "lines": [
            {
                "id": node["lines"][0]["id"],
                "product": {"id": global_id("Product", tea.id), "title": "西湖龙井 100g"},
                "quantity": 1,
                "amount": {"amount": 16_800, **cny},
                "review": None,
            }
        ],
        "refunds": [],
    }
