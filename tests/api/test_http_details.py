"""Finer points of HTTP: negotiation, slow and long requests, Vary, compression, other origins."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api.cors import ALLOWED_HEADERS
from api.transport import accepts_gzip
from tests.api.documents import error_of, get, persisted, post
from tests.api.gateway import Gateway, development_settings, open_gateway, production_settings

GRAPHQL_JSON = "application/graphql-response+json"
PING, PONG = "{ping}", {"data": {"ping": "pong"}}
LONG = "query($t:String){echo(given:{text:$t}){text}}"
VARY = "Accept, Accept-Language, Authorization, Accept-Encoding"


# Negotiation


@pytest.mark.parametrize(
    ("accept", "status", "content_type"),
    [
        ("text/html", 406, "application/json"),
        ("image/*, text/plain;q=0.5", 406, "application/json"),
        ("application/json;q=0", 406, "application/json"),
        ("application/json;q=0, */*", 200, "application/json"),
        ("*/*;q=0", 406, "application/json"),
        ("application/xml, application/*;q=0.1", 200, "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", 200, "application/json"),
        (f"{GRAPHQL_JSON}, application/json;q=0.9", 200, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.9, */*", 200, "application/json"),
        (f"{GRAPHQL_JSON};q=0.9, */*;q=0.9", 200, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON};q=0.9, application/*, */*;q=0.1", 200, "application/json"),
        (" ", 200, "application/json"),
    ],
)
async def test_the_accept_header_decides(
    gateway: Gateway, accept: str, status: int, content_type: str
) -> None:
    response = await gateway.post(PING, headers={"accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"] == f"{content_type}; charset=utf-8"
    if status == 406:
        assert error_of(response)[0] == "NOT_ACCEPTABLE"
    else:
        assert response.json() == PONG


async def test_nothing_runs_whose_answer_cannot_be_read(gateway: Gateway) -> None:
    refused = await gateway.post("{", headers={"accept": "text/html"})
    assert error_of(refused)[0] == "NOT_ACCEPTABLE"


@pytest.mark.parametrize(
    ("accept_encoding", "can"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZip;q=0.5, br", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("br, deflate", False),
        ("identity", False),
    ],
)
def test_who_can_read_gzip(accept_encoding: str | None, can: bool) -> None:
    assert accepts_gzip(accept_encoding) is can


async def test_empty_parameters_of_a_get_count_as_left_out(gateway: Gateway) -> None:
    parameters = {"query": PING, "operationName": "", "variables": "", "extensions": ""}
    response = await gateway.http.get("/graphql", params={**parameters, "documentId": ""})
    assert response.json() == PONG


# Slow and long requests


async def test_a_body_that_comes_slowly_is_408(tmp_path: Path) -> None:
    settings = development_settings(limits={"body_s_max": 0.05})
    async with open_gateway(settings, tmp_path) as gateway:
        stalled = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b'{"query":'
            await stalled.wait()

        headers = {"content-type": "application/json"}
        response = await gateway.http.post("/graphql", content=slow(), headers=headers)
        assert (response.status_code, error_of(response)) == (
            408,
            ("REQUEST_TIMEOUT", "The body did not come within 0.05 seconds."),
        )
        assert response.headers["connection"] == "close"
        assert await gateway.data(PING) == {"ping": "pong"}


async def test_a_query_string_may_have_16_kb_and_no_more(gateway: Gateway) -> None:
    path = f"/graphql?query={PING}&x="
    longest = path + "x" * (16 * 1024 - len(path) + len("/graphql?"))
    assert (await gateway.http.get(longest)).json() == PONG
    refused = await gateway.http.get(longest + "x")
    assert (refused.status_code, error_of(refused)[0]) == (414, "URI_TOO_LONG")
    assert refused.json()["errors"][0]["extensions"]["limit"] == 16_384


# Vary and Cache-Control


async def test_answers_say_what_they_differ_by(gateway: Gateway) -> None:
    json_type = {"content-type": "application/json"}
    for response in (
        await gateway.post(PING),
        await get(gateway, query=PING),
        await gateway.post("{nope}"),
    ):
        assert response.headers["vary"] == VARY
    for fault in (
        await gateway.http.post("/graphql", content=b"{", headers=json_type),
        await gateway.http.put("/graphql"),
        await gateway.post(PING, headers={"authorization": "Bearer x"}),
        await gateway.post(PING, headers={"accept": "text/html"}),
    ):
        assert fault.headers["vary"] == "Accept, Accept-Language, Authorization"


async def test_no_cache_keeps_an_answer_without_a_tag(gateway: Gateway) -> None:
    for members in ({"query": PING}, {"extensions": persisted("{about}")}, {"query": "{nope}"}):
        response = await get(gateway, **members)
        assert response.headers["cache-control"] == "no-store"
        assert "etag" not in response.headers


# Compression


def packed(body: bytes) -> bool:
    return body.startswith(b"\x1f\x8b")


async def answered(gateway: Gateway, size: int, **headers: str) -> Any:
    """The answer to a query whose body has exactly so many bytes, as it went over the wire."""
    text = "x" * (size - len(b'{"data":{"echo":{"text":""}}}'))
    body = {"query": LONG, "variables": {"t": text}}
    async with gateway.http.stream("POST", "/graphql", json=body, headers=headers) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    plain = gzip.decompress(raw) if packed(raw) else raw
    assert len(plain) == size
    assert response.headers["content-length"] == str(len(raw))
    assert (response.headers.get("content-encoding") == "gzip") is packed(raw)
    assert "Accept-Encoding" in response.headers["vary"]
    return raw


async def test_long_answers_are_compressed_for_who_can_read_them(gateway: Gateway) -> None:
    asks = {"accept-encoding": "gzip"}
    assert not packed(await answered(gateway, 1_023, **asks))
    assert packed(await answered(gateway, 1_024, **asks))
    assert not packed(await answered(gateway, 9_000, **{"accept-encoding": "identity"}))
    assert await answered(gateway, 5_000, **asks) == await answered(gateway, 5_000, **asks)


async def test_the_least_size_is_a_setting_and_none_is_off(tmp_path: Path) -> None:
    asks = {"accept-encoding": "gzip"}
    async with open_gateway(development_settings(compression_bytes_min=50), tmp_path) as gateway:
        assert packed(await answered(gateway, 50, **asks))
    async with open_gateway(development_settings(compression_bytes_min=0), tmp_path) as gateway:
        response = await gateway.post(LONG, {"t": "x" * 5_000}, headers=asks)
        assert "content-encoding" not in response.headers
        assert "Accept-Encoding" not in response.headers["vary"]


async def test_answers_to_mutations_may_carry_tokens_and_are_not_compressed(
    tmp_path: Path,
) -> None:
    settings = development_settings(compression_bytes_min=1)
    asks = {"accept-encoding": "gzip"}
    async with open_gateway(settings, tmp_path) as gateway:
        query = await gateway.post(PING, headers=asks)
        mutation = await gateway.post("mutation{knock{userErrors{code}}}", headers=asks)
    assert query.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in mutation.headers


async def test_a_tag_stands_for_the_answer_compressed_or_not(gateway: Gateway) -> None:
    long = {"extensions": persisted(LONG), "variables": {"t": "x" * 2_000}}
    await post(gateway, query=LONG, **long)
    plain, small = [
        await get(gateway, {"accept-encoding": encoding}, **long)
        for encoding in ("identity", "gzip")
    ]
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert plain.json() == small.json()
    assert plain.headers["etag"] == small.headers["etag"]
    shown = {"if-none-match": plain.headers["etag"], "accept-encoding": "gzip"}
    unchanged = await get(gateway, shown, **long)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["vary"] == VARY
    assert "content-encoding" not in unchanged.headers


# Other origins


ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


@pytest.fixture(params=["development", "production"])
async def open_to(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that pages of one origin may call."""
    make = development_settings if request.param == "development" else production_settings
    async with open_gateway(make(cors_origins=(ORIGIN,)), tmp_path) as opened:
        yield opened


