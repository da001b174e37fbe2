"""Points that were set aside and are spent: once, all or a part of them, by their own shop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.ledger import verify_account
from tests.graphql.gateway import NOW, Gateway, global_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import balance, capture, codes, earn, held, journal, refused, release
from tests.graphql.programme import SHOP, open_shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

STATE = """mutation($input: CapturePointsInput!) { capturePoints(input: $input) {
    userErrors { code ... on HoldNotOpen { state } } } }"""


async def test_a_part_is_spent_and_the_rest_is_given_back_at_once(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    hold_id = await held(gateway, alice, 60)

    payload = await capture(gateway, hold_id, points=45)

    assert payload == {
        "hold": {"id": hold_id, "state": "CAPTURED", "captured": 45},
        "entry": {"id": global_id("LedgerEntry", f"{alice.member}:3"), "amount": -45},
        "userErrors": [],
    }
    assert await balance(gateway, alice) == {"available": 55, "held": 0, "debt": 0}
    assert await journal(gateway, alice) == [
        ("CAPTURE", -45, 55),
        ("HOLD", -60, 40),
        ("EARN", 100, 100),
    ]
    assert await verify_account(alice.member) == []


async def test_a_capture_sent_again_is_answered_byte_for_byte(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    variables = {"input": {"holdId": await held(gateway, alice, 60), "idempotencyKey": "capture-1"}}
    shop = await gateway.shop()
    first = await gateway.ask(operation("CapturePoints"), variables, token=shop)
    assert first.json()["data"]["capturePoints"]["entry"]["amount"] == -60
    before = await everything_kept()

    gateway.clock.advance(minutes=14)
    again = await gateway.ask(operation("CapturePoints"), variables, token=shop)
    assert again.content == first.content

    # With another key, or another input, it is not captured twice.
    variables["input"]["idempotencyKey"] = "capture-2"
    other = await gateway.ask(STATE, variables, token=shop)
    assert other.json()["data"]["capturePoints"]["userErrors"] == [
        {"code": "HOLD_NOT_OPEN", "state": "CAPTURED"}
    ]
    hold_id = variables["input"]["holdId"]
    assert codes(await capture(gateway, hold_id, points=60)) == ["IDEMPOTENCY_CONFLICT"]
    assert codes(await release(gateway, hold_id)) == ["HOLD_NOT_OPEN"]
    assert await everything_kept() == before


@pytest.mark.parametrize(
    ("points", "code"),
    [(61, "INSUFFICIENT_POINTS"), (0, "POINTS_OUT_OF_RANGE"), (-1, "POINTS_OUT_OF_RANGE")],
)
async def test_no_more_than_is_held_and_at_least_one(
    gateway: Gateway, points: int, code: str
) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    hold_id = await held(gateway, alice, 60)
    before = await everything_kept()
    assert refused(await capture(gateway, hold_id, points=points))["code"] == code
    assert await everything_kept() == before
    # The key was not used up by what was refused.
    assert (await capture(gateway, hold_id, points=60))["entry"]["amount"] == -60


async def test_a_hold_whose_time_is_over_is_expired_though_nothing_is_written(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    hold_id = await held(gateway, alice, 60, expiresInMinutes=10)
    gateway.clock.advance(minutes=10)
    before = await everything_kept()

    variables = {"input": {"holdId": hold_id, "idempotencyKey": "capture-1"}}
    response = await gateway.ask(STATE, variables, token=await gateway.shop())

    assert response.json()["data"]["capturePoints"]["userErrors"] == [
        {"code": "HOLD_NOT_OPEN", "state": "EXPIRED"}
    ]
    assert codes(await release(gateway, hold_id)) == ["HOLD_NOT_OPEN"]
    assert await everything_kept() == before
    gateway.clock.advance(minutes=-1 / 60_000_000)
    assert codes(await capture(gateway, hold_id)) == []


async def test_another_shops_hold_is_answered_like_one_that_does_not_exist(
    gateway: Gateway,
) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    other = replace(gateway, tag=f"{gateway.tag}-2")
    await open_shop(other.named(SHOP), now=NOW)
    theirs = await held(other, alice, 60)
    nowhere = global_id("PointsHold", f"{alice.member}:01977c1e-0000-5000-8000-000000000000")
    nobodys = global_id("PointsHold", ":".join(["01977c1e-0000-7000-8000-000000000000"] * 2))
    before = await everything_kept()

    for name in ("CapturePoints", "ReleasePoints"):
        answers = set()
        for hold_id in (theirs, nowhere, nobodys):
            variables = {"input": {"holdId": hold_id, "idempotencyKey": "k"}}
            response = await gateway.ask(operation(name), variables, token=await gateway.shop())
            answers.add(response.content)
        [answer] = answers
        assert b'"code":"HOLD_NOT_OPEN"' in answer
    assert await everything_kept() == before
    assert codes(await release(other, theirs)) == []


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        global_id("Member", "01977c1e-0000-7000-8000-000000000000"),
        global_id("PointsHold", "01977c1e-0000-7000-8000-000000000000"),
    ],
)
async def test_an_id_that_is_no_holds_is_an_error(gateway: Gateway, bad: str) -> None:
    variables = {"input": {"holdId": bad, "idempotencyKey": "k"}}
    response = await gateway.ask(operation("CapturePoints"), variables, token=await gateway.shop())
    assert [one["extensions"]["code"] for one in response.json()["errors"]] == ["BAD_ID"]
