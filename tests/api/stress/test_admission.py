"""The gate before everything: 503 at once, with all that a client needs to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from api.logs import configure_logs
from api.stress.admission import Refusals, outside
from api.stress.places import Reason
from domain.storage import ConnectionsBusy
from tests.api.gateway import Gateway, Parts, development_settings, open_gateway
from tests.schema.sample import MEMBER_B

SECONDS = {"1", "2", "3"}


@dataclass(slots=True)
class Doors:
    """Routes that hold a request until they are opened."""

    opened: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Queue[None] = field(default_factory=asyncio.Queue)

    async def hold(self, request: Request) -> Response:
        """Work until the door opens."""
        self.entered.put_nowait(None)
        await self.opened.wait()
        return Response("worked")

    async def wait_outside(self, request: Request) -> Response:
        """Wait for somebody else until the door opens."""
        self.entered.put_nowait(None)
        async with outside():
            await self.opened.wait()
        return Response("waited")

    async def stream(self, request: Request) -> Response:
        """Stream until the door opens."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun "
            self.entered.put_nowait(None)
            await self.opened.wait()
            yield b"done"

        return StreamingResponse(pieces())

    async def until_entered(self, count: int) -> None:
        """Until so many more requests are in."""
        for _ in range(count):
            await self.entered.get()

    @property
    def parts(self) -> Parts:
        """A gateway with these routes."""
        return Parts(
            routes=(
                Route("/hold", self.hold),
                Route("/outside", self.wait_outside),
                Route("/stream", self.stream),
            )
        )


@asynccontextmanager
async def held_gateway(folder: Path, **stress: Any) -> AsyncIterator[tuple[Gateway, Doors]]:
    doors = Doors()
    settings = development_settings(stress=stress, log_level="warning")
    async with open_gateway(settings, folder, doors.parts) as gateway:
        yield gateway, doors
        assert gateway.app.state.places.inside == 0


