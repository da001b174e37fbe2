"""Operations of sockets and streams are charged like all others, out of the same buckets."""

from __future__ import annotations

from typing import Any

from api.rates.settings import BucketSettings, RateSettings
from api.streaming.frames import TRY_LATER
from schema.charging import document_cost
from schema.faults import RATE_LIMITED_MESSAGE
from tests.streaming.conftest import Serve
from tests.streaming.serving import FOLLOW, NAMES, Served
from tests.streaming.test_event_streams import stream
from tests.streaming.test_points_changed import earn

CAPACITY = 200
NAMES_COST = 1 + 5 + 1
"""The root, a statement, the programme."""

MESSAGE_COST = 1
"""Of whatever is asked on a socket."""

REFUSED_COST = 1

FOLLOW_COST = 1 + 5 + 1 + 5 + 1
"""The root, a statement, the event, a statement, the entry."""


def scarce(**capacities: int) -> dict[str, Any]:
    buckets = {
        name: BucketSettings(capacity=capacity, restored_per_minute=1)
        for name, capacity in capacities.items()
    }
    return {"rates": RateSettings().model_copy(update=buckets)}


async def budget(served: Served, token: str) -> int:
    """What the member has left, of which asking takes one."""
    response = await served.gateway.http.post(
        "/graphql",
        json={"query": "{__typename}"},
        headers={"authorization": f"Bearer {token}", "x-jifen-cost": "1"},
    )
    return int(response.json()["extensions"]["cost"]["budget"])


async def test_every_transport_takes_out_of_the_same_bucket(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(**scarce(member=CAPACITY)) as served:
        alice = await served.gateway.sign_in()
        token = alice.access_token
        left = CAPACITY - document_cost("{__typename}") - 1
        assert await budget(served, token) == left
        async with served.ready(token) as peer:
            for document in (document_cost(NAMES), 0):
                assert "errors" not in await peer.answer(NAMES)
                left -= MESSAGE_COST + document + NAMES_COST + 1
                assert await budget(served, token) == left
            await peer.follow()
            await served.until_followed()
            left -= MESSAGE_COST + document_cost(FOLLOW) + FOLLOW_COST + 1
            assert await budget(served, token) == left
            await earn(alice.member)
            await peer.event()
            left -= FOLLOW_COST + 1
            assert await budget(served, token) == left
        async with stream(served, NAMES, token) as events:
            assert [name for name, _ in await events.end()] == ["next", "complete"]
        left -= NAMES_COST + 1
        assert await budget(served, token) == left


async def test_who_has_nothing_left_is_refused_on_every_transport(serve_on_sqlite: Serve) -> None:
    spent = MESSAGE_COST + document_cost(NAMES) + NAMES_COST
    async with serve_on_sqlite(**scarce(member=spent + 3)) as served:
        token = (await served.gateway.sign_in()).access_token
        async with served.ready(token) as peer:
            assert "errors" not in await peer.answer(NAMES)
            refused = {"code": "RATE_LIMITED", "retryAfter": (NAMES_COST - 2) * 60}
            for query in (NAMES, FOLLOW):
                await peer.ask(query)
                extensions = await peer.refusal()
                assert extensions.pop("requestId")
                if query is NAMES:
                    assert extensions == refused
                else:
                    # A document that is not known is not even looked at.
                    wait_s = (min(document_cost(FOLLOW), spent + 3) - 1) * 60
                    assert extensions == {"code": "RATE_LIMITED", "retryAfter": wait_s}
            # The connection stays, and others are served.
            await peer.say(type="ping")
            assert await peer.hear() == {"type": "pong"}
        async with stream(served, NAMES, token) as events:
            (name, result), end = await events.end()
            assert (name, list(result), end) == ("next", ["errors"], ("complete", None))
            assert result["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
        bob = (await served.gateway.sign_in("o-bob")).access_token
        async with served.ready(bob) as peer:
            assert "errors" not in await peer.answer(NAMES)


async def test_a_hash_that_nobody_knows_is_paid_for_on_every_transport(
    serve_on_sqlite: Serve,
) -> None:
    unknown = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    async with serve_on_sqlite(**scarce(member=CAPACITY)) as served:
        token = (await served.gateway.sign_in()).access_token
        left = CAPACITY - document_cost("{__typename}") - 1
        assert await budget(served, token) == left
        authorization = {"authorization": f"Bearer {token}"}
        for accept in ("application/json", "text/event-stream"):
            refused = await served.gateway.http.post(
                "/graphql", json=unknown, headers={**authorization, "accept": accept}
            )
            [error] = refused.json()["errors"]
            assert error["extensions"]["code"] == "PERSISTED_QUERY_NOT_FOUND"
            left -= REFUSED_COST + 1
            assert await budget(served, token) == left
        async with served.ready(token) as peer:
            await peer.say(type="subscribe", id="1", payload=unknown)
            assert (await peer.refusal())["code"] == "PERSISTED_QUERY_NOT_FOUND"
        left -= MESSAGE_COST + REFUSED_COST + 1
        assert await budget(served, token) == left


async def test_bad_tokens_of_sockets_are_paid_for_by_their_address(serve_on_sqlite: Serve) -> None:
    async with serve_on_sqlite(**scarce(address=10)) as served:
        endings = []
        for _ in range(3):
            async with served.peer() as peer:
                await peer.say(type="connection_init", payload={"authorization": "Bearer nonsense"})
                endings.append(await peer.ending())
        bad = (4403, "Forbidden: The access token is invalid.")
        assert endings == [bad, bad, (TRY_LATER, RATE_LIMITED_MESSAGE)]
