"""GraphQL over HTTP: methods, bodies, media types, statuses, operations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from domain.access import CallerKind
from tests.api.gateway import Gateway

GRAPHQL_JSON = "application/graphql-response+json"
JSON_TYPE = {"content-type": "application/json"}


def error_of(answer: dict[str, Any]) -> tuple[str, str]:
    """The code and the message of an answer that is nothing but one error."""
    assert list(answer) == ["errors"]
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"]


async def test_a_query_is_answered(gateway: Gateway) -> None:
    response = await gateway.post("{ping}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.content == b'{"data":{"ping":"pong"}}'


@pytest.mark.parametrize(
    ("accept", "content_type", "status"),
    [
        (None, "application/json; charset=utf-8", 200),
        ("application/json", "application/json; charset=utf-8", 200),
        (GRAPHQL_JSON, f"{GRAPHQL_JSON}; charset=utf-8", 400),
    ],
)
@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("{ping", None, "GRAPHQL_PARSE_FAILED"),
        ("{nope}", None, "GRAPHQL_VALIDATION_FAILED"),
        ("query($v:Points){echo(given:{points:$v}){points}}", {"v": "1"}, "BAD_USER_INPUT"),
        ("query($v:Points!){echo(given:{points:$v}){points}}", {}, "BAD_USER_INPUT"),
    ],
)
async def test_an_operation_that_cannot_run_has_no_data(
    gateway: Gateway,
    accept: str | None,
    content_type: str,
    status: int,
    query: str,
    variables: dict[str, Any] | None,
    code: str,
) -> None:
    headers = {} if accept is None else {"accept": accept}
    response = await gateway.post(query, variables, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == content_type
    assert error_of(response.json())[0] == code


async def test_an_operation_that_ran_is_200_whatever_its_fields_did(gateway: Gateway) -> None:
    response = await gateway.post("{ping broken}", headers={"accept": GRAPHQL_JSON})
    assert response.status_code == 200
    assert response.json()["data"] == {"ping": "pong", "broken": None}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("{me{phone}}", 401, "UNAUTHENTICATED"), ("{staff{motto}}", 401, "UNAUTHENTICATED")],
)
async def test_a_missing_token_is_401_under_the_media_type_of_graphql(
    gateway: Gateway, query: str, status: int, code: str
) -> None:
    response = await gateway.post(query, headers={"accept": GRAPHQL_JSON})
    assert (response.status_code, error_of(response.json())[0]) == (status, code)
    assert response.headers["www-authenticate"] == 'Bearer realm="jifen"'
    plain = await gateway.post(query)
    assert (plain.status_code, error_of(plain.json())[0]) == (200, code)
    assert "www-authenticate" not in plain.headers


async def test_a_wrong_caller_is_403_under_the_media_type_of_graphql(gateway: Gateway) -> None:
    headers = {"accept": GRAPHQL_JSON, **gateway.token()}
    response = await gateway.post("{staff{motto}}", headers=headers)
    assert (response.status_code, error_of(response.json())[0]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request is not valid JSON."),
        (b"{", "The request is not valid JSON."),
        (b"[" * 200_000, "The request is not valid JSON."),
        (b"\xff\xfe", "The request is not valid JSON."),
        (b'{"query": "{ping}", "variables": {"a": "\\ud800"}}', "The request is not valid JSON."),
        (b"5", "The request must be a JSON object."),
        (b'"{ping}"', "The request must be a JSON object."),
        (b"null", "The request must be a JSON object."),
        (b"[]", "The request must be a JSON object."),
        (b'[{"query": "{ping}"}]', "The request must be a JSON object."),
        (b"{}", "`query` is missing."),
        (b'{"query": null}', "`query` is missing."),
        (b'{"query": ""}', "`query` is missing."),
        (b'{"query": {"a": 1}}', "`query` must be a string or null."),
        (b'{"query": 5}', "`query` must be a string or null."),
        (b'{"query": "{ping}", "operationName": []}', "`operationName` must be a string or null."),
        (b'{"query": "{ping}", "variables": [1]}', "`variables` must be an object or null."),
        (b'{"query": "{ping}", "variables": "{}"}', "`variables` must be an object or null."),
        (b'{"query": "{ping}", "extensions": 5}', "`extensions` must be an object or null."),
    ],
    ids=lambda value: str(value[:40]),
)
@pytest.mark.parametrize("accept", ["application/json", GRAPHQL_JSON])
async def test_a_body_that_is_no_request_is_400(
    gateway: Gateway, body: bytes, message: str, accept: str
) -> None:
    headers = {**JSON_TYPE, "accept": accept}
    response = await gateway.http.post("/graphql", content=body, headers=headers)
    assert response.status_code == 400
    assert response.headers["content-type"] == f"{accept}; charset=utf-8"
    assert error_of(response.json()) == ("BAD_REQUEST", message)


async def test_members_may_be_null_and_unknown_ones_are_ignored(gateway: Gateway) -> None:
    body = {
        "query": "{ping}",
        "operationName": None,
        "variables": None,
        "extensions": None,
        "id": 7,
    }
    response = await gateway.http.post("/graphql", json=body)
    assert response.json() == {"data": {"ping": "pong"}}


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
async def test_a_body_that_is_not_called_json_is_415(
    gateway: Gateway, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    response = await gateway.http.post("/graphql", content=b'{"query":"{ping}"}', headers=headers)
    assert response.status_code == 415
    assert error_of(response.json())[0] == "UNSUPPORTED_MEDIA_TYPE"
    assert response.headers["accept-post"] == "application/json"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_other_methods_are_405(gateway: Gateway, method: str) -> None:
    response = await gateway.http.request(method, "/graphql")
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, POST"


# NUL, surrogates and other texts


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($t:String){echo(given:{text:$t}){text}}", {"t": "a\0b"}),
        ("{ping}", {"unused": {"deep": ["\0"]}}),
        ("{ping}\0", None),
    ],
)
async def test_a_nul_in_a_request_is_a_coded_error(
    gateway: Gateway, query: str, variables: dict[str, Any] | None
) -> None:
    response = await gateway.post(query, variables)
    assert response.status_code == 400
    assert error_of(response.json()) == ("BAD_USER_INPUT", "Strings must not contain U+0000.")


async def test_a_nul_in_a_literal_is_a_coded_error(gateway: Gateway) -> None:
    response = await gateway.post('{echo(given:{text:"a\\u0000b"}){text}}')
    assert error_of(response.json()) == ("BAD_USER_INPUT", "Strings must not contain U+0000.")


@pytest.mark.parametrize(
    "text", ["😀👨‍👩‍👧", "مرحبا", "\u202e反", "a\tb\nc", "\u007f\u0001", "\uffff"]
)
async def test_any_other_text_comes_through(gateway: Gateway, text: str) -> None:
    query = "query($t:String){echo(given:{text:$t}){text}}"
    assert await gateway.data(query, {"t": text}) == {"echo": {"text": text}}


async def test_numbers_beyond_64_bits_are_coded_errors(gateway: Gateway) -> None:
    body = b'{"query":"query($v:Points){echo(given:{points:$v}){points}}","variables":{"v":%s}}'
    for number in (b"9007199254740992", b"18446744073709551616", b"1" * 400):
        response = await gateway.http.post("/graphql", content=body % number, headers=JSON_TYPE)
        assert error_of(response.json())[0] == (
            "BAD_REQUEST" if len(number) == 400 else "BAD_USER_INPUT"
        )
    response = await gateway.http.post(
        "/graphql", content=body % b"9007199254740991", headers=JSON_TYPE
    )
    assert response.json() == {"data": {"echo": {"points": 9007199254740991}}}


# Size


def padded(size: int) -> bytes:
    """A request of exactly so many bytes."""
    body = orjson.dumps({"query": "{ping}", "variables": {"x": ""}})
    return body[:-3] + b"x" * (size - len(body)) + body[-3:]


async def chunks(body: bytes) -> AsyncIterator[bytes]:
    """The body without a declared length."""
    for start in range(0, len(body), 50_000):
        yield body[start : start + 50_000]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_body_may_have_256_kb_and_no_more(gateway: Gateway, streamed: bool) -> None:
    async def post(size: int) -> Any:
        content = chunks(padded(size)) if streamed else padded(size)
        return await gateway.http.post("/graphql", content=content, headers=JSON_TYPE)

    assert (await post(262_144)).json() == {"data": {"ping": "pong"}}
    response = await post(262_145)
    assert response.status_code == 413
    assert error_of(response.json()) == ("BODY_TOO_LARGE", "The body must not exceed 262144 bytes.")
    assert response.json()["errors"][0]["extensions"]["limit"] == 262_144


async def test_a_body_is_not_read_further_than_its_limit(gateway: Gateway) -> None:
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(50_000)
            yield b"x" * 50_000

    response = await gateway.http.post("/graphql", content=endless(), headers=JSON_TYPE)
    assert response.status_code == 413
    assert len(read) == 6  # the first 300 KB


@pytest.mark.parametrize(
    ("kind", "scopes", "largest"),
    [
        (CallerKind.SHOP, "purchases:write", 1_048_576),
        (CallerKind.PARTNER, "rewards:write", 1_048_576),
        (CallerKind.SHOP, "points:hold", 262_144),
        (CallerKind.MEMBER, "", 262_144),
    ],
)
async def test_callers_with_a_batch_scope_may_send_1_mib(
    gateway: Gateway, kind: CallerKind, scopes: str, largest: int
) -> None:
    headers = {**JSON_TYPE, **gateway.token(kind, scopes=frozenset(scopes.split()))}
    taken = await gateway.http.post("/graphql", content=padded(largest), headers=headers)
    assert taken.json() == {"data": {"ping": "pong"}}
    refused = await gateway.http.post("/graphql", content=padded(largest + 1), headers=headers)
    assert refused.status_code == 413
    assert refused.json()["errors"][0]["extensions"]["limit"] == largest


# Operations


async def test_operation_name_chooses_among_several(gateway: Gateway) -> None:
    query = "query A{ping} query B{about}"
    assert await gateway.data(query, operationName="A") == {"ping": "pong"}
    assert await gateway.data(query, operationName="B") == {"about": "zh anonymous"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (None, "The document has several operations; operationName must choose one."),
        ("C", 'Unknown operation named "C".'),
        ("", 'Unknown operation named "".'),
    ],
)
async def test_an_operation_that_is_not_chosen_is_400(
    gateway: Gateway, name: str | None, message: str
) -> None:
    response = await gateway.post("query A{ping} query B{about}", operationName=name)
    assert response.status_code == 400
    assert error_of(response.json()) == ("OPERATION_RESOLUTION_FAILURE", message)


async def test_a_document_of_fragments_only_is_400(gateway: Gateway) -> None:
    response = await gateway.post("fragment F on Query{ping}")
    assert response.status_code == 400
    assert error_of(response.json())[0] == "OPERATION_RESOLUTION_FAILURE"


# GET


async def test_get_takes_queries(gateway: Gateway) -> None:
    parameters = {
        "query": "query A($t:String){echo(given:{text:$t}){text}}",
        "variables": '{"t":"hi"}',
        "operationName": "A",
    }
    response = await gateway.http.get("/graphql", params=parameters)
    assert response.json() == {"data": {"echo": {"text": "hi"}}}


async def test_get_takes_no_mutations(gateway: Gateway) -> None:
    response = await gateway.http.get(
        "/graphql", params={"query": "mutation{knock{userErrors{code}}}"}
    )
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert error_of(response.json()) == (
        "METHOD_NOT_ALLOWED",
        "mutations are not allowed when using GET.",
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({}, "BAD_REQUEST"),
        ({"query": "{ping}", "variables": "{"}, "BAD_REQUEST"),
        ({"query": "{ping}", "variables": "[1]"}, "BAD_REQUEST"),
        ({"query": "{ping}", "variables": '{"a":"\\u0000"}'}, "BAD_USER_INPUT"),
        ({"query": "{ping}\0"}, "BAD_USER_INPUT"),
    ],
)
async def test_a_bad_get_is_400(gateway: Gateway, parameters: dict[str, str], code: str) -> None:
    response = await gateway.http.get("/graphql", params=parameters)
    assert (response.status_code, error_of(response.json())[0]) == (400, code)


async def test_production_takes_queries_by_post_only(production: Gateway) -> None:
    response = await production.http.get("/graphql", params={"query": "{ping}"})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert error_of(response.json())[0] == "METHOD_NOT_ALLOWED"
    assert await production.data("{ping}") == {"ping": "pong"}
