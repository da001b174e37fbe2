"""Server-sent events in graphql-sse's mode of distinct connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.streaming.serving import FOLLOW, NAMES, SOON_S, Served, until
from tests.streaming.test_points_changed import earn, newest, position

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMING = {"ping_every_s": 0.2}
EVENTS = "text/event-stream"
NAMES_ANSWER = {"data": {"program": {"name": "茶语会员", "currency": "CNY"}}}


@dataclass(slots=True)
class Stream:
    """An event stream as its client sees it."""

    response: httpx.Response
    lines: AsyncIterator[str]

    async def event(self) -> tuple[str, Any]:
        """The next event: its name and its data; comments are passed over."""
        name = ""
        async with asyncio.timeout(SOON_S):
            async for line in self.lines:
                field, _, value = line.partition(":")
                if field == "event":
                    name = value.strip()
                elif field == "data":
                    return name, json.loads(value) if value.strip() else None
        raise EOFError

    async def told(self) -> Any:
        """The event of the subscription that comes next."""
        name, result = await self.event()
        assert (name, list(result)) == ("next", ["data"]), result
        return result["data"]["pointsChanged"]

    async def end(self) -> list[tuple[str, Any]]:
        """The events that still come, until the stream is over."""
        events = []
        try:
            while True:
                events.append(await self.event())
        except EOFError:
            return events


@asynccontextmanager
async def stream(
    served: Served, query: str, token: str | None = None, *, method: str = "POST", **body: Any
) -> AsyncIterator[Stream]:
    headers = {"accept": EVENTS}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    asked: dict[str, Any] = {"query": query, **body}
    if method == "GET":
        asked = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in asked.items()
        }
    sent: dict[str, Any] = {"params": asked} if method == "GET" else {"json": asked}
    url = f"http://{served.address}/graphql"
    async with (
        httpx.AsyncClient(trust_env=False, timeout=SOON_S) as http,
        http.stream(method, url, headers=headers, **sent) as response,
    ):
        yield Stream(response, response.aiter_lines())


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_a_subscription_is_a_stream_of_results(shared: Served, method: str) -> None:
    served = shared
    alice = await served.gateway.sign_in()
    before = await newest(alice.member)
    await earn(alice.member, 3)
    asked: dict[str, Any] = {"variables": {"since": before}, "method": method}
    async with stream(served, FOLLOW, alice.access_token, **asked) as first:
        assert first.response.status_code == 200
        assert first.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert first.response.headers["cache-control"] == "no-cache, no-transform"
        assert first.response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in first.response.headers
        assert "content-length" not in first.response.headers
        told = await first.told()
        assert (told["available"], told["entry"]["amount"]) == (3, 3)
        await earn(alice.member, 4)
        assert (await first.told())["available"] == 7
    # The client is gone, and nothing of it is left.
    await until(lambda: not len(served.connections))
    await served.until_followed(0)
    asked["variables"] = {"since": told["cursor"]}
    async with stream(served, FOLLOW, alice.access_token, **asked) as second:
        assert (await second.told())["available"] == 7


async def test_a_query_and_a_mutation_have_one_result(shared: Served) -> None:
    async with stream(shared, NAMES) as answer:
        assert await answer.end() == [("next", NAMES_ANSWER), ("complete", None)]
    alice = await shared.gateway.sign_in()
    change = 'mutation { updateProfile(input: {nickname: "小明"}) { userErrors { code } } }'
    async with stream(shared, change, alice.access_token) as answer:
        expected: dict[str, Any] = {"data": {"updateProfile": {"userErrors": []}}}
        assert await answer.end() == [("next", expected), ("complete", None)]


async def refusal(served: Served, query: str, token: str | None = None, **more: Any) -> Any:
    """The extensions of the one error that is all that a stream has."""
    async with stream(served, query, token, **more) as answer:
        assert answer.response.status_code == 200
        [(name, result), end] = await answer.end()
    assert (name, end) == ("next", ("complete", None))
    [error] = result["errors"]
    assert "requestId" in error["extensions"]
    return error["extensions"]


async def test_errors_of_the_operation_are_results(shared: Served) -> None:
    served = shared
    alice = await served.gateway.sign_in()
    token = alice.access_token
    assert (await refusal(served, "{ nothing }"))["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert (await refusal(served, "{"))["code"] == "GRAPHQL_PARSE_FAILED"
    assert (await refusal(served, FOLLOW))["code"] == "UNAUTHENTICATED"
    assert (await refusal(served, FOLLOW, await served.gateway.partner()))["code"] == "FORBIDDEN"
    bad, lost = {"since": "!"}, {"since": position(99)}
    assert (await refusal(served, FOLLOW, token, variables=bad))["code"] == "BAD_CURSOR"
    assert (await refusal(served, FOLLOW, token, variables=lost))["code"] == "CURSOR_EXPIRED"
    two = "query A { program { name } } query B { program { name } }"
    assert (await refusal(served, two))["code"] == "OPERATION_RESOLUTION_FAILURE"
    change = "mutation { signOut { userErrors { code } } }"
    by_get = await refusal(served, change, token, method="GET")
    assert by_get["code"] == "METHOD_NOT_ALLOWED"


async def test_what_is_wrong_with_the_request_is_an_http_error(shared: Served) -> None:
    served = shared
    async with stream(served, FOLLOW, "nonsense") as answer:
        assert answer.response.status_code == 401
        body = json.loads(await answer.response.aread())
        assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    async with stream(served, FOLLOW, variables=[]) as answer:
        assert answer.response.status_code == 400


@pytest.mark.parametrize(
    ("accept", "query", "expected"),
    [
        ("application/json, text/event-stream", NAMES, "application/json; charset=utf-8"),
        ("text/event-stream, application/json;q=0.5", NAMES, "text/event-stream; charset=utf-8"),
        ("application/json, text/event-stream", FOLLOW, "text/event-stream; charset=utf-8"),
        ("*/*", NAMES, "application/json; charset=utf-8"),
        ("*/*", FOLLOW, "application/json; charset=utf-8"),
    ],
)
async def test_streams_are_for_whoever_asks_for_them(
    shared: Served, accept: str, query: str, expected: str
) -> None:
    """Some clients name events in every request; a query of theirs is answered as JSON."""
    url = f"http://{shared.address}/graphql"
    async with (
        httpx.AsyncClient(trust_env=False, timeout=SOON_S) as http,
        http.stream("POST", url, json={"query": query}, headers={"accept": accept}) as response,
    ):
        assert response.headers["content-type"] == expected


async def test_a_stream_ends_with_its_token_and_says_so(shared: Served) -> None:
    alice = await shared.gateway.sign_in()
    async with (
        shared.about_to_expire(alice) as token,
        stream(shared, FOLLOW, token) as answer,
    ):
        [(name, result), end] = await answer.end()
    assert (name, end) == ("next", ("complete", None))
    [error] = result["errors"]
    assert error["message"] == "The access token is expired."
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert error["extensions"]["reason"] == "expired"


async def test_an_idle_stream_says_that_it_lives(shared: Served) -> None:
    alice = await shared.gateway.sign_in()
    async with stream(shared, FOLLOW, alice.access_token) as answer, asyncio.timeout(SOON_S):
        assert [await anext(answer.lines) for _ in range(6)] == [":", ""] * 3
