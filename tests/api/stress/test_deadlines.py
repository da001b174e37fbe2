"""Deadlines: every request is answered in its time, whatever it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.stress.deadlines import deadline_of
from domain.access import CallerKind
from tests.api.gateway import Gateway, Parts, development_settings, open_gateway

QUICK = {"request_s_max": 0.1, "batch_request_s_max": 0.3}
NOTHING = "The answer was not ready in time. Nothing was changed; send the same again."
UNKNOWN = (
    "The answer was not ready in time. Whether the mutation took effect is unknown; "
    "send the same again, with the same keys."
)
Handler = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def quick_gateway(
    folder: Path, handler: Handler | None = None, **parts: Any
) -> AsyncIterator[Gateway]:
    routes = (Route("/here", handler, methods=["GET", "POST"]),) if handler else ()
    settings = development_settings(stress=QUICK)
    async with open_gateway(settings, folder, Parts(routes=routes, **parts)) as gateway:
        yield gateway
        state = gateway.app.state
        assert (state.places.inside, state.places.executing) == (0, 0)
        assert state.draining.under_way == set()


async def timed(work: Awaitable[httpx.Response]) -> tuple[httpx.Response, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    response = await work
    return response, loop.time() - began


def assert_exceeded(response: httpx.Response, *, outcome: str = "NONE") -> None:
    assert response.status_code == 504
    (error,) = response.json()["errors"]
    assert error == {
        "message": {"NONE": NOTHING, "UNKNOWN": UNKNOWN}[outcome],
        "extensions": {
            "code": "DEADLINE_EXCEEDED",
            "retryable": True,
            "outcome": outcome,
            "requestId": response.headers["x-request-id"],
        },
    }


async def forever(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


async def test_authentication_that_hangs_ends_at_the_deadline(tmp_path: Path) -> None:
    async with quick_gateway(tmp_path, confirm=forever) as gateway:
        response, seconds = await timed(gateway.post("{ __typename }", headers=gateway.token()))
        assert_exceeded(response)
        assert 0.09 < seconds < 0.3


async def test_a_body_that_never_ends_ends_at_the_deadline(tmp_path: Path) -> None:
    async def slow_body() -> AsyncIterator[bytes]:
        yield b'{"query": "{ __typename }"'
        await asyncio.Event().wait()

    async with quick_gateway(tmp_path) as gateway:
        headers = {
            "content-type": "application/json",
            "accept": "application/graphql-response+json",
        }
        sent = gateway.http.post("/graphql", content=slow_body(), headers=headers)
        response, seconds = await timed(sent)
        assert_exceeded(response)
        assert response.headers["content-type"] == (
            "application/graphql-response+json; charset=utf-8"
        )
        assert 0.09 < seconds < 0.3


async def test_what_was_begun_is_cancelled_and_the_answer_does_not_wait_for_it(
    tmp_path: Path,
) -> None:
    """A COMMIT, once sent, is seen out; the client hears at the deadline all the same."""
    steps: list[str] = []
    committed = asyncio.Event()

    async def commit(request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            steps.append("cancelled")
            await committed.wait()
            steps.append("cleaned up")
            raise
        raise AssertionError("it is cancelled")

    async with quick_gateway(tmp_path, commit) as gateway:
        begun = asyncio.Event()
        answer: list[int] = []

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.append(message["status"])
                begun.set()

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/here",
            "raw_path": b"/here",
            "query_string": b"",
            "headers": [],
        }
        request = asyncio.create_task(gateway.app(scope, forever, send))  # type: ignore[arg-type]
        await begun.wait()
        assert (answer, steps) == ([504], ["cancelled"])
        assert gateway.app.state.places.inside == 1, "what still runs still counts"
        committed.set()
        await request
        assert (answer, steps) == ([504], ["cancelled", "cleaned up"])


async def test_an_answer_that_has_begun_is_not_cut(tmp_path: Path) -> None:
    async def stream(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun "
            await asyncio.sleep(0.15)
            yield b"done"

        return StreamingResponse(pieces())

    async with quick_gateway(tmp_path, stream) as gateway:
        response = await gateway.http.get("/here")
        assert (response.status_code, response.text) == (200, "begun done")


async def test_a_failure_after_the_deadline_changes_nothing(tmp_path: Path) -> None:
    async def fail(request: Request) -> Response:
        try:
            await asyncio.Event().wait()
        finally:
            raise ConnectionResetError("while cleaning up")

    async with quick_gateway(tmp_path, fail) as gateway:
        assert_exceeded(await gateway.http.get("/here"))


async def test_whoever_else_cancels_the_work_is_heard(tmp_path: Path) -> None:
    begun = asyncio.Event()

    async def hold(request: Request) -> Response:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")

    async with quick_gateway(tmp_path, hold) as gateway:
        request = asyncio.create_task(gateway.http.get("/here"))
        await begun.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request


@pytest.mark.parametrize(
    ("changes", "outcome"), [(lambda: True, "UNKNOWN"), (lambda: False, "NONE")]
)
async def test_only_what_may_have_changed_something_has_an_unknown_outcome(
    tmp_path: Path, changes: Callable[[], bool], outcome: str
) -> None:
    async def execute(request: Request) -> Response:
        deadline_of(request.scope).begins(changes)
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")

    async with quick_gateway(tmp_path, execute) as gateway:
        assert_exceeded(await gateway.http.get("/here"), outcome=outcome)


async def test_batches_have_their_own_deadline(tmp_path: Path) -> None:
    async def slow_body() -> AsyncIterator[bytes]:
        yield b'{"query": '
        await asyncio.sleep(0.15)
        yield b'"{ __typename }"}'

    async with quick_gateway(tmp_path) as gateway:
        statuses = {}
        for kind, scopes in (
            (CallerKind.SHOP, {"purchases:write"}),
            (CallerKind.SHOP, {"purchases:read"}),
            (CallerKind.MEMBER, set[str]()),
        ):
            headers = gateway.token(kind, scopes=frozenset(scopes))
            headers["content-type"] = "application/json"
            answer = await gateway.http.post("/graphql", content=slow_body(), headers=headers)
            statuses[kind, *scopes] = answer.status_code
        assert statuses == {
            (CallerKind.SHOP, "purchases:write"): 200,
            (CallerKind.SHOP, "purchases:read"): 504,
            (CallerKind.MEMBER,): 504,
        }


async def test_queueing_counts(tmp_path: Path) -> None:
    """Who got a place late has less time left."""

    async def hold(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")

    settings = development_settings(stress={**QUICK, "executing_max": 1})
    parts = Parts(routes=(Route("/here", hold),))
    async with open_gateway(settings, tmp_path, parts) as gateway:
        both = (timed(gateway.http.get("/here")), timed(gateway.http.get("/here")))
        (one, _), (other, seconds) = await asyncio.gather(*both)
        assert_exceeded(one)
        assert_exceeded(other)
        assert seconds < 0.19, "0.1 s in the queue and nothing after it"


async def test_a_cancellation_that_is_swallowed_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As asyncio.wait_for does on Python 3.11 when a result comes at the same moment."""
    monkeypatch.setattr("api.stress.deadlines.CANCELLED_AGAIN_AFTER_S", 0.02)
    swallowed: list[str] = []

    async def deaf(request: Request) -> Response:
        for _ in range(2):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed.append("one")
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled")

    async with quick_gateway(tmp_path, deaf) as gateway:
        assert_exceeded(await gateway.http.get("/here"))
        assert swallowed == ["one", "one"]
