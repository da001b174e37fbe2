"""Errors, refusals, nodes and pages through the gateway, as a client sees them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from schema.node import encode_global_id
from tests.api.gateway import Gateway
from tests.schema.sample import MEMBER_B, OTHER_LIST, SECRET, WRITTEN

WRITE = """
  mutation($text: String!) {
    writeNote(input: {text: $text}) {
      note { id text }
      userErrors {
        __typename code message field retryable
        ... on InsufficientPoints { available requested shortfall }
        ... on InvalidInput { rule }
        ... on IdempotencyConflict { key differing }
      }
    }
  }
"""


async def test_a_fault_of_ours_leaks_nothing_and_is_logged_once(gateway: Gateway) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        response = await gateway.post("{ping broken overflowing}", headers={"x-request-id": "r-7"})
    answer = response.json()
    assert answer["data"] == {"ping": "pong", "broken": None, "overflowing": None}
    assert [(error["path"], error["message"]) for error in answer["errors"]] == [
        (["broken"], "Internal error"),
        (["overflowing"], "Internal error"),
    ]
    assert {str(error["extensions"]) for error in answer["errors"]} == {
        "{'code': 'INTERNAL', 'requestId': 'r-7'}"
    }
    assert SECRET not in response.text
    assert "9007199254740992" not in response.text
    assert [(line["event"], line["path"], str(line["exc_info"])) for line in logs] == [
        ("internal_error", ["broken"], SECRET),
        ("internal_error", ["overflowing"], "not a whole number within range: 9007199254740992"),
    ]
    assert {line["request_id"] for line in logs} == {"r-7"}


async def test_a_fault_in_one_mutation_leaves_the_others(gateway: Gateway) -> None:
    query = """mutation {
      fail: writeNote(input: {text: "fail"}) { note { id } }
      done: writeNote(input: {text: "done"}) { note { text } userErrors { code } }
    }"""
    with capture_logs():
        answer = (await gateway.post(query, headers=gateway.token())).json()
    assert answer["data"] == {"fail": None, "done": {"note": {"text": "done"}, "userErrors": []}}
    assert [error["path"] for error in answer["errors"]] == [["fail"]]


@pytest.mark.parametrize(
    ("text", "user_error"),
    [
        (
            "poor",
            {
                "__typename": "InsufficientPoints",
                "code": "INSUFFICIENT_POINTS",
                "message": "积分不足：需要 10，可用 3",
                "field": None,
                "retryable": False,
                "available": 3,
                "requested": 10,
                "shortfall": 7,
            },
        ),
        (
            "gone",
            {
                "__typename": "PlainUserError",
                "code": "MEMBER_NOT_FOUND",
                "message": "没有找到该会员",
                "field": None,
                "retryable": False,
            },
        ),
        (
            "rule",
            {
                "__typename": "InvalidInput",
                "code": "INVALID_INPUT",
                "message": "填写的内容不符合要求",
                "field": ["deepValue", "text"],
                "retryable": False,
                "rule": "must be polite",
            },
        ),
        (
            "again",
            {
                "__typename": "IdempotencyConflict",
                "code": "IDEMPOTENCY_CONFLICT",
                "message": "该幂等键已用于内容不同的请求",
                "field": None,
                "retryable": False,
                "key": "k1",
                "differing": ["points", "rewardId"],
            },
        ),
    ],
)
async def test_a_refused_mutation_answers_why_and_changes_nothing(
    gateway: Gateway, text: str, user_error: dict[str, Any]
) -> None:
    written = len(WRITTEN)
    data = await gateway.data(WRITE, {"text": text}, headers=gateway.token())
    assert data == {"writeNote": {"note": None, "userErrors": [user_error]}}
    assert len(WRITTEN) == written


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("zh-CN", "积分不足：需要 10，可用 3"),
        ("en-US,en;q=0.9", "Not enough points: 10 needed, 3 available"),
        ("de", "积分不足：需要 10，可用 3"),
    ],
)
async def test_refusals_are_told_in_the_language_of_the_client(
    gateway: Gateway, language: str, message: str
) -> None:
    headers = {**gateway.token(), "accept-language": language}
    data = await gateway.data(WRITE, {"text": "poor"}, headers=headers)
    assert data["writeNote"]["userErrors"][0]["message"] == message
    # Outside of a mutation the same refusal is a coded top-level error.
    answer = (await gateway.post("{refused}", headers=headers)).json()
    (error,) = answer["errors"]
    assert answer["data"] == {"refused": None}
    assert error["message"] == message
    assert error["extensions"]["code"] == "INSUFFICIENT_POINTS"
    assert error["extensions"]["retryable"] is False


async def test_a_mutation_that_is_done_has_no_user_errors(gateway: Gateway) -> None:
    data = await gateway.data(WRITE, {"text": "hello"}, headers=gateway.token())
    note_id = encode_global_id("Note", UUID(int=99))
    assert data == {"writeNote": {"note": {"id": note_id, "text": "hello"}, "userErrors": []}}
    assert WRITTEN[-1] == "hello"


async def test_an_optional_input_may_be_left_out(gateway: Gateway) -> None:
    for query in (
        "mutation{knock{userErrors{code}}}",
        "mutation{knock(input:null){userErrors{code}}}",
    ):
        assert await gateway.data(query) == {"knock": {"userErrors": []}}


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("query($v: NoteRef!) { find(by: $v) }", {"v": {"id": "a", "text": "b"}}),
        ("query($v: NoteRef!) { find(by: $v) }", {"v": {}}),
        ("query($v: NoteRef!) { find(by: $v) }", {"v": {"id": None}}),
        ("query($v: Int = 5) { me { notes(first: $v) { nodes { id } } } }", {"v": "5"}),
        ("query($v: ID!) { node(id: $v) { id } }", {"v": {"a": 1}}),
        (
            "query($v: EchoInput!) { echo(given: $v) { text } }",
            {"v": {"at": "2026-11-22T08:30:00"}},
        ),
        ("query($v: EchoInput!) { echo(given: $v) { text } }", {"v": {"unknown": 1}}),
        ("query($v: EchoInput!) { echo(given: $v) { text } }", {"v": None}),
        ("query($v: Boolean!) { ping @skip(if: $v) }", {"v": "yes"}),
    ],
)
async def test_a_value_that_does_not_fit_is_a_coded_error(
    gateway: Gateway, query: str, variables: dict[str, Any]
) -> None:
    answer = (await gateway.post(query, variables, headers=gateway.token())).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
    assert "data" not in answer


async def test_a_value_that_does_not_fit_while_running_is_a_coded_error(gateway: Gateway) -> None:
    # The variable may be null, the condition may not; the engine learns it only when it runs.
    query = "query($v: Boolean = true) { ping itself { ping @skip(if: $v) } }"
    answer = (await gateway.post(query, {"v": None})).json()
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


# Nodes


NODE = "query($id: ID!) { node(id: $id) { __typename id ... on Note { text } } }"


async def test_a_node_is_found_by_its_owner_alone(gateway: Gateway) -> None:
    note_id = encode_global_id("Note", UUID(int=1))
    data = await gateway.data(NODE, {"id": note_id}, headers=gateway.token())
    assert data == {"node": {"__typename": "Note", "id": note_id, "text": "note 0"}}
    # Somebody else's and nobody's look the same.
    stranger = gateway.token(subject=MEMBER_B)
    missing = encode_global_id("Note", UUID(int=1_000))
    theirs = await gateway.post(NODE, {"id": note_id}, headers=stranger)
    nobodys = await gateway.post(NODE, {"id": missing}, headers=stranger)
    assert theirs.content == nobodys.content == b'{"data":{"node":null}}'


@pytest.mark.parametrize(
    "node_id",
    [
        "garbage",
        "",
        "1",
        encode_global_id("Note", "not-a-uuid"),
        encode_global_id("Nothing", UUID(int=1)),
        encode_global_id("Me", UUID(int=1)),
        encode_global_id("Points", UUID(int=1)),
        encode_global_id("Query", 1),
    ],
)
async def test_what_is_no_id_is_a_coded_error_and_not_null_alone(
    gateway: Gateway, node_id: str
) -> None:
    answer = (await gateway.post(NODE, {"id": node_id}, headers=gateway.token())).json()
    assert answer["data"] == {"node": None}
    (error,) = answer["errors"]
    assert error["message"] == "This is not an id of this server."
    assert error["extensions"]["code"] == "BAD_ID"


async def test_an_id_of_another_type_is_a_coded_error(gateway: Gateway) -> None:
    query = "query($id: ID!) { noteKey(id: $id) }"
    note_id = encode_global_id("Note", UUID(int=1))
    assert await gateway.data(query, {"id": note_id}) == {"noteKey": str(UUID(int=1))}
    answer = (await gateway.post(query, {"id": encode_global_id("Reward", UUID(int=1))})).json()
    (error,) = answer["errors"]
    assert error["message"] == "This is not an id of Note."
    assert (error["extensions"]["code"], error["extensions"]["expected"]) == ("BAD_ID", "Note")


# Pages


PAGE = """
  query($first: Int, $after: String) {
    me { notes(first: $first, after: $after) {
      edges { cursor node { text } } nodes { text }
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    } }
  }