def assert_overloaded(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["retry-after"] in SECONDS
    (error,) = response.json()["errors"]
    assert error["message"] == "The service is busy; send the same again in a moment."
    assert error["extensions"] == {
        "code": "OVERLOADED",
        "retryable": True,
        "retryAfter": int(response.headers["retry-after"]),
        "requestId": response.headers["x-request-id"],
    }


# Nobody may expect a turn within so short a time: there is no queue.
NO_QUEUE = {"burst_s_max": 0.000_1, "standing_s_max": 0.000_1}


async def test_who_is_too_many_is_told_at_once_and_costs_no_line_in_the_log(
    tmp_path: Path,
) -> None:
    async with held_gateway(tmp_path, executing_max=1, **NO_QUEUE) as (gateway, doors):
        held = asyncio.create_task(gateway.http.get("/hold"))
        await doors.until_entered(1)
        with capture_logs() as logs:
            refused = [
                await gateway.http.post(
                    "/graphql", json={"query": "{ __typename }"}, headers={"x-request-id": "mine"}
                )
                for _ in range(30)
            ]
        for response in refused:
            assert_overloaded(response)
            assert response.headers["x-request-id"] == "mine"
        assert {response.headers["retry-after"] for response in refused} == SECONDS, "jitter"
        assert gateway.app.state.refusals.by_reason == {Reason.QUEUE_TOO_LONG: 30}
        assert [line["event"] for line in logs] == ["shedding"]
        assert doors.entered.empty()
        doors.opened.set()
        assert (await held).text == "worked"
        assert await gateway.data("{ __typename }") == {"__typename": "Query"}


async def test_refusals_are_told_in_the_media_type_that_the_client_wants(tmp_path: Path) -> None:
    async with held_gateway(tmp_path, executing_max=1, **NO_QUEUE) as (gateway, doors):
        held = asyncio.create_task(gateway.http.get("/hold"))
        await doors.until_entered(1)
        accept = {"accept": "application/graphql-response+json"}
        refused = await gateway.post("{ __typename }", headers=accept)
        assert_overloaded(refused)
        assert refused.headers["content-type"] == (
            "application/graphql-response+json; charset=utf-8"
        )
        doors.opened.set()
        await held


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_health_is_always_answered(tmp_path: Path, path: str) -> None:
    async with held_gateway(tmp_path, executing_max=1, inside_max=1) as (gateway, doors):
        held = asyncio.create_task(gateway.http.get("/hold"))
        await doors.until_entered(1)
        assert_overloaded(await gateway.http.get("/schema.graphql"))
        assert (await gateway.http.get(path)).status_code == 200
        doors.opened.set()
        await held


async def test_who_queues_is_served_as_soon_as_there_is_a_place(tmp_path: Path) -> None:
    async with held_gateway(tmp_path, executing_max=1) as (gateway, doors):
        requests = [asyncio.create_task(gateway.http.get("/hold")) for _ in range(20)]
        await doors.until_entered(1)
        assert gateway.app.state.places.queued == 19
        doors.opened.set()
        answers = await asyncio.gather(*requests)
        assert [answer.text for answer in answers] == ["worked"] * 20


async def test_who_waits_for_somebody_else_leaves_the_place_to_others(tmp_path: Path) -> None:
    async with held_gateway(tmp_path, executing_max=1, **NO_QUEUE) as (gateway, doors):
        waiting = [asyncio.create_task(gateway.http.get("/outside")) for _ in range(5)]
        await doors.until_entered(5)
        assert await gateway.data("{ __typename }") == {"__typename": "Query"}
        doors.opened.set()
        assert [answer.text for answer in await asyncio.gather(*waiting)] == ["waited"] * 5


async def test_a_stream_holds_no_place(tmp_path: Path) -> None:
    async with held_gateway(tmp_path, executing_max=1, **NO_QUEUE) as (gateway, doors):
        streams = []
        for _ in range(3):
            streams.append(asyncio.create_task(gateway.http.get("/stream")))
            await doors.until_entered(1)
        assert await gateway.data("{ __typename }") == {"__typename": "Query"}
        doors.opened.set()
        assert [answer.text for answer in await asyncio.gather(*streams)] == ["begun done"] * 3


async def test_a_body_that_is_on_its_way_holds_no_place(tmp_path: Path) -> None:
    async with held_gateway(tmp_path, executing_max=1, **NO_QUEUE) as (gateway, doors):

        async def slow_body() -> AsyncIterator[bytes]:
            yield b'{"query": '
            doors.entered.put_nowait(None)
            await doors.opened.wait()
            yield b'"{ __typename }"}'

        headers = {"content-type": "application/json"}
        slow = [
            asyncio.create_task(gateway.http.post("/graphql", content=slow_body(), headers=headers))
            for _ in range(3)
        ]
        await doors.until_entered(3)
        assert await gateway.data("{ __typename }") == {"__typename": "Query"}
        doors.opened.set()
        assert [answer.status_code for answer in await asyncio.gather(*slow)] == [200] * 3


async def test_a_caller_may_have_so_many_in_flight_whatever_its_tokens(tmp_path: Path) -> None:
    """Two tokens of one member; the other member is not in their way."""
    arrived, opened = asyncio.Queue[None](), asyncio.Event()

    async def hold_member(caller: Any, now: Any) -> None:
        arrived.put_nowait(None)

    parts = Parts(confirm=hold_member)
    settings = development_settings(stress={"caller_in_flight_max": 2})
    async with open_gateway(settings, tmp_path, parts) as gateway:

        async def slow(headers: dict[str, str]) -> httpx.Response:
            async def body() -> AsyncIterator[bytes]:
                await opened.wait()
                yield b'{"query": "{ __typename }"}'

            headers = {**headers, "content-type": "application/json"}
            return await gateway.http.post("/graphql", content=body(), headers=headers)

        tokens, other = [gateway.token() for _ in range(3)], gateway.token(subject=MEMBER_B)
        for known in (*tokens, other):
            assert (await gateway.post("{ __typename }", headers=known)).status_code == 200
            await arrived.get()
        held = [asyncio.create_task(slow(headers)) for headers in tokens[:2]]
        for _ in held:
            await arrived.get()
        assert_overloaded(await gateway.post("{ __typename }", headers=tokens[2]))
        assert (await gateway.post("{ __typename }", headers=other)).status_code == 200
        opened.set()
        assert [answer.status_code for answer in await asyncio.gather(*held)] == [200, 200]
        assert (await gateway.post("{ __typename }", headers=tokens[2])).status_code == 200


async def test_tokens_that_somebody_invents_take_the_lane_of_their_address(tmp_path: Path) -> None:
    async with held_gateway(tmp_path, caller_in_flight_max=2, caller_queued_max=1) as (
        gateway,
        doors,
    ):
        invented = ({"authorization": f"Bearer {number}"} for number in range(4))
        held = [
            asyncio.create_task(gateway.http.get("/hold", headers=headers))
            for headers in (next(invented), next(invented))
        ]
        await doors.until_entered(2)
        refused = await asyncio.gather(
            *(gateway.http.get("/hold", headers=headers) for headers in invented)
        )
        for response in refused:
            assert_overloaded(response)
        doors.opened.set()
        assert [answer.text for answer in await asyncio.gather(*held)] == ["worked"] * 2


async def test_a_caller_who_cannot_be_looked_up_is_told_the_same(tmp_path: Path) -> None:
    async def busy(caller: Any, now: Any) -> None:
        raise ConnectionsBusy(waited_s=0.25)

    async with open_gateway(development_settings(), tmp_path, Parts(confirm=busy)) as gateway:
        assert_overloaded(await gateway.post("{ __typename }", headers=gateway.token()))


async def test_the_log_is_told_once_a_second() -> None:
    configure_logs(production=False, level="warning")
    refusals = Refusals()
    with capture_logs() as logs:
        for _ in range(1_000):
            refusals.count(Reason.PROCESS_FULL)
        refusals._told_at -= 1.0
        refusals.count(Reason.QUEUE_TOO_LONG)
    assert [(line["refused"], line["reason"]) for line in logs] == [
        (1, Reason.PROCESS_FULL),
        (1_000, Reason.QUEUE_TOO_LONG),
    ]
    assert refusals.total == 1_001
