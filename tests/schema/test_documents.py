"""Documents: kept while there is room, limited, coded."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import GraphQLError

from schema.documents import DocumentLimits, Documents
from schema.faults import CodedError
from tests.schema.sample import build_sample

SCHEMA = build_sample()


def codes(errors: list[GraphQLError] | None) -> list[Any]:
    return [(error.extensions or {})["code"] for error in errors or []]


def test_a_valid_document_is_parsed_and_validated_once() -> None:
    schema = build_sample()
    query = "{ping}"
    assert schema.documents.kept(query) is None
    assert schema.execute_sync(query).data == {"ping": "pong"}
    first = schema.documents.kept(query)
    assert first is not None
    assert first.tokens == 5  # start, {, ping, }, end
    assert schema.execute_sync(query).data == {"ping": "pong"}
    assert schema.documents.kept(query) is first


@pytest.mark.parametrize("query", ["{nope}", "{ping", ""])
def test_a_document_that_is_refused_is_not_kept(query: str) -> None:
    schema = build_sample()
    documents = schema.documents
    if query:
        assert schema.execute_sync(query).errors
    assert documents.kept(query) is None


def test_a_document_that_the_caller_may_not_run_is_kept_and_refused_each_time() -> None:
    schema = build_sample()
    for _ in range(2):
        assert codes(schema.execute_sync("{me{phone}}").errors) == ["UNAUTHENTICATED"]
    assert schema.documents.kept("{me{phone}}") is not None


def test_room_is_counted_in_tokens_and_the_least_recently_used_makes_it() -> None:
    schema = build_sample(DocumentLimits(kept_tokens_max=17))
    for query in ("{a:ping}", "{ping}", "{a:ping}"):  # 7 and 5 tokens; the first is used again
        schema.execute_sync(query)
    schema.execute_sync("{ping ping}")  # 6 tokens, one too many
    kept = {
        query: schema.documents.kept(query) is not None
        for query in ("{a:ping}", "{ping}", "{ping ping}")
    }
    assert kept == {"{a:ping}": True, "{ping}": False, "{ping ping}": True}


def test_a_document_larger_than_all_room_is_run_and_not_kept() -> None:
    schema = build_sample(DocumentLimits(kept_tokens_max=4))
    assert schema.execute_sync("{ping}").data == {"ping": "pong"}
    assert schema.documents.kept("{ping}") is None


def test_long_texts_take_room_though_they_are_few_tokens() -> None:
    """A comment of any length is one token, and stands in memory all the same."""
    schema = build_sample(DocumentLimits(kept_tokens_max=1_000))
    queries = [f"{{ping}} #{number}{'x' * 30_000}" for number in range(10)]
    for query in queries:
        assert schema.execute_sync(query).data == {"ping": "pong"}
    kept = [query for query in queries if schema.documents.kept(query) is not None]
    assert kept == queries[-3:]


def test_the_characters_of_a_document_are_limited_before_it_is_read() -> None:
    documents = Documents(limits=DocumentLimits(characters_max=10))
    documents.parse("{ping}    ")
    with pytest.raises(CodedError) as caught:
        documents.parse("{ping}     ")
    assert codes([caught.value]) == ["TOKEN_LIMIT"]


def test_tokens_and_comments_are_limited_while_parsing() -> None:
    documents = Documents(limits=DocumentLimits(tokens_max=3))
    documents.parse("{ping}")
    for query in ("{ping ping}", "{ping}" + "#\n" * 4):
        with pytest.raises(CodedError) as caught:
            documents.parse(query)
        assert codes([caught.value]) == ["TOKEN_LIMIT"]


def test_a_syntax_error_tells_where() -> None:
    with pytest.raises(CodedError) as caught:
        Documents(limits=DocumentLimits()).parse("{ping\n  }}")
    assert caught.value.formatted == {
        "message": "Syntax Error: Unexpected '}'.",
        "locations": [{"line": 2, "column": 4}],
        "extensions": {"code": "GRAPHQL_PARSE_FAILED"},
    }


@pytest.mark.parametrize("number", ["9" * 401, "-" + "9" * 20_000, "0." + "1" * 5_000])
def test_a_number_longer_than_any_is_refused_as_it_is_read(number: str) -> None:
    """Reckoning with it would end in words of Python."""
    with pytest.raises(CodedError) as caught:
        Documents(limits=DocumentLimits()).parse(f"{{echo(given:{{points:{number}}}){{points}}}}")
    assert caught.value.formatted == {
        "message": "Syntax Error: A number must not have more than 400 characters.",
        "locations": [{"line": 1, "column": 21}],
        "extensions": {"code": "GRAPHQL_PARSE_FAILED"},
    }


def test_digits_that_are_no_number_are_left_alone() -> None:
    documents = Documents(limits=DocumentLimits())
    documents.parse(f'{{echo(given:{{text:"{"9" * 500}",points:{"9" * 400}}}){{points}}}}')


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{nope}", "GRAPHQL_VALIDATION_FAILED"),
        ("{...F}", "GRAPHQL_VALIDATION_FAILED"),
        ("{ping{ping}}", "GRAPHQL_VALIDATION_FAILED"),
        ('{echo(given:{text:"a\\u0000b"}){text}}', "BAD_USER_INPUT"),
        ('{echo(given:{text:"a\\u{0}b"}){text}}', "BAD_USER_INPUT"),
        ('{echo(given:{text:"a\\uD800b"}){text}}', "GRAPHQL_PARSE_FAILED"),
        ("{echo(given:{points:9007199254740992}){points}}", "BAD_USER_INPUT"),
        ("{echo(given:{points:true}){points}}", "BAD_USER_INPUT"),
        ("{echo(given:5){points}}", "BAD_USER_INPUT"),
        ("{echo{points}}", "GRAPHQL_VALIDATION_FAILED"),
        ('{find(by:{id:"a",text:"b"})}', "BAD_USER_INPUT"),
        ("{find(by:{})}", "BAD_USER_INPUT"),
        (
            "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}",
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ],
)
def test_what_is_wrong_with_a_document_is_coded(query: str, code: str) -> None:
    assert set(codes(SCHEMA.execute_sync(query).errors)) == {code}


def test_no_more_errors_are_returned_than_the_limit() -> None:
    query = "{" + " ".join(f"nope{number}" for number in range(20)) + "}"
    assert len(SCHEMA.execute_sync(query).errors or []) == 5
