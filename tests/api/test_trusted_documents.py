"""Documents of a manifest: checked at the start, asked by hash, for some callers all there is."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from api.persisted.manifest import ManifestRefused, read_manifest
from domain.access import CallerKind
from schema import documents
from tests.api.documents import error_of, get, persisted, post, sha256
from tests.api.gateway import (
    Gateway,
    development_settings,
    open_gateway,
    production_settings,
)
from tests.schema.sample import build_sample

PONG = {"data": {"ping": "pong"}}
TRUSTED = "query Trusted {\n  ping\n}"
MINE = "query Mine { me { phone } }"
KNOCK = "mutation Knock { knock { userErrors { code } } }"
OTHER = "{ping}"


def manifest(folder: Path, *texts: str, prefix: str = "sha256:") -> Path:
    """A manifest of these documents, as the client preset writes it."""
    path = folder / "persisted-documents.json"
    entries = {f"{prefix}{sha256(text)}": text for text in texts}
    path.write_bytes(orjson.dumps(entries, option=orjson.OPT_INDENT_2))
    return path


@pytest.fixture(params=["development", "production"])
async def trusting(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway that holds members and who has no token to its manifest."""
    chosen = {"manifest": manifest(tmp_path, TRUSTED, MINE, KNOCK), "trusted_only": True}
    make = development_settings if request.param == "development" else production_settings
    async with open_gateway(make(documents=chosen), tmp_path) as opened:
        yield opened


TRUSTED_NAMED: list[dict[str, Any]] = [
    {"documentId": f"sha256:{sha256(TRUSTED)}"},
    {"documentId": sha256(TRUSTED)},
    {"extensions": persisted(TRUSTED)},
    {"query": TRUSTED, "extensions": persisted(TRUSTED)},
    {"query": TRUSTED},
]
NOT_TRUSTED: list[dict[str, Any]] = [
    {"query": OTHER},
    {"query": OTHER, "extensions": persisted(OTHER)},
    {"extensions": persisted(OTHER)},
    {"documentId": sha256(OTHER)},
    {"query": TRUSTED + " "},
    {"query": "{__schema{queryType{name}}}"},
    {"query": "mutation{knock{userErrors{code}}}"},
    {"query": "{nope"},
]


@pytest.mark.parametrize("ask", [post, get])
async def test_a_trusted_document_is_run_however_it_is_named(trusting: Gateway, ask: Any) -> None:
    for headers in ({}, trusting.token()):
        for named in TRUSTED_NAMED:
            response = await ask(trusting, headers, **named)
            assert (response.status_code, response.json()) == (200, PONG), named


@pytest.mark.parametrize(
    ("accept", "status"), [("application/json", 200), ("application/graphql-response+json", 403)]
)
async def test_members_and_the_anonymous_run_nothing_else(
    trusting: Gateway, accept: str, status: int
) -> None:
    # What somebody else has sent with its hash is kept, and is not trusted for that.
    shop = trusting.token(CallerKind.SHOP)
    await post(trusting, shop, query=OTHER, extensions=persisted(OTHER))
    for named in NOT_TRUSTED:
        for headers in ({}, trusting.token()):
            for ask in (post, get):
                response = await ask(trusting, {**headers, "accept": accept}, **named)
                refusal = (response.status_code, error_of(response)[0])
                assert refusal == (status, "DOCUMENT_NOT_TRUSTED"), named


async def test_others_may_send_what_they_like(trusting: Gateway) -> None:
    for kind in (CallerKind.SHOP, CallerKind.PARTNER, CallerKind.STAFF):
        token = trusting.token(kind)
        assert (await post(trusting, token, query=OTHER)).json() == PONG
    shop = trusting.token(CallerKind.SHOP)
    assert (await post(trusting, shop, query=OTHER, extensions=persisted(OTHER))).json() == PONG
    assert (await post(trusting, shop, extensions=persisted(OTHER))).json() == PONG


async def test_a_trusted_hash_with_another_text_is_a_mismatch(trusting: Gateway) -> None:
    response = await post(trusting, query=OTHER, extensions=persisted(TRUSTED))
    assert error_of(response)[0] == "PERSISTED_QUERY_MISMATCH"