def cors(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control")}


async def test_no_page_of_another_origin_may_call_by_default(gateway: Gateway) -> None:
    headers = {"origin": ORIGIN}
    preflight = await gateway.http.options("/graphql", headers={**headers, **PREFLIGHT})
    assert preflight.status_code == 405
    answer = await gateway.post(PING, headers=headers)
    assert answer.json() == PONG
    for response in (preflight, answer):
        assert cors(response.headers) == {}
        assert "Origin" not in response.headers["vary"]


async def test_a_page_of_an_allowed_origin_may_call(open_to: Gateway) -> None:
    headers = {"origin": ORIGIN}
    preflight = await open_to.http.options("/graphql", headers={**headers, **PREFLIGHT})
    assert (preflight.status_code, preflight.content) == (204, b"")
    assert cors(preflight.headers) == {
        "access-control-allow-origin": ORIGIN,
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": ALLOWED_HEADERS,
        "access-control-max-age": "7200",
    }
    assert preflight.headers["vary"] == "Origin"
    allowed = {name.lower() for name in ALLOWED_HEADERS.split(", ")}
    assert {"authorization", "content-type", "if-none-match", "x-request-id"} <= allowed
    for response in (
        await open_to.post(PING, headers=headers),
        await open_to.post("{", headers=headers),
        await open_to.post(PING, headers={**headers, "authorization": "Bearer x"}),
        await open_to.http.put("/graphql", headers=headers),
        await open_to.http.get("/nowhere", headers=headers),
        await open_to.http.get("/.well-known/jwks.json", headers=headers),
    ):
        assert cors(response.headers) == {
            "access-control-allow-origin": ORIGIN,
            "access-control-expose-headers": (
                "ETag, Retry-After, Server-Timing, WWW-Authenticate, X-Request-Id"
            ),
        }
        assert "Origin" in response.headers["vary"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://app.example.com"]
)
async def test_a_page_of_any_other_origin_reads_nothing(open_to: Gateway, origin: str) -> None:
    headers = {"origin": origin}
    preflight = await open_to.http.options("/graphql", headers={**headers, **PREFLIGHT})
    assert preflight.status_code == 405
    for response in (preflight, await open_to.post(PING, headers=headers)):
        assert cors(response.headers) == {}
        assert "Origin" in response.headers["vary"]


async def test_who_sends_no_origin_is_told_that_answers_differ_by_it(open_to: Gateway) -> None:
    response = await open_to.post(PING)
    assert cors(response.headers) == {}
    assert "Origin" in response.headers["vary"]


async def test_every_origin_may_be_allowed(tmp_path: Path) -> None:
    async with open_gateway(development_settings(cors_origins=("*",)), tmp_path) as gateway:
        headers = {"origin": "https://anybody.example"}
        for response in (
            await gateway.http.options("/graphql", headers={**headers, **PREFLIGHT}),
            await gateway.post(PING, headers=headers),
        ):
            assert response.headers["access-control-allow-origin"] == "*"
            assert "Origin" not in response.headers.get("vary", "")


@pytest.mark.parametrize("origin", ["app.example.com", "https://a.example/", "https://*.a", "null"])
def test_what_is_no_origin_is_no_setting(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin like"):
        development_settings(cors_origins=(origin,))
