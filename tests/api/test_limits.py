"""Limits on documents: each with its code, one below and one above, and none that hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import get_introspection_query

from api.limits import document_limits
from api.settings import LimitSettings
from schema.documents import DocumentLimits
from tests.api.gateway import Gateway, development_settings, open_gateway
from tests.schema.sample import build_sample

SECONDS_MAX = 2.0
"""What even a hostile document of 2,000 tokens must stay under, on a slow machine."""


def nested(depth: int) -> str:
    """A query that selects so deep."""
    return "{" + "itself{" * (depth - 1) + "ping" + "}" * depth


def aliased(count: int) -> str:
    """A query with so many aliases."""
    return "{" + " ".join(f"a{number}:ping" for number in range(count)) + "}"


def directed(count: int) -> str:
    """A query with so many directives on one field."""
    return "{ping" + " @skip(if:false)" * count + "}"


def repeated(count: int) -> str:
    """A query that selects one field so often."""
    return "{" + "ping " * count + "}"


def tokens(count: int) -> str:
    """A query of so many tokens: 498 variables of four each, and a few fields."""
    fields = count - 498 * 4 - len(["query", "(", ")", "{", "}"])
    return "query(" + "$v:Int " * 498 + "){" + "ping " * fields + "}"


async def limit_error(gateway: Gateway, query: str) -> tuple[Any, Any]:
    """The code and the limit of the one error of this query."""
    answer = (await gateway.post(query)).json()
    assert "data" not in answer
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["extensions"].get("limit")


@pytest.mark.parametrize(
    ("make", "largest", "code"),
    [
        (nested, 10, "DEPTH_LIMIT"),
        (aliased, 30, "ALIAS_LIMIT"),
        (repeated, 30, "REPETITION_LIMIT"),
    ],
)
async def test_a_limit_is_reached_and_not_passed(
    gateway: Gateway, make: Callable[[int], str], largest: int, code: str
) -> None:
    assert "errors" not in (await gateway.post(make(largest))).json()
    assert await limit_error(gateway, make(largest + 1)) == (code, largest)


async def test_directives_are_counted_at_one_place(gateway: Gateway) -> None:
    # Five pass the limit, and are then refused for repeating one that may stand once.
    assert await gateway.code(directed(5)) == "GRAPHQL_VALIDATION_FAILED"
    assert await limit_error(gateway, directed(6)) == ("DIRECTIVE_LIMIT", 5)
    everywhere = "query @a @a @a @a @a @a{ping}", "{...@a @a @a @a @a @a{ping}}"
    for query in (*everywhere, "{...F @a @a @a @a @a @a} fragment F on Query{ping}"):
        assert await limit_error(gateway, query) == ("DIRECTIVE_LIMIT", 5)


async def test_tokens_and_comments_are_counted_while_parsing(gateway: Gateway) -> None:
    # 2,000 tokens pass the limit, and are then refused for their unused variables.
    assert await gateway.code(tokens(2_000)) == "GRAPHQL_VALIDATION_FAILED"
    assert await limit_error(gateway, tokens(2_001)) == ("TOKEN_LIMIT", None)
    assert "errors" not in (await gateway.post("{ping}" + "#\n" * 2_000)).json()
    assert await limit_error(gateway, "{ping}" + "#\n" * 2_001) == ("TOKEN_LIMIT", None)


@pytest.mark.parametrize(
    "query",
    [
        # 5 levels in the operation and 6 more in the fragment, one level in each of its spreads.
        "{itself{itself{itself{itself{...F}}}}} fragment F on Query" + nested(7),
        "{itself{...A}} fragment A on Query{itself{...B}} fragment B on Query" + nested(9),
        "{...on Query{itself{...on Query" + nested(10) + "}}}",
    ],
)
async def test_depth_is_counted_through_fragments(gateway: Gateway, query: str) -> None:
    assert await limit_error(gateway, query) == ("DEPTH_LIMIT", 10)


async def test_a_fragment_adds_no_depth_of_its_own(gateway: Gateway) -> None:
    query = "{...A} fragment A on Query{...B} fragment B on Query" + nested(10)
    assert "errors" not in (await gateway.post(query)).json()


async def test_aliases_are_counted_as_often_as_a_fragment_is_spread(gateway: Gateway) -> None:
    fragment = " fragment F on Query" + aliased(10)
    spread = "{itself{...F} b:itself{...F}%s}"
    assert "errors" not in (await gateway.post(spread % "" + fragment)).json()  # 21
    assert await limit_error(gateway, spread % " c:itself{...F}" + fragment) == ("ALIAS_LIMIT", 30)


async def test_repetitions_are_counted_by_response_name_and_through_inline_fragments(
    gateway: Gateway,
) -> None:
    assert await limit_error(gateway, "{" + "...{ping} " * 31 + "}") == ("REPETITION_LIMIT", 30)
    fragment = "fragment F on Query{ping}"
    assert await limit_error(gateway, "{" + "...F " * 31 + "}" + fragment) == (
        "REPETITION_LIMIT",
        30,
    )
    apart = "{itself{" + "ping " * 30 + "} ping " + "about " * 30 + "}"
    assert "errors" not in (await gateway.post(apart)).json()


MERGED_TOO_OFTEN = {
    "fields of one name in fragments": "{ping ...A ...B}"
    + f"fragment A on Query{{{'ping ' * 15}}} fragment B on Query{{{'ping ' * 15}}}",
    "fields below fields that are merged": "{" + ("itself{" + "ping " * 6 + "} ") * 6 + "}",
    "fields of fragments below fields": "{"
    + "itself{...A} " * 2
    + "itself{"
    + "ping " * 17
    + "}}"
    + f"fragment A on Query{{{'ping ' * 14}}}",
    "fragments": "{"
    + "".join(f"...F{number} " for number in range(31))
    + "}"
    + "".join(f"fragment F{number} on Query{{__typename}} " for number in range(31)),
    "fragments that spread fragments": "{...F0}"
    + "".join(f"fragment F{step} on Query{{...F{step + 1}}} " for step in range(30))
    + "fragment F30 on Query{ping}",
}


@pytest.mark.parametrize("name", list(MERGED_TOO_OFTEN))
async def test_what_is_merged_from_many_places_is_counted(gateway: Gateway, name: str) -> None:
    assert await limit_error(gateway, MERGED_TOO_OFTEN[name]) == ("REPETITION_LIMIT", 30)


async def test_thirty_may_be_merged(gateway: Gateway) -> None:
    fragments = "".join(f"fragment F{number} on Query{{ping}} " for number in range(30))
    spread = "".join(f"...F{number} " for number in range(30))
    thirty = f"{{{spread}}}{fragments}"
    assert (await gateway.post(thirty)).json() == {"data": {"ping": "pong"}}
    below = "{" + ("itself{" + "ping " * 5 + "} ") * 6 + "}"
    assert (await gateway.post(below)).json() == {"data": {"itself": {"ping": "pong"}}}
    # One and the same fragment is merged once, however often it is spread.
    again = "{" + "itself{...F} " * 20 + "}fragment F on Query{ping about}"
    assert "errors" not in (await gateway.post(again)).json()
    # Under other names they are other fields.
    apart = "{" + " ".join(f"a{number}:itself{{{'ping ' * 25}}}" for number in range(30)) + "}"
    assert "errors" not in (await gateway.post(apart)).json()


async def test_each_operation_is_measured_by_itself(gateway: Gateway) -> None:
    query = "query A{ping} query B" + nested(11)
    response = await gateway.post(query, operationName="A")
    assert response.json()["errors"][0]["extensions"]["code"] == "DEPTH_LIMIT"


async def test_several_limits_are_told_together_and_nothing_else(gateway: Gateway) -> None:
    query = nested(11)[:-1] + " nope " + aliased(31)[1:]
    answer = (await gateway.post(query)).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == [
        "DEPTH_LIMIT",
        "ALIAS_LIMIT",
    ]


async def test_introspection_is_exempt_from_depth(gateway: Gateway) -> None:
    data = await gateway.data(get_introspection_query())
    assert data["__schema"]["queryType"]["name"] == "Query"
    assert len(data["__schema"]["types"]) > 40
    # But not from graphql-core's own bound on circles.
    circle = "{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"
    assert await gateway.code(circle) == "GRAPHQL_VALIDATION_FAILED"


async def test_what_stands_beside_introspection_is_not_exempt(gateway: Gateway) -> None:
    query = "{__schema{queryType{name}} itself" + nested(10) + "}"
    assert await limit_error(gateway, query) == ("DEPTH_LIMIT", 10)


async def test_a_question_about_the_schema_alone_may_cost_as_much_as_a_batch(
    tmp_path: Path,
) -> None:
    types = "__schema{types{name fields{name}}}"
    limits = LimitSettings(cost_max=20, batch_cost_max=150)
    async with open_gateway(development_settings(limits=limits), tmp_path) as gateway:
        assert (await gateway.data(f"{{{types}}}"))["__schema"]["types"]
        for query in (f"{{ping {types}}}", f"{{a:{types} b:{types} c:{types} d:{types}}}"):
            assert await gateway.code(query) == "COST_LIMIT", query


HOSTILE = {
    "a circle of fragments": "{...A} fragment A on Query{...B} fragment B on Query{...A}",
    "a fragment in itself": "{...A} fragment A on Query{itself{...A}}",
    "doubling fragments": "{...F0}"
    + " ".join(
        f"fragment F{step} on Query{{a:itself{{...F{step + 1}}} b:itself{{...F{step + 1}}}}}"
        for step in range(80)
    )
    + " fragment F80 on Query{ping}",
    "a chain of fragments": "{...F0}"
    + " ".join(f"fragment F{step} on Query{{...F{step + 1}}}" for step in range(240))
    + " fragment F240 on Query{ping}",
    "200 levels": nested(200),
    "201 levels": nested(201),
    "900 levels": nested(900),
    "600 fields with fields": "{" + "itself{ping} " * 490 + "}",
    "30 times 30 fields": "{" + ("itself{" + "ping " * 30 + "} ") * 30 + "}",
    "29 times 29 fields with arguments": "{"
    + ("itself{" + 'noteKey(id:"a") ' * 11 + "} ") * 29
    + "}",
    "many unused variables": tokens(2_000),
    "many unknown fragments": "{" + " ".join(f"...F{step}" for step in range(660)) + "}",
    "many fields of one name in fragments": "{"
    + " ".join(f"...F{step}" for step in range(140))
    + "}"
    + " ".join(f"fragment F{step} on Query{{itself{{ping}}}}" for step in range(140)),
    "a long string": '{echo(given:{text:"' + "x" * 200_000 + '"}){fen}}',
    "many brackets": "{" * 1_900,
    "a deep value": "{echo(given:" + "[" * 900 + "]" * 900 + "){text}}",
}


@pytest.mark.parametrize("name", list(HOSTILE))
async def test_a_hostile_document_is_answered_soon(gateway: Gateway, name: str) -> None:
    started_at = time.perf_counter()
    response = await gateway.post(HOSTILE[name])
    seconds = time.perf_counter() - started_at
    assert response.status_code == 200
    codes = {error["extensions"]["code"] for error in response.json().get("errors", ())}
    assert "INTERNAL" not in codes
    assert seconds < SECONDS_MAX, f"{name}: {seconds:.2f} s, {codes}"


async def test_every_limit_is_a_setting(tmp_path: Path) -> None:
    limits = LimitSettings(
        body_bytes_max=1_000,
        tokens_max=40,
        depth_max=2,
        aliases_max=1,
        directives_max=0,
        repetitions_max=2,
        errors_max=1,
    )
    async with open_gateway(development_settings(limits=limits), tmp_path) as gateway:
        assert await limit_error(gateway, "{" + " " * 1_000 + "ping}") == ("BODY_TOO_LARGE", 1_000)
        assert await limit_error(gateway, repeated(40)) == ("TOKEN_LIMIT", None)
        assert await limit_error(gateway, nested(3)) == ("DEPTH_LIMIT", 2)
        assert await limit_error(gateway, aliased(2)) == ("ALIAS_LIMIT", 1)
        assert await limit_error(gateway, directed(1)) == ("DIRECTIVE_LIMIT", 0)
        assert await limit_error(gateway, repeated(3)) == ("REPETITION_LIMIT", 2)
        assert await limit_error(gateway, "{a b c}") == ("GRAPHQL_VALIDATION_FAILED", None)


async def test_at_most_five_errors_are_returned(gateway: Gateway) -> None:
    query = "{" + " ".join(f"a{number}:broken" for number in range(9)) + "}"
    answer = (await gateway.post(query)).json()
    assert len(answer["errors"]) == 5
    assert len(answer["data"]) == 9


def test_rules_are_made_once_per_application() -> None:
    limits = document_limits(LimitSettings())
    schema = build_sample(limits)
    assert schema.documents.limits.rules is limits.rules
    assert limits == DocumentLimits(
        cost_max=1_000,
        batch_cost_max=2_500,
        tokens_max=2_000,
        characters_max=65_536,
        rules=limits.rules,
        errors_max=5,
        kept_tokens_max=60_000,
    )
