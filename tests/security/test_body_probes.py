"""Bodies that mean nothing, mean too much, or mean something to other programs than this."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.graphql.kept import everything_kept
from tests.security.target import Target

pytestmark = pytest.mark.asyncio(loop_scope="module")


def json_of(text: str) -> bytes:
    return (
        f'{{"query": "query($v: ID!) {{ node(id: $v) {{ id }} }}", "variables": {text}}}'.encode()
    )


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a number": b"5",
    "a text": b'"x"',
    "null": b"null",
    "half": b'{"query": "{__typename}"',
    "two": b'{"query": "{__typename}"}{"query": "{__typename}"}',
    "200 KB of brackets": b"[" * 200_000,
    "200 KB of braces": b'{"a":' * 40_000,
    "nested lists in a variable": json_of('{"v": ' + "[" * 900 + "]" * 900 + "}"),
    "NaN": json_of('{"v": NaN}'),
    "a huge number": json_of('{"v": 1e400}'),
    "a number of 10,000 digits": json_of('{"v": ' + "9" * 10_000 + "}"),
    "invalid UTF-8": json_of('{"v": "').replace(
        b'"variables": {"v": "', b'"variables": {"v": "\xff'
    ),
    "overlong UTF-8": b'{"query": "{__typename}\xc0\xaf"}',
    "a lone surrogate": json_of('{"v": "\\ud800"}'),
    "a surrogate in the document": b'{"query": "{ node(id: \\"\\udfff\\") { id } }"}',
    "a NUL": json_of('{"v": "a\\u0000b"}'),
    "a NUL in a name": b'{"query": "{__typename}", "operationName": "a\\u0000"}',
    "a byte order mark": b'\xef\xbb\xbf{"query": "{__typename"}',
    "a name of 100 KB": b'{"query": "{__typename}", "operationName": "' + b"a" * 100_000 + b'"}',
    "a text of 200 KB": json_of('{"v": "' + "语" * 60_000 + '"}'),
    "100,000 combining marks": json_of('{"v": "' + "e" + "\u0301" * 50_000 + '"}'),
    "too much": b'{"query": "' + b" " * 300_000 + b'"}',
    "variables of the wrong kind": b'{"query": "{__typename}", "variables": [1]}',
    "a query of the wrong kind": b'{"query": {"a": 1}}',
    "extensions of the wrong kind": b'{"query": "{__typename}", "extensions": "x"}',
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_means_nothing_is_a_plain_refusal(target: Target, name: str) -> None:
    headers = {
        "content-type": "application/json",
        "accept": "application/graphql-response+json",
    }
    response = await target.send(by="member", content=BODIES[name], headers=headers)
    assert response.status_code < 500, response.text
    body = response.json()
    assert [error["extensions"]["code"] for error in body["errors"]]
    assert body.get("data") in (None, {"node": None})


async def test_a_compressed_body_is_not_unpacked(target: Target) -> None:
    headers = {"content-type": "application/json"}
    for encoding in ("gzip", "br", "deflate", "zstd", "identity, gzip"):
        response = await target.send(
            content=b"\x1f\x8b" + b"\x00" * 100, headers={**headers, "content-encoding": encoding}
        )
        assert response.status_code == 415


POLLUTION = {
    "__proto__": {"isAdmin": True, "roles": ["admin"]},
    "constructor": {"prototype": {"isAdmin": True}},
    "prototype": {"x": 1},
    "toString": "x",
    "__class__": {"__init__": {"__globals__": {}}},
}


async def test_names_that_mean_something_elsewhere_mean_nothing_here(target: Target) -> None:
    response = await target.send(json={"query": "{ __typename }", **POLLUTION})
    assert response.json() == {"data": {"__typename": "Query"}}
    response = await target.send(json={"query": "{ __typename }", "variables": POLLUTION})
    assert response.json() == {"data": {"__typename": "Query"}}
    document = (
        "mutation($v: UpdateProfileInput!) { updateProfile(input: $v) { userErrors { code } } }"
    )
    before = await everything_kept()
    for name, value in POLLUTION.items():
        variables = {"v": {"nickname": "forged", name: value}}
        assert await target.code(document, by="member", variables=variables) == "BAD_USER_INPUT"
    assert await everything_kept() == before


async def test_zero_findings(target: Target, tally: Callable[[str, int, int], None]) -> None:
    """Of the whole module: each test asserts its own."""
    tally("security probes of bodies, 0 findings", target.probes, 35)
    assert target.findings == []
