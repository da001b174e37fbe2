"""Points that a shop sets aside: once per order, for a while, as of now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.ledger import verify_account
from tests.graphql.gateway import NOW, Gateway, global_id, plain_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import balance, capture, earn, held, hold, journal, refused, release
from tests.graphql.programme import SHOP, open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = global_id("Member", "01977c1e-0000-7000-8000-000000000000")


async def test_points_are_set_aside_for_half_an_hour(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)

    payload = await hold(gateway, alice, 60)

    assert payload["userErrors"] == []
    hold_id = payload["hold"].pop("id")
    assert plain_id(hold_id).startswith(f"PointsHold:{alice.member}:")
    assert payload["hold"] == {"points": 60, "state": "OPEN", "expiresAt": "2026-03-01T12:30:00Z"}
    assert await balance(gateway, alice) == {"available": 40, "held": 60, "debt": 0}
    assert await journal(gateway, alice) == [("HOLD", -60, 40), ("EARN", 100, 100)]
    assert await verify_account(alice.member) == []


async def test_a_hold_sent_again_is_answered_byte_for_byte_whatever_became_of_it(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    given = {
        "member": {"id": alice.member_id},
        "points": 60,
        "reference": "order-1",
        "expiresInMinutes": None,
        "idempotencyKey": "hold-1",
    }
    shop = await gateway.shop()
    first = await gateway.ask(operation("HoldPoints"), {"input": given}, token=shop)
    hold_id = first.json()["data"]["holdPoints"]["hold"]["id"]
    await capture(gateway, hold_id)
    before = await everything_kept()

    gateway.clock.advance(minutes=14)
    again = await gateway.ask(operation("HoldPoints"), {"input": given}, token=shop)

    assert again.content == first.content
    assert await everything_kept() == before
    # The key with another input: each field that differs is named.
    query = """mutation($input: HoldPointsInput!) { holdPoints(input: $input) {
        userErrors { code field ... on IdempotencyConflict { key differing } } } }"""
    other = given | {"points": 61, "expiresInMinutes": 31, "member": {"externalRef": "x"}}
    response = await gateway.ask(query, {"input": other}, token=shop)
    assert response.json()["data"]["holdPoints"]["userErrors"] == [
        {
            "code": "IDEMPOTENCY_CONFLICT",
            "field": ["idempotencyKey"],
            "key": "hold-1",
            "differing": ["expiresInMinutes", "member", "points"],
        }
    ]
    assert await everything_kept() == before


async def test_an_order_has_one_hold_whatever_key_it_comes_with(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100)
    await earn(gateway, bob, 100)
    hold_id = await held(gateway, alice, 60)

    assert await held(gateway, alice, 60, idempotencyKey="hold-2") == hold_id
    assert (await balance(gateway, alice))["held"] == 60

    query = """mutation($input: HoldPointsInput!) { holdPoints(input: $input) {
        userErrors { code field ... on HoldExists { holdId reference points state } } } }"""
    for state in ("OPEN", "CAPTURED"):
        for changes in ({"points": 59}, {"member": {"id": bob.member_id}}):
            given: dict[str, Any] = {
                "member": {"id": alice.member_id},
                "points": 60,
                "reference": "order-1",
                "idempotencyKey": "hold-3",
            }
            variables = {"input": given | changes}
            before = await everything_kept()
            response = await gateway.ask(query, variables, token=await gateway.shop())
            assert response.json()["data"]["holdPoints"]["userErrors"] == [
                {
                    "code": "HOLD_EXISTS",
                    "field": ["reference"],
                    "holdId": hold_id,
                    "reference": "order-1",
                    "points": 60,
                    "state": state,
                }
            ]
            assert await everything_kept() == before
        if state == "OPEN":
            await capture(gateway, hold_id, points=10)

    # Captured, it stays the order's hold; another shop's order of the same number is another.
    payload = await hold(gateway, alice, 60, idempotencyKey="hold-4")
    assert (payload["hold"]["id"], payload["hold"]["state"]) == (hold_id, "CAPTURED")
    other = replace(gateway, tag=f"{gateway.tag}-2")
    await open_shop(other.named(SHOP), now=NOW)
    assert await held(other, alice, 60) != hold_id
    assert await balance(gateway, alice) == {"available": 30, "held": 60, "debt": 0}


async def test_an_order_may_have_a_new_hold_after_release_or_expiry(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100)
    await earn(gateway, bob, 100)
    first = await held(gateway, alice, 60)
    await release(gateway, first)
    second = await held(gateway, alice, 70, idempotencyKey="hold-2")
    assert second != first

    # Nothing is written when the time is over, yet another member may hold for the order now.
    gateway.clock.advance(minutes=30)
    third = await held(gateway, bob, 80, idempotencyKey="hold-3")
    assert await balance(gateway, bob) == {"available": 20, "held": 80, "debt": 0}
    payload = await capture(gateway, second)
    assert refused(payload)["code"] == "HOLD_NOT_OPEN"
    payload = await capture(gateway, third)
    assert payload["entry"]["amount"] == -80
    # The old key still gives its first answer.
    assert await held(gateway, alice, 60) == first
    for session in (alice, bob):
        assert await verify_account(session.member) == []


async def test_what_cannot_be_held_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    before = await everything_kept()

    for changes, code, field in (
        ({"points": 101}, "INSUFFICIENT_POINTS", None),
        ({"points": 0}, "POINTS_OUT_OF_RANGE", ["points"]),
        ({"points": -5}, "POINTS_OUT_OF_RANGE", ["points"]),
        ({"points": 2**53 - 1}, "INSUFFICIENT_POINTS", None),
        ({"member": {"id": NOBODY}}, "MEMBER_NOT_FOUND", ["member"]),
        ({"member": {"externalRef": "nobody"}}, "MEMBER_NOT_FOUND", ["member"]),
        ({"reference": ""}, "INVALID_INPUT", ["reference"]),
        ({"reference": "x" * 129}, "INVALID_INPUT", ["reference"]),
        ({"reference": "a\nb"}, "INVALID_INPUT", ["reference"]),
        ({"reference": "till-1\u200b"}, "INVALID_INPUT", ["reference"]),
        ({"idempotencyKey": ""}, "INVALID_INPUT", ["idempotencyKey"]),
        ({"idempotencyKey": "k" * 129}, "INVALID_INPUT", ["idempotencyKey"]),
        ({"expiresInMinutes": 0}, "INVALID_INPUT", ["expiresInMinutes"]),
        ({"expiresInMinutes": 10_081}, "INVALID_INPUT", ["expiresInMinutes"]),
    ):
        error = refused(await hold(gateway, alice, **({"points": 60} | changes)))
        assert (error["code"], error["field"], error["retryable"]) == (code, field, False), changes
    assert await everything_kept() == before

    # A refusal is not remembered: the same key succeeds with what can be done.
    error = refused(await hold(gateway, alice, 101))
    assert (error["available"], error["requested"], error["shortfall"]) == (100, 101, 1)
    payload = await hold(gateway, alice, 100, expiresInMinutes=10_080)
    assert payload["hold"]["expiresAt"] == "2026-03-08T12:00:00Z"


async def test_points_beyond_2_53_are_no_points(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    given = {
        "member": {"id": alice.member_id},
        "points": 2**53,
        "reference": "order-1",
        "idempotencyKey": "hold-1",
    }
    shop = await gateway.shop()
    response = await gateway.ask(operation("HoldPoints"), {"input": given}, token=shop)
    assert [one["extensions"]["code"] for one in response.json()["errors"]] == ["BAD_USER_INPUT"]


async def test_only_shops_with_the_scope_may_hold(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    given = {
        "member": {"id": alice.member_id},
        "points": 60,
        "reference": "order-1",
        "idempotencyKey": "hold-1",
    }
    closing = {"holdId": await held(gateway, alice, 10), "idempotencyKey": "k"}
    before = await everything_kept()

    for who, token, status, code in (
        ("nobody", None, 401, "UNAUTHENTICATED"),
        ("the member", alice.access_token, 403, "FORBIDDEN"),
        ("a partner without the scope", await gateway.partner(), 403, "FORBIDDEN"),
        ("staff", await gateway.staff(), 403, "FORBIDDEN"),
        ("the shop with less", await gateway.shop("purchases:write"), 403, "FORBIDDEN"),
    ):
        for name, variables in (
            ("HoldPoints", {"input": given}),
            ("CapturePoints", {"input": closing}),
            ("ReleasePoints", {"input": closing}),
        ):
            response = await gateway.ask(
                operation(name),
                variables,
                token=token,
                accept="application/graphql-response+json",
            )
            assert response.status_code == status, (who, name)
            assert [one["extensions"]["code"] for one in response.json()["errors"]] == [code]
    assert await everything_kept() == before
