"""What a connection may cost: how many there are, how long they last, how slow their peers are."""

from __future__ import annotations

import asyncio
from uuid import UUID

import httpx

from api.stress.settings import StressSettings
from domain.ledger import NEVER, Earn, Source, post
from tests.graphql.gateway import NOW
from tests.streaming.conftest import Serve
from tests.streaming.serving import NAMES, Served, until
from tests.streaming.test_points_changed import earn, position

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


async def test_whoever_is_silent_is_pinged_and_then_given_up(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(streaming={"ping_every_s": 0.1}) as served, served.ready() as peer:
        assert [await peer.hear(), await peer.hear()] == [{"type": "ping"}] * 2
        assert await peer.ending() == (4408, "No answer to pings")


async def test_whoever_answers_pings_stays(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(streaming={"ping_every_s": 0.05}) as served, served.ready() as peer:
        for _ in range(6):
            assert await peer.hear() == {"type": "ping"}
            await peer.say(type="pong")
        assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"


async def test_a_connection_has_so_many_subscriptions_and_no_more(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite() as served:
        alice = await served.gateway.sign_in()
        async with served.ready(alice.access_token) as peer:
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
            await served.until_followed_by(10)
            await earn(alice.member, 4)
            assert {(await peer.hear())["id"] for _ in range(10)} == following
            # Whoever ends one has room for another.
            ended = following.pop()
            await peer.say(type="complete", id=ended)
            await served.until_followed_by(9)
            await peer.follow(id="another")
            await served.until_followed_by(10)
            await earn(alice.member, 5)
            assert {(await peer.hear())["id"] for _ in range(10)} == {*following, "another"}


async def test_a_connection_has_so_many_operations_in_flight(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(streaming={"operations_max": 2}) as served:
        alice = await served.gateway.sign_in()
        async with served.ready(alice.access_token) as peer:
            await peer.follow(id="1")
            await peer.follow(id="2")
            await peer.ask(NAMES, id="3")
            refusal = await peer.refusal("3")
            assert (refusal["code"], refusal["retryable"]) == ("OVERLOADED", True)
            await peer.say(type="complete", id="2")
            assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"


async def test_a_caller_has_so_many_connections(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(streaming={"caller_connections_max": 2}) as served:
        alice = await served.gateway.sign_in("o-alice")
        bob = await served.gateway.sign_in("o-bob")
        async with served.ready(alice.access_token), served.ready(bob.access_token):
            async with served.ready(alice.access_token), served.peer() as third:
                await third.say(type="connection_init", payload={"token": alice.access_token})
                reason = "There are 2 open connections of this caller already."
                assert await third.ending() == (1013, reason)
            async with served.ready(alice.access_token), served.ready():
                assert await stream_status(served, alice.access_token) == 429


async def test_an_address_and_the_process_have_so_many_connections(
    serve_on_sqlite: Serve,
) -> None:
    for bound in ("address_connections_max", "connections_max"):
        async with serve_on_sqlite(streaming={bound: 2}) as served:
            async with served.ready(), served.peer():
                assert await served.refused() == 503
                assert await stream_status(served, None) == 503
            await until(lambda: not len(served.connections))
            async with served.ready() as peer:
                assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"


async def test_whoever_signed_out_elsewhere_is_let_go(serve: Serve) -> None:
    async with serve(streaming={"sessions_checked_every_s": 0.1}) as served:
        gateway = served.gateway
        alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
        async with (
            served.ready(alice.access_token) as peer,
            served.ready(bob.access_token) as other,
        ):
            await peer.follow()
            await gateway.send("SignOut", alice.access_token, input={})
            assert await peer.ending() == (4401, "The access token is revoked.")
            assert (await other.answer(NAMES))["data"]["program"]["currency"] == "CNY"


async def test_a_query_over_a_socket_has_its_deadline(serve_on_sqlite: Serve) -> None:
    impatient = StressSettings(request_s_max=1e-6)
    async with serve_on_sqlite(stress=impatient) as served, served.ready() as peer:
        await peer.ask(NAMES)
        refusal = await peer.refusal()
        assert (refusal["code"], refusal["outcome"]) == ("DEADLINE_EXCEEDED", "NONE")


async def test_an_event_has_its_deadline(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite() as served:
        alice = await served.gateway.sign_in()
    async with serve_on_sqlite(stress=StressSettings(request_s_max=1e-6)) as served:
        await earn(alice.member)
        async with served.ready(alice.access_token) as peer:
            await peer.follow(since=position(1))
            assert (await peer.refusal())["code"] == "DEADLINE_EXCEEDED"


async def test_a_peer_that_does_not_read_is_dropped_and_resumes(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(streaming={"send_s_max": 0.3}) as served:
        alice = await served.gateway.sign_in()
        await earn_often(alice.member)
        async with served.slow_peer() as peer:
            await peer.initialise(alice.access_token)
            await peer.follow(since=position(1))
            await served.until_followed(1)
            peer.connection.transport.pause_reading()
            # Nothing is kept for it: neither the connection nor the subscription.
            await until(lambda: not len(served.connections))
            await served.until_followed(0)
            peer.connection.transport.resume_reading()
            seen = [event async for event in peer.rest()]
        assert 0 < len(seen) < MANY
        async with served.ready(alice.access_token) as peer:
            await peer.follow(since=seen[-1]["cursor"])
            seen += [await peer.event() for _ in range(MANY - len(seen))]
        assert [event["available"] for event in seen] == list(range(1, MANY + 1))


async def test_a_peer_that_reads_slowly_loses_nothing(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite() as served:
        alice = await served.gateway.sign_in()
        await earn_often(alice.member)
        async with served.slow_peer() as peer:
            await peer.initialise(alice.access_token)
            await peer.follow(since=position(1))
            await served.until_followed(1)
            peer.connection.transport.pause_reading()
            await asyncio.sleep(0.3)
            peer.connection.transport.resume_reading()
            seen = [await peer.event() for _ in range(MANY)]
        assert [event["available"] for event in seen] == list(range(1, MANY + 1))
