"""Errors as they leave the server: coded, masked, logged once, in the client's language."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from graphql import GraphQLError, parse
from structlog.testing import capture_logs

from domain.access import AccessTokens, KeyRing
from domain.errors import InsufficientPoints, MemberNotFound
from domain.wechat import WeChatClient
from resolvers.context import NotAllowed, NotSignedIn, RequestContext, Services
from schema.faults import CodedError, FaultCode
from schema.presenting import MESSAGE_LENGTH_MAX, present_errors
from tests.schema.sample import SECRET

FIELD = parse("{ping}").definitions[0].selection_set.selections[0]  # type: ignore[attr-defined]  # an operation


@pytest.fixture
async def context(tmp_path: Path) -> RequestContext:
    now = datetime.now(UTC)
    keys = KeyRing(tmp_path / "keys.json", now=now, create_missing=True)
    services = Services(
        wechat=WeChatClient(apps={}, redis=fakeredis.FakeAsyncRedis()),
        tokens=AccessTokens(keys, "https://jifen.example"),
    )
    return RequestContext(caller=None, now=now, language="en", request_id="r-1", services=services)


def raised(cause: Exception) -> GraphQLError:
    """The error that the engine makes when a field raises `cause`."""
    return GraphQLError(str(cause), nodes=[FIELD], path=["ping"], original_error=cause)


def presented(
    errors: list[GraphQLError], context: RequestContext | None, *, errors_max: int = 5
) -> list[Any]:
    return [
        dict(error.formatted)
        for error in present_errors(errors, context=context, errors_max=errors_max)
    ]


@pytest.mark.parametrize(
    ("cause", "message", "extensions"),
    [
        (
            CodedError(FaultCode.BAD_CURSOR, "No.", argument="after"),
            "No.",
            {"code": "BAD_CURSOR", "argument": "after"},
        ),
        (
            InsufficientPoints(available=3, requested=10),
            "Not enough points: 10 needed, 3 available",
            {"code": "INSUFFICIENT_POINTS", "retryable": False},
        ),
        (NotSignedIn(), "This needs a token.", {"code": "UNAUTHENTICATED"}),
        (NotAllowed(), "This caller may not do this.", {"code": "FORBIDDEN"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_we_raise_is_told_and_not_logged(
    cause: Exception, message: str, extensions: dict[str, Any], context: RequestContext
) -> None:
    with capture_logs() as logs:
        answered = presented([raised(cause)], context)
    assert answered == [
        {
            "message": message,
            "locations": [{"line": 1, "column": 2}],
            "path": ["ping"],
            "extensions": {**extensions, "requestId": "r-1"},
        }
    ]
    assert logs == []


class Talkative(Exception):
    """An exception of somebody else's that brings extensions."""

    extensions = {"code": "OK", "sql": SECRET}  # noqa: RUF012 - as other libraries do


@pytest.mark.parametrize(
    "cause",
    [
        RuntimeError(SECRET),
        KeyError(SECRET),
        Talkative(SECRET),
        # An output value that does not fit: the engine's own error, but our fault.
        GraphQLError(f"String cannot represent value: {SECRET}"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_a_fault_of_ours_is_masked_and_logged_with_its_traceback(
    cause: Exception, context: RequestContext
) -> None:
    with capture_logs() as logs:
        answered = presented([raised(cause)], context)
    assert answered == [
        {
            "message": "Internal error",
            "locations": [{"line": 1, "column": 2}],
            "path": ["ping"],
            "extensions": {"code": "INTERNAL", "requestId": "r-1"},
        }
    ]
    assert logs == [
        {"event": "internal_error", "log_level": "error", "path": ["ping"], "exc_info": cause}
    ]


def test_one_fault_that_met_many_fields_is_logged_once(context: RequestContext) -> None:
    cause = RuntimeError(SECRET)
    with capture_logs() as logs:
        answered = presented([raised(cause) for _ in range(9)], context)
    assert len(answered) == 5
    assert len(logs) == 1


def test_many_faults_are_counted_beyond_the_limit(context: RequestContext) -> None:
    with capture_logs() as logs:
        presented([raised(RuntimeError(str(number))) for number in range(9)], context)
    assert [line["event"] for line in logs] == ["internal_error"] * 5 + [
        "internal_errors_not_logged"
    ]
    assert logs[-1]["count"] == 4


def test_the_errors_given_are_left_as_they_are(context: RequestContext) -> None:
    error = CodedError(FaultCode.DEPTH_LIMIT, "Too deep.", limit=10)
    presented([error], context)
    assert error.extensions == {"code": "DEPTH_LIMIT", "limit": 10}


def test_suggestions_are_withheld_where_the_schema_is_closed(context: RequestContext) -> None:
    error = CodedError(
        FaultCode.GRAPHQL_VALIDATION_FAILED, "Cannot query field 'nam'. Did you mean 'name'?"
    )
    closed = replace(context, opens_schema=False)
    assert presented([error], context)[0]["message"].endswith("Did you mean 'name'?")
    assert presented([error], closed)[0]["message"] == "Cannot query field 'nam'."


def test_a_message_that_echoes_a_long_value_is_cut(context: RequestContext) -> None:
    error = CodedError(FaultCode.BAD_USER_INPUT, "x" * 5_000)
    assert len(presented([error], context)[0]["message"]) == MESSAGE_LENGTH_MAX


def test_without_a_context_errors_are_coded_in_chinese() -> None:
    assert presented([raised(MemberNotFound())], None)[0] == {
        "message": "没有找到该会员",
        "locations": [{"line": 1, "column": 2}],
        "path": ["ping"],
        "extensions": {"code": "MEMBER_NOT_FOUND", "retryable": False},
    }
