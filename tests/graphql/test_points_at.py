"""Points of a moment, through the gateway: as known now, as known then, and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.ledger import Earn, Source, post_one, sweep
from domain.storage import observed_statements
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.operations import operation
from tests.graphql.orders import line, order, record
from tests.graphql.points import capture, earn, held, token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

POINTS_AT = operation("PointsAt")
HOUR = timedelta(hours=1)


async def ask(gateway: Gateway, session: Session, **variables: datetime | None) -> Any:
    """The answer's body to `PointsAt`."""
    given = {name: value and value.isoformat() for name, value in variables.items()}
    response = await gateway.ask(POINTS_AT, given, token=await token_of(gateway, session))
    return response.json()


async def shown(gateway: Gateway, session: Session, **variables: datetime | None) -> list[Any]:
    """The balances, and the reasons as (sequence number or None, kind, amount)."""
    body = await ask(gateway, session, **variables)
    assert "errors" not in body, body
    points = body["data"]["me"]["points"]
    assert points["reasons"] is not None
    reasons = [
        (entry["id"], entry["kind"], entry["amount"]) if (entry := one["entry"]) else None
        for one in points["reasons"]
    ]
    return [*(points[name] for name in ("available", "pending", "held", "debt")), reasons]


def entry_id(session: Session, seq: int) -> str:
    return global_id("LedgerEntry", f"{session.member}:{seq}")


async def test_the_past_is_shown_as_known_now_and_as_known_then(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100, order_id="A")  # placed at 11:00, recorded at 12:00
    gateway.clock.advance(hours=2)
    hold = await held(gateway, alice, 40)
    await capture(gateway, hold, points=30)
    late = order("B", alice.member_id, line("bag", 5_000), placedAt=(NOW - 2 * HOUR).isoformat())
    await record(gateway, "late", [late])

    earned = (entry_id(alice, 1), "EARN", 100)
    set_aside = (entry_id(alice, 2), "HOLD", -40)
    captured = (entry_id(alice, 3), "CAPTURE", -30)
    backdated = (entry_id(alice, 4), "EARN", 50)
    now = gateway.clock.now()
    assert await shown(gateway, alice, asOf=now) == [
        120, 0, 0, 0, [backdated, captured, set_aside, earned]
    ]  # fmt: skip
    assert await shown(gateway, alice, asOf=NOW) == [150, 0, 0, 0, [backdated, earned]]
    assert await shown(gateway, alice, asOf=NOW, knownAt=NOW) == [100, 0, 0, 0, [earned]]
    assert await shown(gateway, alice, asOf=now, knownAt=NOW) == [100, 0, 0, 0, [earned]]
    assert await shown(gateway, alice, asOf=NOW - HOUR) == [150, 0, 0, 0, [backdated, earned]]
    assert await shown(gateway, alice, asOf=NOW - 1.5 * HOUR) == [50, 0, 0, 0, [backdated]]
    assert await shown(gateway, alice, asOf=NOW - HOUR, knownAt=NOW - HOUR) == [0, 0, 0, 0, []]
    assert await shown(gateway, alice, asOf=NOW - 99 * HOUR) == [0, 0, 0, 0, []]


async def test_what_fell_due_counts_before_and_after_it_is_written(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    matured, expired = NOW.replace(day=8, hour=11), NOW.replace(month=4, day=1, hour=16)
    bought = Earn(
        member_id=alice.member,
        points=88,
        source=Source(kind="purchase", reference="O"),
        effective_at=NOW - HOUR,
        matures_at=matured,
        expires_at=expired,
    )
    await post_one(bought, now=NOW)
    earned = (entry_id(alice, 1), "EARN", 88)
    gateway.clock.moment = NOW.replace(month=4, day=2)
    just_before = timedelta(microseconds=1)

    expected: list[tuple[datetime, list[int], int]] = [
        (matured - just_before, [0, 88, 0, 0], 0),
        (matured, [88, 0, 0, 0], 1),
        (expired - just_before, [88, 0, 0, 0], 1),
        (expired, [0, 0, 0, 0], 2),
    ]
    for moment, balances, unwritten in expected:
        for known_at in (None, moment):
            found = await shown(gateway, alice, asOf=moment, knownAt=known_at)
            assert found == [*balances, [None] * unwritten + [earned]]
    query = """{ me { points { available reasons(first: 2) { kind amount effectiveAt
        entry { id } } } } }"""
    token = await token_of(gateway, alice)
    now = (await gateway.ask(query, token=token)).json()["data"]["me"]["points"]
    assert now == {
        "available": 0,
        "reasons": [
            {"kind": "EXPIRE", "amount": -88, "effectiveAt": "2026-04-01T16:00:00Z", "entry": None},
            {"kind": "MATURE", "amount": 88, "effectiveAt": "2026-03-08T11:00:00Z", "entry": None},
        ],
    }

    await sweep(now=gateway.clock.now(), accounts_max=10, within_s=10)
    written = [(entry_id(alice, 3), "EXPIRE", -88), (entry_id(alice, 2), "MATURE", 88)]
    for moment, balances, count in expected:
        for known_at in (None, moment):
            found = await shown(gateway, alice, asOf=moment, knownAt=known_at)
            assert found == [*balances, [*written[2 - count :], earned]]


@pytest.mark.parametrize("name", ["asOf", "knownAt"])
async def test_the_future_is_refused(gateway: Gateway, name: str) -> None:
    alice = await gateway.sign_in()
    future = gateway.clock.now() + timedelta(microseconds=1)
    moments: dict[str, datetime | None] = {"asOf": NOW, name: future}
    body = await ask(gateway, alice, **moments)
    assert body["data"]["me"]["points"] is None
    [error] = body["errors"]
    assert error["message"] == f"`{name}` must not be in the future."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"]["argument"] == name


async def test_staff_who_see_points_look_back_too(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    query = """query($by: MemberRef!, $asOf: DateTime) { staff { member(by: $by) {
        points(asOf: $asOf) { available reasons { amount entry { id kind } } } } } }"""
    variables = {"by": {"id": alice.member_id}, "asOf": (NOW - HOUR).isoformat()}
    response = await gateway.ask(query, variables, token=await gateway.staff())
    assert response.json()["data"]["staff"]["member"]["points"] == {
        "available": 100,
        "reasons": [{"amount": 100, "entry": {"id": entry_id(alice, 1), "kind": "EARN"}}],
    }


async def test_points_of_now_are_read_as_before(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(gateway, alice, 100)
    queries = {
        "{ me { points { available } } }": 0,
        "{ me { points { available reasons { amount } } } }": 4,
    }
    counts = []
    for query in queries:
        with observed_statements() as statements:
            response = await gateway.ask(query, token=alice.access_token)
        assert response.json()["data"]["me"]["points"]["available"] == 100
        counts.append(len(statements))
    assert [count - counts[0] for count in counts] == list(queries.values())
