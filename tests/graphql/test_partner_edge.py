"""What partners push by any other way than a signed POST of a bounded size, and read back."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from tests.api.documents import persisted
from tests.graphql.gateway import Gateway
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.test_push_rewards import Fair, open_fair

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUSH = operation("PushRewards")


@pytest_asyncio.fixture(loop_scope="module")
async def fair(gateway: Gateway) -> Fair:
    return await open_fair(gateway)


def variables(fair: Fair, *names: str, **other: Any) -> dict[str, Any]:
    items = [fair.item(one, **other) for one in names]
    return {"input": {"batchId": f"b-{names[0]}", "items": items}}


async def send(fair: Fair, content: dict[str, Any], *, signed: bool, **more: str) -> httpx.Response:
    """A POST by the partner."""
    body = orjson.dumps(content)
    headers = fair.platform.headers(body) if signed else {}
    return await fair.platform.post(body, {**headers, **more}, token=await fair.platform.token())


def statuses(response: httpx.Response) -> list[str]:
    batch = response.json()["data"]["pushRewards"]["batch"]
    return [one["status"] for one in batch["receipts"]]


def code_of(response: httpx.Response) -> Any:
    body = response.json()
    assert "data" not in body
    return body["errors"][0]["extensions"]["code"]


async def test_a_push_beyond_a_mebibyte_is_refused_whole(fair: Fair) -> None:
    names = [f"{n:0100}" for n in range(1, 501)]
    # 500 items of the longest ids and references there are fit by far.
    largest = variables(fair, *names, points=1, businessReference="x" * 100)
    over = variables(fair, *names, prizeCode="y" * 2_000)
    before = await everything_kept()
    response = await send(fair, {"query": PUSH, "variables": over}, signed=True)
    assert len(response.request.content) > 1.1 * 1_048_576
    assert (response.status_code, code_of(response)) == (413, "BODY_TOO_LARGE")
    assert response.json()["errors"][0]["extensions"]["limit"] == 1_048_576
    assert await everything_kept() == before
    taken = await send(fair, {"query": PUSH, "variables": largest}, signed=True)
    assert statuses(taken) == ["APPLIED", *["DUPLICATE"] * 499]


async def test_an_event_stream_takes_no_mutation_that_is_not_signed(fair: Fair) -> None:
    content = {"query": PUSH, "variables": variables(fair, "a")}
    before = await everything_kept()
    refused = await send(fair, content, signed=False, accept="text/event-stream")
    assert '"code":"SIGNATURE_MISSING"' in refused.text
    assert '"data":{' not in refused.text
    assert await everything_kept() == before
    taken = await send(fair, content, signed=True, accept="text/event-stream")
    assert '"status":"APPLIED"' in taken.text


async def test_a_document_by_its_hash_is_signed_too(fair: Fair) -> None:
    known = {"extensions": persisted(PUSH)}
    first = await send(
        fair, {"query": PUSH, "variables": variables(fair, "a"), **known}, signed=True
    )
    assert statuses(first) == ["APPLIED"]
    by_hash = {"variables": variables(fair, "b"), **known}
    before = await everything_kept()
    refused = await send(fair, by_hash, signed=False)
    assert (refused.status_code, code_of(refused)) == (401, "SIGNATURE_MISSING")
    told = {name: orjson.dumps(value).decode() for name, value in by_hash.items()}
    got = await fair.gateway.http.get(
        "/graphql",
        params=told,
        headers={"authorization": f"Bearer {await fair.platform.token()}"},
    )
    assert (got.status_code, code_of(got)) == (405, "METHOD_NOT_ALLOWED")
    assert await everything_kept() == before
    assert statuses(await send(fair, by_hash, signed=True)) == ["APPLIED"]


async def test_the_ledger_says_what_came_in_when(fair: Fair) -> None:
    await fair.push("b1", fair.item("a"))
    fair.gateway.clock.advance(seconds=90)
    await fair.push("b2", fair.item("b"))
    ledger = (await fair.ask("{ partner { ledger { nodes { externalId receivedAt } } } }"))[
        "ledger"
    ]
    assert ledger["nodes"] == [
        {"externalId": "a", "receivedAt": "2026-03-01T12:00:00Z"},
        {"externalId": "b", "receivedAt": "2026-03-01T12:01:30Z"},
    ]
