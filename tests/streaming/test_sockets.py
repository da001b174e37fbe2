"""graphql-transport-ws by its letter: every way in which a connection ends, with its code."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from uuid_utils.compat import uuid7
from websockets.typing import Subprotocol

from domain.access import CallerKind
from tests.graphql.gateway import NOW
from tests.streaming.serving import NAMES, Peer, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

STREAMING = {"init_s_max": 0.3}
OPERATION = "OPERATION_RESOLUTION_FAILURE"
INIT = '{"type":"connection_init"}'

MALFORMED: list[tuple[str | bytes, str]] = [
    ("5", "A message must be a JSON object"),
    ("[]", "A message must be a JSON object"),
    ('"connection_init"', "A message must be a JSON object"),
    ("null", "A message must be a JSON object"),
    ("", "A message must be valid JSON"),
    ("{", "A message must be valid JSON"),
    ("NaN", "A message must be valid JSON"),
    ("[" * 60_000, "A message must be valid JSON"),
    ('{"a":' * 10_000, "A message must be valid JSON"),
    ("9" * 60_000, "A message must be valid JSON"),
    ('{"type":"ping","payload":{"a":"\\u0000"}}', "A message must be valid JSON"),
    ('{"type":"ping","payload":{"a":"\\ud800"}}', "A message must be valid JSON"),
    (b'{"type":"ping"}', "A message must be text"),
    (b"\xff\xfe", "A message must be text"),
    ("{}", "Unknown message type"),
    ('{"type":null}', "Unknown message type"),
    ('{"type":["ping"]}', "Unknown message type"),
    ('{"type":{}}', "Unknown message type"),
    ('{"type":"start","id":"1"}', "Unknown message type"),
    ('{"type":"next","id":"1"}', "Unknown message type"),
    ('{"type":"connection_init","payload":[]}', "The payload must be an object"),
    ('{"type":"ping","payload":5}', "The payload must be an object"),
    ('{"type":"complete"}', "The id must be a string of 1 to 128 characters"),
    ('{"type":"complete","id":5}', "The id must be a string of 1 to 128 characters"),
    ('{"type":"subscribe","payload":{}}', "The id must be a string of 1 to 128 characters"),
    ('{"type":"subscribe","id":"","payload":{}}', "The id must be a string of 1 to 128 characters"),
    (
        json.dumps({"type": "subscribe", "id": "x" * 129, "payload": {}}),
        "The id must be a string of 1 to 128 characters",
    ),
    ('{"type":"subscribe","id":"1"}', "The payload is missing"),
]

BAD_REQUESTS: list[tuple[dict[str, Any], str]] = [
    ({"query": 5}, "`query` must be a string or null."),
    ({"query": NAMES, "variables": []}, "`variables` must be an object or null."),
    ({"query": NAMES, "operationName": {}}, "`operationName` must be a string or null."),
    ({"query": NAMES, "extensions": "a"}, "`extensions` must be an object or null."),
]


async def test_malformed_messages_end_the_connection_and_nothing_else(shared: Served) -> None:
    for message, reason in MALFORMED:
        async with shared.peer() as peer:
            await peer.connection.send(message)
            assert await peer.ending() == (4400, reason), message[:60]
    for payload, reason in BAD_REQUESTS:
        async with shared.ready() as peer:
            await peer.say(type="subscribe", id="1", payload=payload)
            assert await peer.ending() == (4400, reason), payload
    async with shared.ready() as peer:
        assert (await peer.answer(NAMES))["data"] == {
            "program": {"name": "茶语会员", "currency": "CNY"}
        }


@pytest.mark.parametrize(
    "message",
    ["[" * 200_000, "积" * 22_000, json.dumps({"type": "ping", "payload": {"a": "x" * 65_536}})],
)
async def test_what_is_too_long_is_not_looked_at(shared: Served, message: str) -> None:
    async with shared.peer() as peer:
        await peer.connection.send(message)
        assert await peer.ending() == (1009, "A message must not exceed 65536 bytes")


async def test_a_message_that_just_fits_is_taken(shared: Served) -> None:
    async with shared.peer() as peer:
        empty = json.dumps({"type": "ping", "payload": {"a": ""}}, separators=(",", ":"))
        filled = json.loads(empty)
        filled["payload"]["a"] = "x" * (65_536 - len(empty))
        await peer.connection.send(json.dumps(filled, separators=(",", ":")))
        assert await peer.hear() == {"type": "pong", "payload": filled["payload"]}


async def test_whoever_does_not_initialise_in_time_is_let_go(shared: Served) -> None:
    async with shared.peer() as peer:
        assert await peer.ending() == (4408, "Connection initialisation timeout")


async def test_nothing_runs_before_the_initialisation(shared: Served) -> None:
    async with shared.peer() as peer:
        await peer.ask(NAMES)
        assert await peer.ending() == (4401, "Unauthorized")


async def test_a_connection_is_initialised_once(shared: Served) -> None:
    async with shared.ready() as peer:
        await peer.connection.send(INIT)
        assert await peer.ending() == (4429, "Too many initialisation requests")


async def test_an_id_that_is_in_use_is_nobody_elses(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    async with shared.ready(alice.access_token) as peer:
        await peer.follow(id="mine")
        await peer.follow(id="mine")
        assert await peer.ending() == (4409, "Subscriber for mine already exists")


async def test_an_id_may_be_used_again_once_it_is_free(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    async with shared.ready(alice.access_token) as peer:
        for _ in range(3):
            await peer.follow(id="1")
            await peer.say(type="complete", id="1")
        await peer.say(type="complete", id="never begun")
        assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"
        await shared.until_followed(0)


@pytest.mark.parametrize(
    "protocols",
    [[], [Subprotocol("graphql-ws")], [Subprotocol("graphql-sse"), Subprotocol("mqtt")]],
)
async def test_only_the_one_protocol_is_spoken(
    shared: Served, protocols: list[Subprotocol]
) -> None:
    async with shared.peer(protocols=protocols) as peer:
        assert peer.connection.subprotocol is None
        assert await peer.ending() == (4406, "Subprotocol not acceptable")


def member_token(served: Served, **changes: Any) -> str:
    """A token of nobody in particular."""
    claims: dict[str, Any] = {"session_id": uuid7(), "now": NOW, **changes}
    return served.gateway.tokens.issue(CallerKind.MEMBER, uuid7(), **claims)[0]


async def forbidden(peer: Peer, payload: dict[str, Any], reason: str) -> None:
    await peer.say(type="connection_init", payload=payload)
    assert await peer.ending() == (4403, f"Forbidden: The access token is {reason}.")


async def test_a_token_that_is_not_good_is_refused_with_the_reason(shared: Served) -> None:
    old = member_token(shared, now=NOW - timedelta(hours=1))
    unknown = member_token(shared)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"authorization": f"Bearer {old}"}, "expired"),
        ({"authorization": f"Bearer {unknown}"}, "revoked"),
        ({"Authorization": "Bearer nonsense"}, "invalid"),
        ({"authorization": "nonsense"}, "invalid"),
        ({"authorization": ""}, "invalid"),
        ({"token": "nonsense"}, "invalid"),
        ({"token": ""}, "invalid"),
        ({"token": 5}, "invalid"),
        ({"token": ["a"]}, "invalid"),
        ({"authorization": "Bearer 积分"}, "invalid"),
        ({"authorization": f"Bearer {old}", "token": unknown}, "invalid"),
    ]
    for payload, reason in refused:
        async with shared.peer() as peer:
            await forbidden(peer, payload, reason)
    async with shared.peer(headers={"authorization": f"Bearer {old}"}) as peer:
        await forbidden(peer, {}, "expired")


async def test_a_token_is_taken_from_wherever_clients_put_it(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    bearer = f"Bearer {alice.access_token}"
    ways: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({}, {"authorization": bearer}),
        ({}, {"Authorization": bearer}),
        ({}, {"token": alice.access_token}),
        ({}, {"token": alice.access_token, "authorization": bearer}),
        ({"authorization": bearer}, {}),
        ({"authorization": bearer}, {"authorization": None, "token": None}),
        # What is said in the connection counts alone.
        ({"authorization": "Bearer nonsense"}, {"token": alice.access_token}),
    ]
    for headers, payload in ways:
        async with shared.peer(headers=headers) as peer:
            await peer.initialise(**payload)
            assert await peer.answer("{ me { id } }") == {"data": {"me": {"id": alice.member_id}}}


async def test_without_a_token_only_what_is_public_is_served(shared: Served) -> None:
    async with shared.ready() as peer:
        assert (await peer.answer(NAMES))["data"]["program"]["currency"] == "CNY"
        await peer.ask("{ me { id } }")
        assert (await peer.refusal())["code"] == "UNAUTHENTICATED"


async def test_a_connection_ends_with_its_token(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    async with shared.about_to_expire(alice) as token, shared.ready(token) as peer:
        await peer.follow()
        assert await peer.ending() == (4401, "The access token is expired.")
    await shared.until_followed(0)


async def test_no_connection_begins_with_a_token_that_is_over(shared: Served) -> None:
    """Requests may still come with it for a moment, since clocks differ."""
    alice = await shared.gateway.sign_in("o-alice")
    shared.gateway.clock.advance(minutes=15, seconds=1)
    try:
        answer = await shared.gateway.ask("{ me { id } }", token=alice.access_token)
        assert answer.json() == {"data": {"me": {"id": alice.member_id}}}
        async with shared.peer() as peer:
            await peer.say(type="connection_init", payload={"token": alice.access_token})
            assert await peer.ending() == (4401, "The access token is expired.")
        async with httpx.AsyncClient(trust_env=False) as http:
            stream = await http.post(
                f"http://{shared.address}/graphql",
                json={"query": NAMES},
                headers={
                    "accept": "text/event-stream",
                    "authorization": f"Bearer {alice.access_token}",
                },
            )
        assert stream.status_code == 401
        [error] = stream.json()["errors"]
        assert (error["message"], error["extensions"]["reason"]) == (
            "The access token is expired.",
            "expired",
        )
    finally:
        shared.gateway.clock.moment = NOW


async def test_whoever_has_signed_out_learns_it_with_the_next_operation(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    async with shared.ready(alice.access_token) as peer:
        await peer.follow(id="following")
        await peer.answer(NAMES)
        await shared.gateway.send("SignOut", alice.access_token, input={})
        await peer.ask(NAMES)
        refusal = await peer.refusal()
        assert (refusal["code"], refusal["reason"]) == ("UNAUTHENTICATED", "revoked")
        assert await peer.ending() == (4401, "The access token is revoked.")


async def test_a_page_of_another_origin_is_turned_away(shared: Served) -> None:
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "https://["):
        assert await shared.refused(origin=origin) == 403, origin
    for origin in (f"http://{shared.address}", "https://servicewechat.com"):
        async with shared.peer(headers={"origin": origin}) as peer:
            await peer.initialise()


async def test_documents_are_held_to_their_limits(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    refused = [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "BAD_REQUEST"),
        (" ", "GRAPHQL_PARSE_FAILED"),
        ("{ program { name } } #" + "\n#" * 2_001, "TOKEN_LIMIT"),
        ("{ program { " + "name " * 2_001 + "} }", "TOKEN_LIMIT"),
        ("{ program { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { pointsChanged { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { pointsChanged { " + "cursor " * 31 + "} }", "REPETITION_LIMIT"),
        ("query A { program { name } } query B { program { name } }", OPERATION),
        ("query A { program { name } } subscription B { pointsChanged { cursor } }", OPERATION),
    ]
    async with shared.ready(alice.access_token) as peer:
        for query, code in refused:
            await peer.ask(query)
            refusal = await peer.refusal()
            assert refusal["code"] == code, query[:60]
            assert len(refusal["requestId"]) == 32
        chosen = "query A { program { name } } query B { program { currency } }"
        answer = await peer.answer(chosen, operationName="B")
        assert answer == {"data": {"program": {"currency": "CNY"}}}


async def test_a_mutation_over_a_socket_is_one_like_any_other(shared: Served) -> None:
    alice = await shared.gateway.sign_in("o-alice")
    async with shared.ready(alice.access_token) as peer:
        change = """
            mutation($input: UpdateProfileInput!) {
              updateProfile(input: $input) { member { nickname } userErrors { code field } }
            }
        """
        answer = await peer.answer(change, variables={"input": {"nickname": "小红"}})
        expected = {"member": {"nickname": "小红"}, "userErrors": []}
        assert answer == {"data": {"updateProfile": expected}}
        # What was changed elsewhere meanwhile is seen: nobody is remembered.
        await shared.gateway.send("UpdateProfile", alice.access_token, input={"nickname": "小明"})
        answer = await peer.answer("{ me { nickname } }")
        assert answer == {"data": {"me": {"nickname": "小明"}}}


async def test_documents_are_found_by_their_hash(shared: Served) -> None:
    digest = hashlib.sha256(NAMES.encode()).hexdigest()
    persisted = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    async with shared.ready() as peer:
        await peer.say(type="subscribe", id="1", payload={"extensions": persisted})
        assert (await peer.refusal())["code"] == "PERSISTED_QUERY_NOT_FOUND"
        expected = {"data": {"program": {"name": "茶语会员", "currency": "CNY"}}}
        assert await peer.answer(NAMES, extensions=persisted) == expected
        for payload in ({"extensions": persisted}, {"documentId": f"sha256:{digest}"}):
            await peer.say(type="subscribe", id="once", payload=payload)
            assert (await peer.hear())["payload"] == expected
            assert (await peer.hear())["type"] == "complete"
        await peer.ask("{ program { name } }", extensions=persisted)
        assert (await peer.refusal())["code"] == "PERSISTED_QUERY_MISMATCH"
