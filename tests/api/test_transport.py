"""Negotiation and JSON: what headers and bodies mean."""

from __future__ import annotations

import pytest

from api.transport import (
    GRAPHQL_JSON,
    JSON,
    TransportFault,
    parse_json,
    require_json,
    response_language,
    response_media_type,
)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, JSON),
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/*", JSON),
        ("text/html", JSON),
        ("application/graphql-response+json", GRAPHQL_JSON),
        ("APPLICATION/GraphQL-Response+JSON; charset=utf-8", GRAPHQL_JSON),
        ("application/graphql-response+json, application/json;q=0.9", GRAPHQL_JSON),
        ("application/json, application/graphql-response+json", GRAPHQL_JSON),
        ("application/graphql-response+json;q=0.5, application/json", JSON),
        ("application/graphql-response+json;q=0", JSON),
        ("application/graphql-response+json;q=oops", JSON),
        (",,;;q=,", JSON),
    ],
)
def test_the_media_type_of_the_answer(accept: str | None, media_type: str) -> None:
    assert response_media_type(accept) == media_type


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        (None, "zh"),
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en", "en"),
        ("en-GB", "en"),
        ("EN-us,en;q=0.9,zh-CN;q=0.8", "en"),
        ("en;q=0.5, zh;q=0.5", "zh"),
        ("fr-FR, en;q=0.3", "en"),
        ("fr", "zh"),
        ("*", "zh"),
        ("en;q=0", "zh"),
        ("english", "zh"),
    ],
)
def test_the_language_of_the_answer(accept_language: str | None, language: str) -> None:
    assert response_language(accept_language) == language


def test_no_more_than_20_parts_of_a_header_are_read() -> None:
    assert response_language(", ".join(["fr"] * 20 + ["en"])) == "zh"
    assert response_language(", ".join(["fr"] * 19 + ["en"])) == "en"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/json; profile=x",
    ],
)
def test_json_in_utf8_is_taken(content_type: str) -> None:
    require_json(content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/jsonp",
        "text/plain; application/json",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=gbk",
    ],
)
def test_any_other_body_is_refused(content_type: str | None) -> None:
    with pytest.raises(TransportFault) as caught:
        require_json(content_type)
    assert (caught.value.status_code, caught.value.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 1} x',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        "",
    ],
    ids=lambda text: str(text[:8]),
)
def test_what_is_no_json_is_refused(text: bytes | str) -> None:
    with pytest.raises(TransportFault) as caught:
        parse_json(text)
    assert (caught.value.status_code, caught.value.code) == (400, "BAD_REQUEST")
    assert caught.value.reason == "The request is not valid JSON."


@pytest.mark.parametrize(
    "text",
    [
        b'{"variables": {"a": ["x", {"b": "c\\u0000d"}]}}',
        b'{"\\u0000": 1}',
        '"\\u0000"',
    ],
)
def test_a_nul_anywhere_is_refused(text: bytes | str) -> None:
    with pytest.raises(TransportFault) as caught:
        parse_json(text)
    assert (caught.value.status_code, caught.value.code) == (400, "BAD_USER_INPUT")


def test_a_backslash_before_u0000_is_text() -> None:
    assert parse_json(b'"\\\\u0000"') == "\\u0000"


def test_emoji_and_right_to_left_text_come_through() -> None:
    assert parse_json('"\\ud83d\\ude00 😀 مرحبا \u202e"') == "😀 😀 مرحبا \u202e"
