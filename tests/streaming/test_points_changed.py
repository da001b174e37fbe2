"""`pointsChanged`: every entry of the member's journal, once, in order, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest

from domain import outbox
from domain.ledger import NEVER, Earn, Posted, Source, post
from tests.graphql.gateway import NOW, cursor, global_id
from tests.graphql.orders import applied, order, record
from tests.streaming.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

POSTINGS = 63
RECONNECTED_AFTER = 7
FLOOR = 60

NO_CURSORS = [
    "",
    "not a cursor",
    "!!!!",
    cursor("[]"),
    cursor('["entries",1]'),
    cursor('["events","1"]'),
    cursor('["events",1,2]'),
    cursor('["events",true]'),
    cursor(f'["events",{2**63}]'),
    "x" * 501,
]


def position(number: int) -> str:
    """The cursor of an event, by the letter of its contract."""
    return cursor(f'["events",{number}]')


async def newest(member_id: UUID) -> str:
    """The cursor of the newest event of the member."""
    return position((await outbox.positions([member_id]))[member_id])


async def earn(member_id: UUID, points: int = 1) -> None:
    command = Earn(
        member_id=member_id,
        points=points,
        source=Source(kind="test", reference="streaming"),
        effective_at=NOW,
        expires_at=NEVER,
    )
    [outcome] = await post([command], now=NOW)
    assert isinstance(outcome, Posted)


async def test_what_happens_while_somebody_follows_comes_to_them(served: Served) -> None:
    gateway = served.gateway
    alice = await gateway.sign_in()
    async with served.ready(alice.access_token) as peer:
        await peer.follow()
        await served.until_followed()
        assert applied(await record(gateway, "b-1", [order("A", alice.member_id)])) == [88]
        event = await peer.event()
        assert event == {
            "cursor": position(int(event["version"])),
            "version": event["version"],
            "available": 88,
            "entry": {
                "id": global_id("LedgerEntry", f"{alice.member}:1"),
                "kind": "EARN",
                "amount": 88,
                "reason": None,
                "occurredAt": "2026-03-01T11:00:00Z",
            },
        }
        # The member's version may be further: levels and purchases change with the points.
        me = await gateway.ask("{ me { version } }", token=alice.access_token)
        assert int(me.json()["data"]["me"]["version"]) >= int(event["version"]) > 0


async def test_a_cursor_brings_what_was_missed_and_then_what_happens(served: Served) -> None:
    alice = await served.gateway.sign_in()
    before = await newest(alice.member)
    for points in (5, 7):
        await earn(alice.member, points)
    async with served.ready(alice.access_token) as peer:
        await peer.follow(since=before)
        first, second = await peer.event(), await peer.event()
        assert [first["available"], second["available"]] == [5, 12]
        await earn(alice.member, 9)
        assert (await peer.event())["available"] == 21
    async with served.ready(alice.access_token) as peer:
        await peer.follow(since=first["cursor"])
        assert await peer.event() == second


async def test_the_cursor_of_changes_is_one_of_subscriptions_too(served: Served) -> None:
    alice = await served.gateway.sign_in()
    changes = await served.gateway.ask(
        "{ me { changes { cursor more } } }", token=alice.access_token
    )
    page = changes.json()["data"]["me"]["changes"]
    assert page["more"] is False
    async with served.ready(alice.access_token) as peer:
        await earn(alice.member)
        await peer.follow(since=page["cursor"])
        assert (await peer.event())["available"] == 1


async def test_what_is_not_about_points_is_passed_over(served: Served) -> None:
    gateway = served.gateway
    alice = await gateway.sign_in()
    before = await newest(alice.member)
    await gateway.send("UpdateProfile", alice.access_token, input={"nickname": "小明"})
    await earn(alice.member, 3)
    async with served.ready(alice.access_token) as peer:
        await peer.follow(since=before)
        event = await peer.event()
        assert (event["available"], event["cursor"]) == (3, await newest(alice.member))


async def test_every_event_comes_once_and_in_order_to_whoever_keeps_reconnecting(
    served: Served, tally: Callable[[str, int, int], None]
) -> None:
    alice = await served.gateway.sign_in()
    since = await newest(alice.member)

    async def earn_all() -> None:
        for _ in range(POSTINGS):
            await earn(alice.member)

    earning = asyncio.create_task(earn_all())
    amounts: list[int] = []
    connections = 0
    while len(amounts) < POSTINGS:
        connections += 1
        async with served.ready(alice.access_token) as peer:
            await peer.follow(since)
            for _ in range(min(RECONNECTED_AFTER, POSTINGS - len(amounts))):
                event = await peer.event()
                since = event["cursor"]
                amounts.append(event["available"])
    await earning
    assert amounts == list(range(1, POSTINGS + 1))
    assert connections == -(-POSTINGS // RECONNECTED_AFTER)
    tally("events followed while reconnecting", len(amounts), FLOOR)


async def test_nobody_sees_what_is_another_members(served: Served) -> None:
    gateway = served.gateway
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    async with served.ready(bob.access_token) as peer:
        # A number is no secret and opens nothing: it counts in the stream of whoever asks.
        await peer.follow(since=position(1))
        await served.until_followed()
        await earn(alice.member, 500)
        await earn(bob.member, 2)
        assert (await peer.event())["available"] == 2
        await earn(alice.member, 500)
        await earn(bob.member, 3)
        assert (await peer.event())["available"] == 5


async def test_only_members_follow_points(served: Served) -> None:
    gateway = served.gateway
    callers = [
        (None, "UNAUTHENTICATED"),
        (await gateway.shop(), "FORBIDDEN"),
        (await gateway.partner(), "FORBIDDEN"),
        (await gateway.staff(), "FORBIDDEN"),
    ]
    for token, code in callers:
        async with served.ready(token) as peer:
            await peer.follow()
            refusal = await peer.refusal()
            assert refusal["code"] == code
            assert len(refusal["requestId"]) == 32
            # The connection goes on.
            answer = await peer.answer("{ program { currency } }")
            assert answer["data"] == {"program": {"currency": "CNY"}}


async def test_a_text_that_is_no_cursor_is_refused(served: Served) -> None:
    alice = await served.gateway.sign_in()
    async with served.ready(alice.access_token) as peer:
        for since in NO_CURSORS:
            await peer.follow(since)
            assert (await peer.refusal())["code"] == "BAD_CURSOR", since


async def test_a_cursor_that_is_too_old_says_so(served: Served) -> None:
    alice = await served.gateway.sign_in()
    await earn(alice.member)
    await earn(alice.member)
    later = NOW + timedelta(days=365)
    await outbox.drain((), clock=lambda: later)
    assert await outbox.forget(before=later) > 2
    async with served.ready(alice.access_token) as peer:
        await peer.follow(since=position(1))
        assert (await peer.refusal())["code"] == "CURSOR_EXPIRED"
        await peer.follow(since=await newest(alice.member))
        await earn(alice.member)
        assert (await peer.event())["available"] == 3


async def test_a_cursor_of_a_future_that_never_came_is_expired_too(served: Served) -> None:
    """As after a backup was restored that lacks what the client has seen."""
    alice = await served.gateway.sign_in()
    async with served.ready(alice.access_token) as peer:
        await peer.follow(since=position(1_000))
        assert (await peer.refusal())["code"] == "CURSOR_EXPIRED"
