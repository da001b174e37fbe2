"""Points that were set aside and are given back."""

from __future__ import annotations

import pytest

from domain.ledger import verify_account
from tests.graphql.gateway import Gateway
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import balance, capture, codes, earn, held, journal, release

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_all_points_of_a_hold_come_back(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    hold_id = await held(gateway, alice, 60)

    payload = await release(gateway, hold_id)

    assert payload == {"hold": {"id": hold_id, "state": "RELEASED"}, "userErrors": []}
    assert await balance(gateway, alice) == {"available": 100, "held": 0, "debt": 0}
    assert await journal(gateway, alice) == [
        ("RELEASE", 60, 100),
        ("HOLD", -60, 40),
        ("EARN", 100, 100),
    ]
    assert await verify_account(alice.member) == []


async def test_a_release_sent_again_is_answered_byte_for_byte(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    hold_id = await held(gateway, alice, 60)
    variables = {"input": {"holdId": hold_id, "idempotencyKey": "release-1"}}
    shop = await gateway.shop()
    first = await gateway.ask(operation("ReleasePoints"), variables, token=shop)
    before = await everything_kept()
    again = await gateway.ask(operation("ReleasePoints"), variables, token=shop)
    assert again.content == first.content
    assert codes(await release(gateway, hold_id, idempotencyKey="release-2")) == ["HOLD_NOT_OPEN"]
    assert codes(await capture(gateway, hold_id)) == ["HOLD_NOT_OPEN"]
    # Another hold under a key that was used for this one.
    other = await held(gateway, alice, 10, reference="order-2", idempotencyKey="hold-2")
    after = await everything_kept()
    assert codes(await release(gateway, other)) == ["IDEMPOTENCY_CONFLICT"]
    assert await everything_kept() == after
    assert before != after


async def test_points_that_expired_while_they_were_held_expire_when_they_come_back(
    gateway: Gateway,
) -> None:
    """Earned on 1 March 2026, they are good through 1 March 2027 in Shanghai."""
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    gateway.clock.advance(days=365)
    hold_id = await held(gateway, alice, 60)
    later = await held(
        gateway, alice, 30, reference="o-2", idempotencyKey="h-2", expiresInMinutes=1_000
    )
    gateway.clock.advance(minutes=600)  # Past the midnight in Shanghai.

    assert codes(await capture(gateway, hold_id)) == ["HOLD_NOT_OPEN"]
    assert codes(await release(gateway, later)) == []
    assert await balance(gateway, alice) == {"available": 0, "held": 0, "debt": 0}
    assert [kind for kind, *_ in await journal(gateway, alice)] == [
        "EXPIRE",
        "RELEASE",
        "EXPIRE",
        "RELEASE",
        "HOLD",
        "HOLD",
        "EARN",
    ]
    assert await verify_account(alice.member) == []
