"""What a connection may cost: how many there are, how long they last, how slow their peers are."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import httpx
import pytest

from api.streaming.connections import Connections, TooManyConnections
from api.streaming.frames import Ending
from api.streaming.settings import StreamingSettings
from domain.ledger import NEVER, Earn, Source, post
from tests.graphql.gateway import NOW
from tests.streaming.serving import NAMES, Served, until
from tests.streaming.test_points_changed import earn, newest

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS_CONNECTIONS_MAX = 5
SEND_S_MAX = 0.4
STREAMING = {
    "caller_connections_max": 2,
    "address_connections_max": ADDRESS_CONNECTIONS_MAX,
    "sessions_checked_every_s": 0.1,
    "send_s_max": SEND_S_MAX,
}
MANY = 300
"""Events that do not fit between a server and a peer that does not read."""


async def earn_often(member_id: UUID) -> None:
    """So many entries of one point, with much to say about each, in one transaction."""
    command = Earn(
        member_id=member_id,
        points=1,
        source=Source(kind="test", reference="streaming"),
        effective_at=NOW,
        expires_at=NEVER,
        reason="积分" * 250,
    )
    await post([command] * MANY, now=NOW)


async def stream_status(served: Served, token: str | None) -> int:
    """The status of a query that is answered by an event stream."""
    headers = {"accept": "text/event-stream"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"http://{served.address}/graphql", json={"query": NAMES}, headers=headers
        )
    return answer.status_code


async def test_a_connection_has_so_many_subscriptions_and_no_more(shared: Served) -> None:
    alice = await shared.gateway.sign_in()
    async with shared.ready(alice.access_token) as peer:
        wanted = {f"{number}" for number in range(11)}
        for id in wanted:
            await peer.follow(id=id)
        refused = await peer.hear()
        [error] = refused["payload"]
        assert refused["type"] == "error"
        assert error["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
        assert error["extensions"]["limit"] == 10
        # Something else may still be asked, and the others go on.
        assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"
        following = wanted - {refused["id"]}
        await shared.until_followed_by(10)
        await earn(alice.member, 4)
        assert {(await peer.hear())["id"] for _ in range(10)} == following
        # Whoever ends one has room for another.
        ended = following.pop()
        await peer.say(type="complete", id=ended)
        await shared.until_followed_by(9)
        await peer.follow(id="another")
        await shared.until_followed_by(10)
        await earn(alice.member, 5)
        assert {(await peer.hear())["id"] for _ in range(10)} == {*following, "another"}


async def test_a_caller_has_so_many_connections(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    bob = await shared.gateway.sign_in("o-bob")
    async with shared.ready(alice.access_token), shared.ready(bob.access_token):
        async with shared.ready(alice.access_token), shared.peer() as third:
            await third.say(type="connection_init", payload={"token": alice.access_token})
            reason = "There are 2 open connections of this caller already."
            assert await third.ending() == (1013, reason)
        async with shared.ready(alice.access_token):
            assert await stream_status(shared, alice.access_token) == 429


async def test_an_address_has_so_many_connections(shared: Served) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(ADDRESS_CONNECTIONS_MAX):
            await stack.enter_async_context(shared.ready())
        assert await shared.refused() == 503
        assert await stream_status(shared, None) == 503
    await until(lambda: not len(shared.connections))
    assert await stream_status(shared, None) == 200


async def test_a_process_has_so_many_connections() -> None:
    connections = Connections(StreamingSettings(connections_max=2, address_connections_max=2))
    first = connections.admit("192.0.2.1", end_nothing)
    connections.admit("192.0.2.2", end_nothing)
    with pytest.raises(TooManyConnections, match="There are 2 open connections of this server"):
        connections.admit("192.0.2.3", end_nothing)
    connections.release(first)
    connections.admit("192.0.2.2", end_nothing)
    assert len(connections) == 2


def end_nothing(_: Ending) -> None: ...


async def test_whoever_signed_out_elsewhere_is_let_go(shared: Served) -> None:
    gateway = shared.gateway
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    async with shared.ready(alice.access_token) as peer, shared.ready(bob.access_token) as other:
        await peer.follow()
        await gateway.send("SignOut", alice.access_token, input={})
        assert await peer.ending() == (4401, "The access token is revoked.")
        assert (await other.answer(NAMES))["data"]["program"]["currency"] == "CNY"


async def test_a_peer_that_does_not_read_is_dropped_and_resumes(shared: Served) -> None:
    alice = await shared.gateway.sign_in()
    since = await newest(alice.member)
    await earn_often(alice.member)
    async with shared.slow_peer() as peer:
        await peer.initialise(alice.access_token)
        await peer.follow(since)
        await shared.until_followed(1)
        peer.connection.transport.pause_reading()
        # Nothing is kept for it: neither the connection nor the subscription.
        await until(lambda: not len(shared.connections))
        await shared.until_followed(0)
        peer.connection.transport.resume_reading()
        seen = [event async for event in peer.rest()]
    assert len(seen) < MANY
    async with shared.ready(alice.access_token) as peer:
        await peer.follow(seen[-1]["cursor"] if seen else since)
        seen += [await peer.event() for _ in range(MANY - len(seen))]
    assert [event["available"] for event in seen] == list(range(1, MANY + 1))


async def test_a_peer_that_reads_slowly_loses_nothing(shared: Served) -> None:
    alice = await shared.gateway.sign_in()
    since = await newest(alice.member)
    await earn_often(alice.member)
    async with shared.slow_peer() as peer:
        await peer.initialise(alice.access_token)
        await peer.follow(since)
        await shared.until_followed(1)
        peer.connection.transport.pause_reading()
        await asyncio.sleep(SEND_S_MAX / 2)
        peer.connection.transport.resume_reading()
        seen = [await peer.event() for _ in range(MANY)]
    assert [event["available"] for event in seen] == list(range(1, MANY + 1))
