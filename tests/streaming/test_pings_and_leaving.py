"""What ends a connection by and by: silence, too much at once, a server that leaves.

Each test has a gateway of its own, with settings of its own.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from tests.streaming.conftest import Serve
from tests.streaming.serving import FOLLOW, NAMES, Served, serving, until
from tests.streaming.test_event_streams import stream


async def test_whoever_is_silent_is_pinged_and_then_given_up(serve_on_sqlite: Serve) -> None:
    async with (
        serve_on_sqlite(streaming={"ping_every_s": 0.1}) as served,
        served.ready() as peer,
        served.ready() as silent,
    ):
        assert [await silent.hear(), await silent.hear()] == [{"type": "ping"}] * 2
        for _ in range(5):
            assert await peer.hear() == {"type": "ping"}
            await peer.say(type="pong")
        assert await silent.ending() == (4408, "No answer to pings")
        await peer.say(type="ping", payload={"still": "here"})
        heard = [await peer.hear(), await peer.hear()]
        assert {"type": "pong", "payload": {"still": "here"}} in heard


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


async def test_a_server_that_leaves_lets_everybody_go(serve_on_sqlite: Serve) -> None:
    """A socket is closed with 1001; a stream ends without having said that it is complete."""
    async with serve_on_sqlite() as served:
        alice = await served.gateway.sign_in()
        async with (
            served.ready(alice.access_token) as peer,
            served.peer() as silent,
            stream(served, FOLLOW, alice.access_token) as answer,
        ):
            await peer.follow()
            await served.until_followed_by(2)
            change = 'mutation { updateProfile(input: {nickname: "小明"}) { userErrors { code } } }'
            await peer.ask(change, id="under way")
            await until(lambda: served.gateway.app.state.places.inside > 0)
            served.gateway.app.state.draining.begin()
            # What is answered in a moment is still answered.
            assert (await peer.hear())["payload"] == {"data": {"updateProfile": {"userErrors": []}}}
            assert await peer.ending() == (1001, "The server is going away")
            assert await silent.ending() == (1001, "The server is going away")
            assert await answer.end() == []
        async with served.peer() as late:
            assert await late.ending() == (1001, "The server is going away")


async def test_sockets_are_served_under_plain_uvicorn_too(serve_on_sqlite: Serve) -> None:
    async with (
        serve_on_sqlite() as ours,
        serving(ours.gateway.app, protocol=WebSocketsSansIOProtocol) as address,
    ):
        plain = Served(gateway=ours.gateway, address=address)
        alice = await plain.gateway.sign_in()
        async with plain.ready(alice.access_token) as peer:
            await peer.follow()
            await plain.until_followed()
            assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"
            await peer.connection.send("5")
            assert await peer.ending() == (4400, "A message must be a JSON object")