"""


async def test_a_list_is_walked_page_by_page_without_gaps_or_repeats(gateway: Gateway) -> None:
    texts: list[str] = []
    sizes: list[int] = []
    after = None
    for _ in range(4):
        variables = {"first": 10, "after": after}
        data = await gateway.data(PAGE, variables, headers=gateway.token())
        notes = data["me"]["notes"]
        assert [edge["node"] for edge in notes["edges"]] == notes["nodes"]
        assert notes["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert notes["pageInfo"]["endCursor"] == notes["edges"][-1]["cursor"]
        texts += [node["text"] for node in notes["nodes"]]
        sizes.append(len(notes["nodes"]))
        after = notes["pageInfo"]["endCursor"]
        if not notes["pageInfo"]["hasNextPage"]:
            break
    assert texts == [f"note {number}" for number in range(25)]
    assert sizes == [10, 10, 5]


@pytest.mark.parametrize(("first", "count"), [(None, 20), (1, 1), (25, 25), (100, 25)])
async def test_first_has_a_default_and_a_range(
    gateway: Gateway, first: int | None, count: int
) -> None:
    data = await gateway.data(PAGE, {"first": first}, headers=gateway.token())
    assert len(data["me"]["notes"]["nodes"]) == count


@pytest.mark.parametrize("first", [0, -1, 101, 10**9])
async def test_a_first_out_of_range_is_a_coded_error(gateway: Gateway, first: int) -> None:
    answer = (await gateway.post(PAGE, {"first": first}, headers=gateway.token())).json()
    assert answer["data"] == {"me": None}
    (error,) = answer["errors"]
    assert error["message"] == "`first` must be between 1 and 100."
    assert error["path"] == ["me", "notes"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == (
        "BAD_USER_INPUT",
        "first",
    )


@pytest.mark.parametrize(
    "after", ["garbage", "", OTHER_LIST.cursor((UUID(int=1),)), "WyJub3RlcyJd"]
)
async def test_what_is_no_cursor_of_the_list_is_a_coded_error(gateway: Gateway, after: str) -> None:
    answer = (await gateway.post(PAGE, {"after": after}, headers=gateway.token())).json()
    (error,) = answer["errors"]
    assert error["message"] == "The cursor is not one of this list's."
    assert error["extensions"]["code"] == "BAD_CURSOR"


async def test_a_cursor_of_another_list_of_the_same_key_is_refused(gateway: Gateway) -> None:
    query = "{me{others(first:1){pageInfo{endCursor}}}}"
    data = await gateway.data(query, headers=gateway.token())
    other = data["me"]["others"]["pageInfo"]["endCursor"]
    assert await gateway.code(PAGE, {"after": other}, headers=gateway.token()) == "BAD_CURSOR"