async def test_a_request_without_a_document_is_400(trusting: Gateway) -> None:
    response = await post(trusting, variables={})
    assert (response.status_code, error_of(response)[0]) == (400, "BAD_REQUEST")


async def test_trust_is_no_admission(trusting: Gateway) -> None:
    response = await post(trusting, documentId=sha256(MINE))
    assert error_of(response)[0] == "UNAUTHENTICATED"
    allowed = await post(trusting, trusting.token(), documentId=sha256(MINE))
    assert "errors" not in allowed.json()


async def test_get_runs_no_trusted_mutation(trusting: Gateway) -> None:
    response = await get(trusting, trusting.token(), documentId=sha256(KNOCK))
    assert (response.status_code, error_of(response)[0]) == (405, "METHOD_NOT_ALLOWED")


async def test_whom_it_concerns_is_a_setting(tmp_path: Path) -> None:
    chosen = {
        "manifest": manifest(tmp_path, TRUSTED),
        "trusted_only": True,
        "trusted_only_for": ["shop"],
    }
    async with open_gateway(development_settings(documents=chosen), tmp_path) as gateway:
        assert (await post(gateway, query=OTHER)).json() == PONG
        refused = await post(gateway, gateway.token(CallerKind.SHOP), query=OTHER)
        assert error_of(refused)[0] == "DOCUMENT_NOT_TRUSTED"


async def test_a_manifest_alone_holds_nobody_to_it(tmp_path: Path) -> None:
    chosen = {"manifest": manifest(tmp_path, TRUSTED, prefix="")}
    async with open_gateway(development_settings(documents=chosen), tmp_path) as gateway:
        assert (await post(gateway, documentId=sha256(TRUSTED))).json() == PONG
        assert (await post(gateway, query=OTHER)).json() == PONG


async def test_trusted_documents_are_parsed_and_validated_once_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"manifest": manifest(tmp_path, TRUSTED)}
    settings = development_settings(documents=chosen, limits={"kept_tokens_max": 1})
    async with open_gateway(settings, tmp_path) as gateway:
        work: list[str] = []
        for name in ("parse", "validate", "document_needs"):
            done = getattr(documents, name)

            def counted(*given: Any, _name: str = name, _done: Any = done, **more: Any) -> Any:
                work.append(_name)
                return _done(*given, **more)

            monkeypatch.setattr(documents, name, counted)
        for _ in range(3):
            assert (await post(gateway, documentId=sha256(TRUSTED))).json() == PONG
        assert work == []
        assert (await post(gateway, query=OTHER)).json() == PONG
        assert work.count("parse") == 1


# What is wrong with a manifest is told at the start


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "not an object of documents by their SHA-256"),
        (b"{}", "not an object of documents by their SHA-256"),
        (orjson.dumps({"md5:0123": "{ping}"}), "'md5:0123' is no SHA-256 of a document"),
        (orjson.dumps({sha256("{ping}"): 5}), "names something else than a text"),
        (
            orjson.dumps({f"sha256:{sha256('{ping}')}": "{about}"}),
            f"sha256:{sha256('{ping}')} names a text whose SHA-256 is {sha256('{about}')}",
        ),
        (
            orjson.dumps({sha256("{nope}"): "{nope}"}),
            f"{sha256('{nope}')} cannot run here: Cannot query field 'nope' on type 'Query'.",
        ),
        (
            orjson.dumps({sha256("{ping"): "{ping"}),
            f"{sha256('{ping')} cannot run here: Syntax Error: Expected Name, found <EOF>.",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_manifest_that_cannot_be_served_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(ManifestRefused, match=re.escape(str(path))) as refusal:
        read_manifest(path, schema=build_sample())
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)


async def test_the_server_does_not_start_with_it(tmp_path: Path) -> None:
    settings = development_settings(documents={"manifest": tmp_path / "none.json"})
    with pytest.raises(SystemExit, match=r"none\.json: No such file or directory"):
        async with open_gateway(settings, tmp_path):
            pytest.fail("it started")


def test_trusted_documents_only_need_a_manifest() -> None:
    with pytest.raises(ValidationError, match="JIFEN_DOCUMENTS__MANIFEST"):
        development_settings(documents={"trusted_only": True})
