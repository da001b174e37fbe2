"""The same through other doors: documents by their hash, event streams, WebSockets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.security.target import Target, code_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTROSPECTION = "{ __schema { types { name } } }"
OVERLOAD = f"{{ {' '.join(f'a{n}: __typename' for n in range(101))} }}"
REFUSED = {
    INTROSPECTION: "INTROSPECTION_DISABLED",
    "{ me { id } }": "UNAUTHENTICATED",
    "{ staff { login } }": "UNAUTHENTICATED",
    OVERLOAD: "ALIAS_LIMIT",
    "subscription { pointsChanged { version } }": "UNAUTHENTICATED",
}
"""Documents that nobody is answered without a token, and the code of the refusal."""


def by_hash(document: str) -> dict[str, Any]:
    digest = hashlib.sha256(document.encode()).hexdigest()
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


async def test_a_document_that_another_made_known_opens_nothing(target: Target) -> None:
    """Registered by who may run it, asked for by its hash by who may not; and another's hash."""
    for document in (INTROSPECTION, "{ me { id } }"):
        known = by_hash(document)
        answer = await target.ask(document, by="member", extensions=known)
        assert "errors" not in answer.json()
        ways: tuple[dict[str, Any], ...] = (
            {"method": "POST", "json": {"extensions": known}},
            {"method": "GET", "params": {"extensions": orjson.dumps(known).decode()}},
        )
        for request in ways:
            body = (await target.send(**request)).json()
            [error] = body["errors"]
            assert error["extensions"]["code"] == REFUSED[document]
            assert "data" not in body
    wrong = by_hash("{ __typename }")
    code = await target.code("{ me { id } }", by="member", extensions=wrong)
    assert code == "PERSISTED_QUERY_MISMATCH"


async def test_an_unknown_hash_is_no_path_and_no_statement(target: Target) -> None:
    for text in ("../../etc/passwd", "' OR 1=1 --", "*", "\u0000", "a" * 64, "A" * 64, "", "{}"):
        for request in (
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": text}}},
            {"extensions": {"documentId": text}},
            {"documentId": text},
        ):
            headers = {"accept": "application/graphql-response+json"}
            response = await target.send(json=request, headers=headers)
            assert 400 <= response.status_code < 500
            assert "data" not in response.json()


async def test_an_event_stream_tells_no_more_than_an_answer(target: Target) -> None:
    for document, code in REFUSED.items():
        response = await target.send(
            json={"query": document}, headers={"accept": "text/event-stream"}
        )
        assert f'"code":"{code}"' in response.text, response.text
        assert '"data":{' not in response.text


async def hello(socket: ClientConnection) -> None:
    await socket.send(orjson.dumps({"type": "connection_init"}).decode())
    assert orjson.loads(await socket.recv())["type"] == "connection_ack"


async def test_a_socket_tells_no_more_than_an_answer(target: Target) -> None:
    async with connect(
        f"ws://127.0.0.1:{target.port}/graphql",
        subprotocols=[Subprotocol("graphql-transport-ws")],
    ) as socket:
        await hello(socket)
        for number, (document, code) in enumerate(REFUSED.items()):
            asked = {"id": str(number), "type": "subscribe", "payload": {"query": document}}
            await socket.send(orjson.dumps(asked).decode())
            told = orjson.loads(await socket.recv())
            while told["type"] == "complete":
                told = orjson.loads(await socket.recv())
            assert told["id"] == str(number)
            errors = told["payload"] if told["type"] == "error" else told["payload"]["errors"]
            assert [error["extensions"]["code"] for error in errors] == [code]
            target.probes += 1


async def test_a_get_in_production_takes_no_text(target: Target) -> None:
    for document in ("{ __typename }", "{ program { name } }", INTROSPECTION):
        response = await target.send(method="GET", params={"query": document})
        assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")


async def test_zero_findings(target: Target, tally: Callable[[str, int, int], None]) -> None:
    """Of the whole module: each test asserts its own."""
    tally("security probes of other ways, 0 findings", target.probes, 40)
    assert target.findings == []
