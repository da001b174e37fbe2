"""Requests that no client should send: each is refused with its code, and nothing changes.

The tables below are the list; those of values, orders and tokens are beside this file. Every
refusal is JSON with a code and the request id, never a 5xx, never a trace; and after each not one
row of the database differs from before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from tests.graphql.conftest import Scene
from tests.graphql.gateway import GRAPHQL_JSON, cursor

pytestmark = pytest.mark.asyncio(loop_scope="module")

ME = "{ me { id } }"


def refused(response: httpx.Response, *, status: int, code: str) -> None:
    """An answer that has nothing but one coded error."""
    assert response.status_code == status, response.text
    assert "Traceback" not in response.text
    body = response.json()
    assert body.keys() == {"errors"}
    assert [error["extensions"]["code"] for error in body["errors"]] == [code], response.text
    assert body["errors"][0]["extensions"]["requestId"] == response.headers["x-request-id"]
    assert len(response.content) < 2_000, "an error does not repeat what it was sent"


def request(**members: Any) -> bytes:
    return orjson.dumps({"query": ME, **members})


# The body of a POST, the status, and the code.
BODIES = {
    "nothing": (b"", 400, "BAD_REQUEST"),
    "half an object": (b'{"query": "{ me', 400, "BAD_REQUEST"),
    "a document without JSON around it": (ME.encode(), 400, "BAD_REQUEST"),
    "a comma too many": (b'{"query": "{ me { id } }",}', 400, "BAD_REQUEST"),
    "a number": (b"5", 400, "BAD_REQUEST"),
    "a string": (b'"{ me { id } }"', 400, "BAD_REQUEST"),
    "null": (b"null", 400, "BAD_REQUEST"),
    "true": (b"true", 400, "BAD_REQUEST"),
    "an array": (b"[]", 400, "BAD_REQUEST"),
    "an array of requests": (b"[" + request() + b"]", 400, "BAD_REQUEST"),
    "200 KB of [": (b"[" * 204_800, 400, "BAD_REQUEST"),
    "200 KB of {": (b'{"a":' * 40_960, 400, "BAD_REQUEST"),
    "2,000 pairs of brackets": (b"[" * 2_000 + b"]" * 2_000, 400, "BAD_REQUEST"),
    "300 KB": (request(variables={"x": "x" * 307_200}), 413, "BODY_TOO_LARGE"),
    "300 KB of blanks": (b" " * 307_200, 413, "BODY_TOO_LARGE"),
    "not UTF-8": (b'{"query": "{ me { id } } #\xff"}', 400, "BAD_REQUEST"),
    "UTF-16": ('{"query": "{ me { id } }"}'.encode("utf-16"), 400, "BAD_REQUEST"),
    "a lone surrogate": (rb'{"query": "#\ud800"}', 400, "BAD_REQUEST"),
    "a surrogate pair the wrong way round": (rb'{"query": "#\udf75\ud83c"}', 400, "BAD_REQUEST"),
    "a NUL byte": (b'{"query": "{ me { id } }\x00"}', 400, "BAD_REQUEST"),
    "an escaped NUL": (rb'{"query": "{ me { id } } #\u0000"}', 400, "BAD_USER_INPUT"),
    "a NUL in a variable": (request(variables={"x": ["a\0b"]}), 400, "BAD_USER_INPUT"),
    "a NUL in a variable's name": (request(variables={"\0": 1}), 400, "BAD_USER_INPUT"),
    "NaN": (b'{"query": "{ me { id } }", "variables": {"x": NaN}}', 400, "BAD_REQUEST"),
    "no query": (b"{}", 400, "BAD_REQUEST"),
    "an empty query": (request(query=""), 400, "BAD_REQUEST"),
    "null for a query": (request(query=None), 400, "BAD_REQUEST"),
    "a number for a query": (request(query=5), 400, "BAD_REQUEST"),
    "a list for variables": (request(variables=[]), 400, "BAD_REQUEST"),
    "a string for variables": (request(variables="{}"), 400, "BAD_REQUEST"),
    "a number for an operation's name": (request(operationName=1), 400, "BAD_REQUEST"),
    "a string for extensions": (request(extensions="x"), 400, "BAD_REQUEST"),
}


@pytest.mark.parametrize("bad", BODIES)
async def test_a_body_that_is_no_request(scene: Scene, bad: str) -> None:
    body, status, code = BODIES[bad]
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {scene.alice.access_token}",
    }
    response = await scene.gateway.http.post("/graphql", content=body, headers=headers)
    refused(response, status=status, code=code)
    await scene.assert_unchanged()


@dataclass(frozen=True, slots=True)
class Bad:
    """A document that Alice sends, the code of the one error, and the variables."""

    query: str
    code: str
    variables: dict[str, Any] | None = None


def of_me(selection: str) -> str:
    return f"{{ me {{ {selection} }} }}"


NODE = "query($id: ID!) { node(id: $id) { id } }"
LEDGER = (
    "query($n: Int, $after: String) { me { ledger(first: $n, after: $after) { nodes { id } } } }"
)
COUPONS = """query($status: CouponStatus, $after: String) {
    me { coupons(status: $status, after: $after) { nodes { id } } } }"""

SYNTAX = {
    "words": "hello",
    "an open brace": "{ me {",
    "braces only": "{" * 1_900,
    "an open string": '{ node(id: "x) { id } }',
    "half a surrogate pair": r'{ node(id: "\uD800") { id } }',
    "a name that is none": "{ 积分 }",
}
FIT = {
    "an unknown field": of_me("password"),
    "an unknown root field": "{ members { id } }",
    "an object without a selection": "{ me }",
    "a leaf with a selection": of_me("id { x }"),
    "a missing argument": "{ node { id } }",
    "an unknown type": '{ node(id: "x") { ... on Purse { id } } }',
    "an unknown fragment": "{ me { ...F } }",
    "fragments in a circle": "{ me { ...A } } fragment A on Member { ...B }"
    " fragment B on Member { ...A }",
}
# Nothing of these runs at all.
WHOLE = {
    **{name: Bad(query, "GRAPHQL_PARSE_FAILED") for name, query in SYNTAX.items()},
    **{name: Bad(query, "GRAPHQL_VALIDATION_FAILED") for name, query in FIT.items()},
    "a NUL in a string": Bad(r'{ node(id: "a\u0000") { id } }', "BAD_USER_INPUT"),
    "an unknown argument": Bad(of_me("ledger(last: 5) { nodes { id } }"), "BAD_USER_INPUT"),
    "null for an id": Bad("{ node(id: null) { id } }", "BAD_USER_INPUT"),
    "a fraction for an id": Bad("{ node(id: 1.5) { id } }", "BAD_USER_INPUT"),
    "a variable that is missing": Bad(NODE, "BAD_USER_INPUT", {}),
    "a variable that is null": Bad(NODE, "BAD_USER_INPUT", {"id": None}),
    "a variable that is an object": Bad(NODE, "BAD_USER_INPUT", {"id": {"x": 1}}),
    "a variable that is a list": Bad(NODE, "BAD_USER_INPUT", {"id": ["x"]}),
    "an unknown enum value": Bad(
        of_me("coupons(status: SHINY) { nodes { id } }"), "BAD_USER_INPUT"
    ),
    "a string for an enum": Bad(
        of_me('coupons(status: "ACTIVE") { nodes { id } }'), "BAD_USER_INPUT"
    ),
    "an unknown enum value in a variable": Bad(COUPONS, "BAD_USER_INPUT", {"status": "SHINY"}),
    "an enum value in small letters": Bad(COUPONS, "BAD_USER_INPUT", {"status": "active"}),
    "first: a string": Bad(LEDGER, "BAD_USER_INPUT", {"n": "5"}),
    "first: a fraction": Bad(LEDGER, "BAD_USER_INPUT", {"n": 0.5}),
    "first: true": Bad(LEDGER, "BAD_USER_INPUT", {"n": True}),
    "first: 2^31": Bad(LEDGER, "BAD_USER_INPUT", {"n": 2**31}),
    "first: 2^70": Bad(of_me(f"ledger(first: {2**70}) {{ nodes {{ id }} }}"), "BAD_USER_INPUT"),
    "11 levels": Bad("{ me " * 10 + "{ id }" + " }" * 10, "DEPTH_LIMIT"),
    "31 aliases": Bad(
        "{ " + " ".join(f"a{n}: program {{ name }}" for n in range(31)) + " }", "ALIAS_LIMIT"
    ),
    "a field 31 times": Bad(of_me("id " * 31), "REPETITION_LIMIT"),
    "six directives in one place": Bad(of_me("id" + " @skip(if: false)" * 6), "DIRECTIVE_LIMIT"),
    "more than 2,000 tokens": Bad(of_me("id " * 2_000), "TOKEN_LIMIT"),
}


@pytest.mark.parametrize("bad", WHOLE)
async def test_a_document_that_cannot_run(scene: Scene, bad: str) -> None:
    gateway, token, sent = scene.gateway, scene.alice.access_token, WHOLE[bad]
    response = await gateway.ask(sent.query, sent.variables, token=token, accept=GRAPHQL_JSON)
    refused(response, status=400, code=sent.code)
    # Clients that accept JSON alone get the same, with the status that they expect.
    response = await gateway.ask(sent.query, sent.variables, token=token)
    refused(response, status=200, code=sent.code)
    await scene.assert_unchanged()


async def test_a_subscription_is_not_answered_with_one_answer(scene: Scene) -> None:
    query = "subscription { pointsChanged { version } }"
    response = await scene.gateway.ask(query, token=scene.alice.access_token)
    refused(response, status=405, code="METHOD_NOT_ALLOWED")
    assert "text/event-stream" in response.json()["errors"][0]["message"]
    await scene.assert_unchanged()


NO_CHOICE = {
    "two operations and no choice": ("query A { me { id } } query B { me { id } }", None),
    "a choice that is not there": ("query A { me { id } }", "B"),
    "no operation": ("fragment F on Member { id }", None),
}


@pytest.mark.parametrize("bad", NO_CHOICE)
async def test_a_document_in_which_no_operation_is_chosen(scene: Scene, bad: str) -> None:
    query, name = NO_CHOICE[bad]
    response = await scene.gateway.http.post(
        "/graphql",
        json={"query": query, "operationName": name},
        headers={"authorization": f"Bearer {scene.alice.access_token}"},
    )
    refused(response, status=400, code="OPERATION_RESOLUTION_FAILURE")
    await scene.assert_unchanged()


# These run, and one field is null.
WITHIN = {
    "first: 0": Bad(LEDGER, "BAD_USER_INPUT", {"n": 0}),
    "first: -1": Bad(LEDGER, "BAD_USER_INPUT", {"n": -1}),
    "first: 101": Bad(LEDGER, "BAD_USER_INPUT", {"n": 101}),
    "first: 10^9": Bad(LEDGER, "BAD_USER_INPUT", {"n": 10**9}),
    "first: 0 coupons": Bad(of_me("coupons(first: 0) { nodes { id } }"), "BAD_USER_INPUT"),
    "first: 101 recommendations": Bad(
        of_me("recommendations(surface: HOME, first: 101) { items { rank } }"), "BAD_USER_INPUT"
    ),
    "an empty cursor": Bad(LEDGER, "BAD_CURSOR", {"after": ""}),
    "a cursor of words": Bad(LEDGER, "BAD_CURSOR", {"after": "the second page"}),
    "a cursor in Chinese": Bad(LEDGER, "BAD_CURSOR", {"after": "第二页"}),
    "a cursor of another list": Bad(LEDGER, "BAD_CURSOR", {"after": cursor('["coupons",1]')}),
    "a cursor of no list": Bad(LEDGER, "BAD_CURSOR", {"after": cursor("[]")}),
    "a cursor that is an object": Bad(LEDGER, "BAD_CURSOR", {"after": cursor('{"entries":1}')}),
    "a cursor with a string": Bad(LEDGER, "BAD_CURSOR", {"after": cursor('["entries","1"]')}),
    "a cursor with true": Bad(LEDGER, "BAD_CURSOR", {"after": cursor('["entries",true]')}),
    "a cursor with two keys": Bad(LEDGER, "BAD_CURSOR", {"after": cursor('["entries",1,1]')}),
    "a cursor beyond 63 bits": Bad(LEDGER, "BAD_CURSOR", {"after": cursor(f'["entries",{2**63}]')}),
    "a cursor of brackets": Bad(LEDGER, "BAD_CURSOR", {"after": cursor("[" * 300)}),
    "a cursor of 100 KB": Bad(LEDGER, "BAD_CURSOR", {"after": "A" * 100_000}),
    "coupons after an entry": Bad(COUPONS, "BAD_CURSOR", {"after": cursor('["entries",1]')}),
    "coupons after no moment": Bad(
        COUPONS,
        "BAD_CURSOR",
        {"after": cursor('["coupons","yesterday","01977c1e-0000-7000-8000-000000000000"]')},
    ),
    "coupons after a moment without an offset": Bad(
        COUPONS,
        "BAD_CURSOR",
        {
            "after": cursor(
                '["coupons","2026-03-01T12:00:00","01977c1e-0000-7000-8000-000000000000"]'
            )
        },
    ),
    "an id of words": Bad(NODE, "BAD_ID", {"id": "alice"}),
    "an id that is a number": Bad(NODE, "BAD_ID", {"id": 7}),
}


@pytest.mark.parametrize("bad", WITHIN)
async def test_a_value_that_one_field_cannot_take(scene: Scene, bad: str) -> None:
    sent = WITHIN[bad]
    token = scene.alice.access_token
    response = await scene.gateway.ask(sent.query, sent.variables, token=token)
    assert response.status_code == 200
    assert "Traceback" not in response.text
    assert len(response.content) < 2_000, "an error does not repeat what it was sent"
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == sent.code
    assert error["extensions"]["requestId"] == response.headers["x-request-id"]
    value = response.json()["data"]
    for part in error["path"]:
        value = value[part]
    assert value is None
    await scene.assert_unchanged()
