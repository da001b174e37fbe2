"""What scanners ask of any web server: forgery, smuggling, headers, media types, odd bytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from tests.graphql.kept import everything_kept
from tests.security.target import Target, code_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

RENAME = 'mutation { updateProfile(input: { nickname: "forged" }) { userErrors { code } } }'
EVIL = "evil.example"

# What a form or a script of another site can send without being asked.
FORGED: dict[str, dict[str, Any]] = {
    "a form": {"data": {"query": RENAME}},
    "a form with a file": {"files": {"query": (None, RENAME)}},
    "the multipart request specification": {
        "files": {
            "operations": (None, orjson.dumps({"query": RENAME}).decode()),
            "map": (None, "{}"),
        }
    },
    "plain text": {"content": orjson.dumps({"query": RENAME}), "type": "text/plain"},
    "plain text that says JSON": {
        "content": orjson.dumps({"query": RENAME}),
        "type": "text/plain; application/json",
    },
    "no type": {"content": orjson.dumps({"query": RENAME}), "type": None},
    "an empty type": {"content": orjson.dumps({"query": RENAME}), "type": ""},
    "GraphQL itself": {"content": RENAME.encode(), "type": "application/graphql"},
    "XML": {"content": b"<query/>", "type": "application/xml"},
    "bytes": {"content": RENAME.encode(), "type": "application/octet-stream"},
    "another JSON": {"content": orjson.dumps({"query": RENAME}), "type": "text/json"},
    "JSON in UTF-7": {
        "content": orjson.dumps({"query": RENAME}),
        "type": "application/json; charset=utf-7",
    },
    "JSON in UTF-16": {
        "content": f'{{"query": "{RENAME[:8]}"}}'.encode("utf-16"),
        "type": "application/json; charset=utf-16",
    },
    "two types": {
        "content": orjson.dumps({"query": RENAME}),
        "type": "text/plain, application/json",
    },
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_mutation_is_taken_as_json_alone(target: Target, name: str) -> None:
    request = dict(FORGED[name])
    headers = {"origin": f"https://{EVIL}", "sec-fetch-site": "cross-site"}
    if "type" in request and (media_type := request.pop("type")) is not None:
        headers["content-type"] = media_type
    before = await everything_kept()
    response = await target.send(by="member", headers=headers, **request)
    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await everything_kept() == before


async def test_a_mutation_is_taken_by_post_alone(target: Target) -> None:
    before = await everything_kept()
    in_the_address, in_the_body = {"params": {"query": RENAME}}, {"json": {"query": RENAME}}
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        ways: list[dict[str, Any]] = [in_the_address, {**in_the_address, **in_the_body}]
        # The body of a GET is not looked at, so it would name no query at all.
        for request in ways if method == "GET" else [*ways, in_the_body]:
            response = await target.send(by="member", method=method, **request)
            assert response.status_code == 405, method
    assert await everything_kept() == before


OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override", "_method")


async def test_no_header_makes_another_method_of_it(target: Target) -> None:
    before = await everything_kept()
    for header in OVERRIDES:
        response = await target.send(
            by="member",
            method="GET",
            headers={header: "POST", "content-type": "application/json"},
            params={"query": RENAME, "_method": "POST"},
        )
        assert response.status_code == 405
        response = await target.send(
            method="POST", headers={header: "GET"}, json={"query": "{ __typename }"}
        )
        assert response.json() == {"data": {"__typename": "Query"}}
        response = await target.send(method="GET", path="/livez", headers={header: "DELETE"})
        assert response.status_code == 200
    assert await everything_kept() == before


async def test_a_token_counts_in_its_header_alone(target: Target) -> None:
    """Whatever a browser sends by itself, or a link can carry, is no token."""
    token = target.tokens["member"]
    query = {"query": "{ me { id } }"}
    for request in (
        {"headers": {"cookie": f"token={token}; access_token={token}; authorization={token}"}},
        {"params": {"access_token": token, "token": token}},
        {"headers": {"x-access-token": str(token), "x-api-key": str(token)}},
    ):
        response = await target.send(json=query, **request)
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    for scheme in ("Basic", "Token", "bearer:", "Bearer Bearer"):
        headers = {"authorization": f"{scheme} {token}"}
        response = await target.send(json=query, headers=headers)
        assert response.status_code == 401


FORWARDED = {
    "host": EVIL,
    "x-forwarded-host": EVIL,
    "x-forwarded-server": EVIL,
    "x-original-host": EVIL,
    "forwarded": f"host={EVIL};proto=http",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "x-forwarded-prefix": f"//{EVIL}",
    "referer": f"https://{EVIL}/",
    "origin": f"https://{EVIL}",
}
PATHS = ("/livez", "/readyz", "/.well-known/jwks.json", "/graphql", "/nothing", "/graphql/", "//")


@pytest.mark.parametrize("path", PATHS)
async def test_a_host_of_their_own_is_neither_believed_nor_repeated(
    target: Target, path: str
) -> None:
    for headers in (FORWARDED, *({name: value} for name, value in FORWARDED.items())):
        response = await target.send(method="GET", path=path, headers=headers)
        assert EVIL not in f"{response.headers} {response.text}"
        assert not response.is_redirect


async def test_nothing_redirects(target: Target) -> None:
    for path in (
        f"//{EVIL}",
        f"//{EVIL}/%2e%2e",
        f"/\\{EVIL}",
        f"/%5c{EVIL}",
        f"/%2f%2f{EVIL}",
        f"/graphql//{EVIL}",
        "/graphql/",
        "/livez/",
        "/./graphql/../livez/",
        f"/redirect?url=https://{EVIL}",
        f"/graphql?next=https://{EVIL}&return_to=//{EVIL}",
    ):
        answer = await target.raw(f"GET {path} HTTP/1.1".encode(), b"host: x")
        status = int(answer.split()[1])
        assert status in {404, 405, 400}, (path, answer)
        assert b"location:" not in answer.lower()
        assert EVIL.encode() not in answer


REQUEST_IDS = (
    "a b",
    "a\tb",
    "<script>alert(1)</script>",
    '"; drop table x',
    "x" * 129,
    "{{7*7}}",
    "%0d%0aset-cookie:a=b",
    "..\\..\\",
    "a;b",
    "",
)


async def test_a_request_id_is_repeated_only_if_it_is_one(target: Target) -> None:
    for sent in REQUEST_IDS:
        response = await target.send(json={"query": "{ nothing }"}, headers={"x-request-id": sent})
        answered = response.headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", answered), sent
        assert response.json()["errors"][0]["extensions"]["requestId"] == answered
    for raw in (b"a\x00b", b"\xff\xfe", b"a\x7fb", "请求".encode(), b"a\x1b[31mb"):
        answer = await target.raw(b"GET /livez HTTP/1.1", b"host: x", b"x-request-id: " + raw)
        assert raw not in answer
    good = await target.send(
        method="GET", path="/livez", headers={"x-request-id": "client-7/a=b+c:1"}
    )
    assert good.headers["x-request-id"] == "client-7/a=b+c:1"


BODY = b'{"query":"{__typename}"}'
HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"

# Requests whose end two servers in a row could see in different places: at most one is answered.
SMUGGLED: dict[str, tuple[list[bytes], bytes]] = {
    "length and chunks": (
        [b"content-length: 6", b"transfer-encoding: chunked"],
        b"0\r\n\r\n" + HIDDEN,
    ),
    "chunks and length": (
        [b"transfer-encoding: chunked", b"content-length: 4"],
        b"5c\r\n" + HIDDEN + b"\r\n0\r\n\r\n",
    ),
    "two lengths": ([b"content-length: 24", b"content-length: 0"], BODY + HIDDEN),
    "a length with a sign": ([b"content-length: +24"], BODY + HIDDEN),
    "a negative length": ([b"content-length: -1"], BODY),
    "a length in words": ([b"content-length: many"], BODY),
    "a list of lengths": ([b"content-length: 24, 0"], BODY + HIDDEN),
    "chunks of another spelling": ([b"transfer-encoding: xchunked"], b"0\r\n\r\n" + HIDDEN),
    "chunks with a space": ([b"transfer-encoding : chunked"], b"0\r\n\r\n" + HIDDEN),
    "chunks and identity": ([b"transfer-encoding: chunked, identity"], b"0\r\n\r\n" + HIDDEN),
    "a chunk of no number": ([b"transfer-encoding: chunked"], b"zz\r\nabc\r\n0\r\n\r\n"),
    "a header without a name": ([b": evil"], b""),
    "a folded header": ([b"x-a: b", b" c: d", b"content-length: 24"], BODY),
    "a NUL in a header": ([b"x-a: b\x00c"], b""),
    "a bare CR in a header": ([b"x-a: b\rset-cookie: a=b"], b""),
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_no_second_request_hides_in_the_first(target: Target, name: str) -> None:
    headers, body = SMUGGLED[name]
    answer = await target.raw(
        b"POST /graphql HTTP/1.1",
        b"host: x",
        b"content-type: application/json",
        *headers,
        body=body,
    )
    statuses = re.findall(rb"^HTTP/1\.1 (\d+)", answer, flags=re.MULTILINE)
    assert len(statuses) == 1, answer
    assert int(statuses[0]) < 500
    assert b"/hidden" not in answer
    assert b"set-cookie" not in answer.lower()


ODD_REQUESTS = {
    "HTTP/0.9": b"GET /livez",
    "another version": b"GET /livez HTTP/9.9",
    "no path": b"GET HTTP/1.1",
    "no method": b"/livez HTTP/1.1",
    "a method of words": b"DROP TABLE HTTP/1.1",
    "a connection to elsewhere": b"CONNECT evil.example:80 HTTP/1.1",
    "another server's address": b"GET http://evil.example/livez HTTP/1.1",
    "a NUL in the path": b"GET /livez\x00 HTTP/1.1",
    "an encoded NUL": b"GET /livez%00 HTTP/1.1",
    "bytes in the path": b"GET /\xff\xfe HTTP/1.1",
    "a broken escape": b"GET /%zz%f HTTP/1.1",
    "a path of 100 KB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1",
    "an upgrade": b"GET /graphql HTTP/1.1\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk",
    "HTTP/2 from the start": b"PRI * HTTP/2.0",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a header of 100 KB": b"GET /livez HTTP/1.1\r\nx-a: " + b"a" * 100_000,
    "5,000 headers": b"GET /livez HTTP/1.1" + b"".join(b"\r\nx-%d: a" % n for n in range(5_000)),
}


@pytest.mark.parametrize("name", ODD_REQUESTS)
async def test_an_odd_request_is_a_plain_refusal(target: Target, name: str) -> None:
    answer = await target.raw(ODD_REQUESTS[name], b"host: x")
    assert not re.match(rb"HTTP/1\.1 5", answer), answer[:200]
    assert b"Traceback" not in answer
    assert EVIL.encode() not in answer
    assert (await target.send(method="GET", path="/livez")).status_code == 200


ORIGINS = ("https://evil.example", "null", "https://gateway.test.evil.example", "http://127.0.0.1")


async def test_pages_of_other_origins_read_nothing(target: Target) -> None:
    for origin in ORIGINS:
        response = await target.send(json={"query": "{ __typename }"}, headers={"origin": origin})
        assert not [name for name in response.headers if name.startswith("access-control-")]
        preflight = await target.send(
            method="OPTIONS",
            headers={
                "origin": origin,
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization, content-type",
            },
        )
        assert preflight.status_code == 405
        assert not [name for name in preflight.headers if name.startswith("access-control-")]


ALL_KINDS_OF_ANSWERS: tuple[dict[str, Any], ...] = (
    {"json": {"query": "{ me { id } }"}, "by": "member"},
    {"json": {"query": "{ nothing }"}},
    {"json": []},
    {"method": "GET", "path": "/nothing"},
    {"method": "GET", "path": "/livez"},
    {"method": "DELETE"},
)


async def test_every_answer_tells_browsers_and_caches_what_not_to_do(target: Target) -> None:
    for request in ALL_KINDS_OF_ANSWERS:
        headers = (await target.send(**request)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
    jwks = await target.send(method="GET", path="/.well-known/jwks.json")
    assert jwks.headers["cache-control"] == "public, max-age=300"
    assert {key for one in jwks.json()["keys"] for key in one} == {
        "kty", "crv", "x", "kid", "use", "alg"}  # fmt: skip


FORGED_LINES = (
    'a\n{"event": "forged"}',
    "a\r\nforged",
    "a\x1b[2J\x1b[31mforged",
    "a\u2028forged",
    'a", "event": "forged',
)


async def test_no_line_of_the_log_can_be_forged(
    target: Target, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    for text in FORGED_LINES:
        quoted = str(httpx.QueryParams({"x": text}))[2:]
        await target.send(method="GET", path=f"/{quoted}?{quoted}", headers={"user-agent": quoted})
        body = {"query": "{ __typename }", "operationName": text}
        await target.send(json=body, headers={"x-apollo-operation-name": quoted})
        await target.send(json={"query": f"query {{ node(id: {orjson.dumps(text).decode()}) }}"})
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) >= 3 * len(FORGED_LINES)
    for line in lines:
        assert orjson.loads(line)["event"] == "request"
        assert line.isascii()
        assert line.isprintable()


async def test_zero_findings(target: Target, tally: Callable[[str, int, int], None]) -> None:
    """Of the whole module: each test asserts its own."""
    tally("security probes of HTTP, 0 findings", target.probes, 220)
    assert target.findings == []
