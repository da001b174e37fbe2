"""Automatic persisted queries, and `documentId`: by POST and by GET, over the real application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.access import CallerKind
from tests.api.documents import error_of, get, persisted, post, sha256
from tests.api.gateway import (
    Gateway,
    Parts,
    development_settings,
    open_gateway,
    production_settings,
)
from tests.schema.sample import WRITTEN

GRAPHQL_JSON = "application/graphql-response+json"
PING = "{ping}"
PONG = {"data": {"ping": "pong"}}
NOT_FOUND = ("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
KNOCK = "mutation{knock{userErrors{code}}}"
NAMED: list[dict[str, Any]] = [
    {"extensions": persisted(PING)},
    {"documentId": f"sha256:{sha256(PING)}"},
    {"documentId": sha256(PING)},
    {"documentId": f"sha256:{sha256(PING)}", "extensions": persisted(PING)},
    {"documentId": sha256(PING).upper()},
    {"query": PING, "extensions": persisted(PING)},
]


@pytest.fixture(params=["development", "production"])
async def either(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    """The gateway in development, and in production."""
    settings = development_settings() if request.param == "development" else production_settings()
    async with open_gateway(settings, tmp_path) as opened:
        yield opened


async def test_an_unknown_hash_is_told_as_apollos_clients_know_it(either: Gateway) -> None:
    for accept, status in (("application/json", 200), ("*/*", 200), (GRAPHQL_JSON, 404)):
        for ask in (post, get):
            for named in NAMED[:5]:
                response = await ask(either, {"accept": accept}, **named)
                assert (response.status_code, error_of(response)) == (status, NOT_FOUND)
                extensions = response.json()["errors"][0]["extensions"]
                assert extensions.keys() == {"code", "requestId"}


async def test_a_document_is_kept_once_it_came_with_its_hash(either: Gateway) -> None:
    first = await post(either, query=PING, extensions=persisted(PING))
    assert first.json() == PONG
    for ask in (post, get):
        for named in NAMED:
            response = await ask(either, **named)
            assert (response.status_code, response.json()) == (200, PONG), named


async def test_a_document_may_be_kept_by_its_document_id_too(either: Gateway) -> None:
    assert (await post(either, query=PING, documentId=sha256(PING))).json() == PONG
    assert (await get(either, extensions=persisted(PING))).json() == PONG


async def test_variables_and_operation_names_go_with_a_hash(either: Gateway) -> None:
    text = "query A($t:String){echo(given:{text:$t}){text}} query B{ping}"
    await post(either, query=text, operationName="B", extensions=persisted(text))
    for ask in (post, get):
        response = await ask(
            either, extensions=persisted(text), operationName="A", variables={"t": "嗨"}
        )
        assert response.json() == {"data": {"echo": {"text": "嗨"}}}


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (GRAPHQL_JSON, 400)])
async def test_a_text_that_is_not_the_hash_s_is_refused(
    either: Gateway, accept: str, status: int
) -> None:
    names: list[dict[str, Any]] = [{"extensions": persisted(PING)}, {"documentId": sha256(PING)}]
    for named in names:
        response = await post(either, {"accept": accept}, query="{about}", **named)
        assert (response.status_code, error_of(response)[0]) == (status, "PERSISTED_QUERY_MISMATCH")
    assert error_of(await post(either, extensions=persisted(PING))) == NOT_FOUND
    assert error_of(await post(either, extensions=persisted("{about}"))) == NOT_FOUND


MALFORMED: list[dict[str, Any]] = [
    {"extensions": {"persistedQuery": "x"}},
    {"extensions": {"persistedQuery": []}},
    {"extensions": {"persistedQuery": {}}},
    {"extensions": {"persistedQuery": {"version": 2, "sha256Hash": "0" * 64}}},
    {"extensions": {"persistedQuery": {"version": True, "sha256Hash": "0" * 64}}},
    {"extensions": {"persistedQuery": {"version": 1.0, "sha256Hash": "0" * 64}}},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": 5}}},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 63}}},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "g" * 64}}},
    {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "٠" * 64}}},
    {"documentId": "md5:0123"},
    {"documentId": "sha256:"},
    {"documentId": "sha256:sha256:" + "0" * 64},
    {"documentId": "0" * 64, "extensions": persisted(PING)},
]


@pytest.mark.parametrize("ask", [post, get])
async def test_what_names_no_document_is_400(gateway: Gateway, ask: Any) -> None:
    for named in MALFORMED:
        for accept in ("application/json", GRAPHQL_JSON):
            response = await ask(gateway, {"accept": accept}, **named)
            assert (response.status_code, error_of(response)[0]) == (400, "BAD_REQUEST"), named


async def test_null_names_nothing(gateway: Gateway) -> None:
    response = await post(gateway, query=PING, documentId=None, extensions={"persistedQuery": None})
    assert response.json() == PONG


@pytest.mark.parametrize("text", ["{ping", "{nope}", "{a:ping " * 12 + "}" * 12])
async def test_only_valid_documents_are_kept(either: Gateway, text: str) -> None:
    response = await post(either, query=text, extensions=persisted(text))
    assert list(response.json()) == ["errors"]
    assert error_of(await post(either, extensions=persisted(text))) == NOT_FOUND


async def test_a_document_is_kept_whoever_may_run_it(either: Gateway) -> None:
    text = "{staff{motto}}"
    refused = await post(either, query=text, extensions=persisted(text))
    assert error_of(refused)[0] == "UNAUTHENTICATED"
    staff = either.token(CallerKind.STAFF, roles=frozenset({"support"}))
    assert "errors" not in (await post(either, staff, extensions=persisted(text))).json()
    assert error_of(await post(either, extensions=persisted(text)))[0] == "UNAUTHENTICATED"


async def test_long_documents_are_not_kept(either: Gateway) -> None:
    longest = PING + " " * (16 * 1024 - len(PING))
    for text, is_kept in ((longest, True), (longest + " ", False)):
        assert (await post(either, query=text, extensions=persisted(text))).json() == PONG
        again = await post(either, extensions=persisted(text))
        assert (again.json() == PONG) is is_kept


# GET


async def test_get_keeps_nothing(gateway: Gateway) -> None:
    assert (await get(gateway, query=PING, extensions=persisted(PING))).json() == PONG
    assert error_of(await get(gateway, extensions=persisted(PING))) == NOT_FOUND


async def test_production_takes_get_for_known_documents_only(production: Gateway) -> None:
    async def refusal(**members: Any) -> httpx.Response:
        response = await get(production, **members)
        assert (response.status_code, error_of(response)[0]) == (405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == "POST"
        return response

    await refusal(query=PING)
    await refusal(query=PING, extensions=persisted(PING))
    await post(production, query=PING, extensions=persisted(PING))
    assert (await get(production, query=PING, extensions=persisted(PING))).json() == PONG
    await refusal(query=PING)  # Without the hash it is a text like any other.
    nothing = await get(production)
    assert (nothing.status_code, error_of(nothing)[0]) == (400, "BAD_REQUEST")


async def test_get_runs_no_mutation_that_is_kept(either: Gateway) -> None:
    await post(either, query=KNOCK, extensions=persisted(KNOCK))
    written = list(WRITTEN)
    for named in ({"extensions": persisted(KNOCK)}, {"documentId": sha256(KNOCK)}):
        response = await get(either, either.token(), **named)
        assert (response.status_code, error_of(response)[0]) == (405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == "POST"
    assert written == WRITTEN


# ETags over the sample: the real gateway's are in tests/graphql.


async def test_only_a_get_by_hash_has_a_tag(either: Gateway) -> None:
    await post(either, query=PING, extensions=persisted(PING))
    tagged = await get(either, extensions=persisted(PING))
    assert tagged.headers["etag"].startswith('W/"')
    assert tagged.headers["cache-control"] == "private, no-cache"
    by_post = await post(either, extensions=persisted(PING))
    assert "etag" not in by_post.headers
    assert by_post.headers["cache-control"] == "no-store"


async def test_who_shows_the_tag_gets_304(gateway: Gateway) -> None:
    await post(gateway, query=PING, extensions=persisted(PING))
    tag = (await get(gateway, extensions=persisted(PING))).headers["etag"]
    for shown in (tag, tag.removeprefix("W/"), f'"x", {tag}', f'{tag},W/"y"'):
        response = await get(gateway, {"if-none-match": shown}, extensions=persisted(PING))
        assert (response.status_code, response.content) == (304, b""), shown
        assert response.headers["etag"] == tag
        assert response.headers["cache-control"] == "private, no-cache"
        assert response.headers["vary"].startswith("Accept, Accept-Language, Authorization")
        assert "content-type" not in response.headers
    for shown in ("", "*", 'W/"x"', tag[:-2] + '"'):
        response = await get(gateway, {"if-none-match": shown}, extensions=persisted(PING))
        assert (response.status_code, response.json()) == (200, PONG), shown


async def test_a_tag_is_of_everything_that_the_answer_is_made_of(tmp_path: Path) -> None:
    about, echo = "{about}", "query A($t:String){echo(given:{text:$t}){text}} query B{ping}"
    parts = Parts()
    async with open_gateway(development_settings(), tmp_path, parts) as gateway:
        await post(gateway, query=about, extensions=persisted(about))
        await post(gateway, query=echo, operationName="A", extensions=persisted(echo))

        async def tag(
            text: str = about, headers: dict[str, str] | None = None, **members: Any
        ) -> str:
            response = await get(gateway, headers, extensions=persisted(text), **members)
            assert "errors" not in response.json()
            found: str = response.headers["etag"]
            return found

        member = gateway.token()
        tags = [
            await tag(),
            await tag(headers={"accept-language": "en"}),
            await tag(headers=member),
            await tag(headers=gateway.token(CallerKind.SHOP)),
            await tag(headers=gateway.token(CallerKind.SHOP, scopes=frozenset({"x"}))),
            await tag(variables={"t": "x"}),
            await tag(echo, operationName="A", variables={"t": "x"}),
            await tag(echo, operationName="A", variables={"t": "y"}),
            await tag(echo, operationName="A"),
            await tag(echo, operationName="B"),
        ]
        assert len(set(tags)) == len(tags)
        # Neither another token of the same caller nor the order of the variables makes another.
        assert await tag(headers=gateway.token()) == tags[2]
        assert await tag(echo, operationName="A", variables={"u": 1, "t": "x"}) == await tag(
            echo, operationName="A", variables={"t": "x", "u": 1}
        )
        changes: list[dict[str, Any]] = [
            {"member": 2},
            {"programme": 2},
            {"moments": (None, "x")},
            {"today": date(2026, 3, 2)},
        ]
        for change in changes:
            parts.revision = replace(parts.revision, **change)
            tags.append(await tag())
        assert len(set(tags)) == len(tags)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{ping broken}", "an error"),
        ("{nope}", "invalid"),
        ("{__schema{queryType{name}}}", "introspection"),
        ("{ping overflowing}", "reads what no revision covers"),
    ],
)
async def test_these_answers_have_no_tag(gateway: Gateway, text: str, why: str) -> None:
    response = await get(gateway, query=text, extensions=persisted(text))
    assert "etag" not in response.headers, why
    assert response.headers["cache-control"] == "no-store"


async def test_a_caller_who_may_not_read_it_gets_no_tag(gateway: Gateway) -> None:
    text = "{me{phone}}"
    assert (
        "etag"
        in (await get(gateway, gateway.token(), query=text, extensions=persisted(text))).headers
    )
    response = await get(gateway, query=text, extensions=persisted(text))
    assert error_of(response)[0] == "UNAUTHENTICATED"
    assert "etag" not in response.headers
