"""Inputs of mutations that do not fit their types: refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.conftest import Scene
from tests.graphql.gateway import GRAPHQL_JSON
from tests.graphql.operations import operation
from tests.graphql.orders import line, order
from tests.graphql.test_bad_input import refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISSING = object()
"""Leaves a field out."""

POINTS_END = 2**53
"""One more than the largest number that every JavaScript client reads exactly."""

# The operation, and its input.
INPUTS: dict[str, tuple[str, Any]] = {
    "no input at all": ("UpdateProfile", MISSING),
    "null for an input": ("UpdateProfile", None),
    "a list for an input": ("UpdateProfile", ["小明"]),
    "a string for an input": ("UpdateProfile", "小明"),
    "an unknown field": ("UpdateProfile", {"nickname": "x", "points": 5}),
    "a number for a name": ("UpdateProfile", {"nickname": 7}),
    "a list for a name": ("UpdateProfile", {"nickname": ["x"]}),
    "a day that does not exist": ("UpdateProfile", {"birthday": "1991-02-29"}),
    "a day without hyphens": ("UpdateProfile", {"birthday": "19920229"}),
    "a day in other digits": ("UpdateProfile", {"birthday": "１９９２-02-29"}),
    "a day that is a number": ("UpdateProfile", {"birthday": 19_920_229}),
    "a day that is a moment": ("UpdateProfile", {"birthday": "1992-02-29T00:00:00Z"}),
    "a picture in a script": ("UpdateProfile", {"avatarUrl": "javascript:alert(1)"}),
    "a picture in a file": ("UpdateProfile", {"avatarUrl": "file:///etc/passwd"}),
    "a picture with a password": ("UpdateProfile", {"avatarUrl": "https://u:p@jifen.example/"}),
    "a picture with a line feed": ("UpdateProfile", {"avatarUrl": "https://jifen.example/\nx"}),
    "a picture of 2,049 characters": (
        "UpdateProfile",
        {"avatarUrl": "https://jifen.example/".ljust(2_049, "x")},
    ),
    "no themes": ("SetInterests", {}),
    "null for themes": ("SetInterests", {"themes": None}),
    "null for a theme": ("SetInterests", {"themes": [None]}),
    "a number for a theme": ("SetInterests", {"themes": [1]}),
    "themes in themes": ("SetInterests", {"themes": [["tea"]]}),
    "no code": ("SignInWithWeChat", {"appId": "wxjifendemo0000001"}),
    "null for a code": ("SignInWithWeChat", {"appId": "wxjifendemo0000001", "code": None}),
    "a number for a code": ("SignInWithWeChat", {"appId": "wxjifendemo0000001", "code": 7}),
    "no refresh token": ("RefreshSession", {}),
    "null for a refresh token": ("RefreshSession", {"refreshToken": None}),
    "a string for a yes": ("SignOut", {"everywhere": "true"}),
    "a number for a yes": ("SignOut", {"everywhere": 1}),
}


@pytest.mark.parametrize("bad", INPUTS)
async def test_an_input_that_does_not_fit_its_type(scene: Scene, bad: str) -> None:
    name, value = INPUTS[bad]
    response = await scene.gateway.ask(
        operation(name),
        {} if value is MISSING else {"input": value},
        token=scene.alice.access_token,
        accept=GRAPHQL_JSON,
    )
    refused(response, status=400, code="BAD_USER_INPUT")
    await scene.assert_unchanged()


# What is changed in an order that would be recorded.
ORDERS: dict[str, dict[str, Any]] = {
    "2^53 fen paid": {"paid": POINTS_END},
    "-2^53 fen paid": {"paid": -POINTS_END},
    "10^30 fen paid": {"paid": 1e30},
    "half a fen paid": {"paid": 0.5},
    "88.0 fen paid": {"paid": 88.0},
    "a string paid": {"paid": "8800"},
    "true paid": {"paid": True},
    "null paid": {"paid": None},
    "nothing said of what was paid": {"paid": MISSING},
    "2^53 fen for a line": {"lines": [line("cup", POINTS_END)]},
    "a string for a line": {"lines": [line("cup", 1) | {"amount": "1"}]},
    "2^31 pieces": {"lines": [line("cup", 1, quantity=2**31)]},
    "half a piece": {"lines": [line("cup", 1, quantity=0.5)]},
    "null pieces": {"lines": [line("cup", 1, quantity=None)]},
    "null for lines": {"lines": None},
    "null for a line": {"lines": [None]},
    "no lines said": {"lines": MISSING},
    "an unknown field in a line": {"lines": [line("cup", 1, price=1)]},
    "an unknown field": {"discount": 100},
    "no moment": {"placedAt": MISSING},
    "a moment without an offset": {"placedAt": "2026-03-01T11:00:00"},
    "a moment with a blank": {"placedAt": "2026-03-01 11:00:00Z"},
    "a day for a moment": {"placedAt": "2026-03-01"},
    "a number for a moment": {"placedAt": 1_772_362_800},
    "the 30th of February": {"placedAt": "2026-02-30T11:00:00Z"},
    "25 o'clock": {"placedAt": "2026-03-01T25:00:00Z"},
    "a year before the first": {"placedAt": "0001-01-01T00:00:00+14:00"},
    "a year after the last": {"placedAt": "9999-12-31T23:59:59-14:00"},
    "the year 10000": {"placedAt": "10000-01-01T00:00:00Z"},
    "yesterday": {"placedAt": "yesterday"},
    "nobody named": {"member": {}},
    "null for a member": {"member": None},
    "null for an id": {"member": {"id": None}},
    "a member named in two ways": {"member": {"externalRef": "x", "memberRef": "y"}},
    "a member named in no known way": {"member": {"name": "Alice"}},
    "half a WeChat identity": {"member": {"wechat": {"appId": "wx"}}},
    "a phone without a country": {"member": {"phone": "13800138000"}},
    "a phone of words": {"member": {"phone": "+86 call me"}},
    "a phone that cannot be": {"member": {"phone": "+861"}},
}


@pytest.mark.parametrize("bad", ORDERS)
async def test_an_order_that_does_not_fit_its_type(scene: Scene, bad: str) -> None:
    """One such order refuses the whole batch: nothing was read as the shop meant it."""
    sound = order("B", scene.alice.member_id)
    wrong = {
        name: value
        for name, value in {**order("C", scene.alice.member_id), **ORDERS[bad]}.items()
        if value is not MISSING
    }
    response = await scene.gateway.ask(
        operation("RecordPurchases"),
        {"input": {"batchId": "bad", "orders": [sound, wrong]}},
        token=scene.shop,
        accept=GRAPHQL_JSON,
    )
    refused(response, status=400, code="BAD_USER_INPUT")
    await scene.assert_unchanged()


async def test_numbers_in_the_document_are_held_to_the_same_bounds(scene: Scene) -> None:
    query = """mutation { recordPurchases(input: { batchId: "bad", orders: [{ externalId: "B",
        member: { externalRef: "x" }, placedAt: "2026-03-01T11:00:00Z", paid: %s, lines: [] }] })
        { batch { id } } }"""
    for number in (POINTS_END, -POINTS_END, 10**30, "1.0", '"1"', "1e2"):
        response = await scene.gateway.ask(query % number, token=scene.shop, accept=GRAPHQL_JSON)
        refused(response, status=400, code="BAD_USER_INPUT")
    await scene.assert_unchanged()


# The batch id, how many orders, and the field that is blamed.
BATCHES: dict[str, tuple[str, int, str]] = {
    "no orders": ("bad", 0, "orders"),
    "501 orders": ("bad", 501, "orders"),
    "an empty id": ("", 1, "batchId"),
    "an id of 129 characters": ("b" * 129, 1, "batchId"),
    "an id with a line feed": ("b\n", 1, "batchId"),
    "an id with an escape": ("\x1b[2J", 1, "batchId"),
}


@pytest.mark.parametrize("bad", BATCHES)
async def test_a_batch_that_breaks_a_rule(scene: Scene, bad: str) -> None:
    batch_id, count, field = BATCHES[bad]
    orders = [order(f"B{nth}", scene.alice.member_id) for nth in range(count)]
    payload = await scene.gateway.send(
        "RecordPurchases", scene.shop, input={"batchId": batch_id, "orders": orders}
    )
    assert payload["batch"] is None
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"], error["retryable"]) == ("INVALID_INPUT", [field], False)
    await scene.assert_unchanged()
