"""userErrors: every refusal has a text in both languages and a type that tells its facts."""

from __future__ import annotations

import dataclasses
from string import Formatter

import pytest

from domain import errors
from domain.errors import ErrorCode, Refusal
from resolvers.context import Language
from schema.errors import (
    PLAINLY_TOLD,
    InsufficientPoints,
    InvalidInput,
    PlainUserError,
    concrete_refusals,
    refusal_text,
    user_error,
    user_error_type,
    user_error_types,
)
from schema.faults import FAULTS, FaultCode
from schema.texts import TEXTS
from tests.schema.sample import build_sample

REFUSALS = list(concrete_refusals())


def facts(refusal: type[Refusal]) -> set[str]:
    return {one.name for one in dataclasses.fields(refusal)} - {"field"}


def test_every_code_has_a_text_and_a_refusal() -> None:
    assert set(TEXTS) == set(ErrorCode)
    assert {refusal.code for refusal in REFUSALS} == set(ErrorCode)


def test_no_code_is_both_a_refusal_and_a_fault() -> None:
    assert {code.value for code in ErrorCode}.isdisjoint(code.value for code in FaultCode)
    assert set(FAULTS) == set(FaultCode)


@pytest.mark.parametrize("code", list(ErrorCode))
def test_texts_are_in_their_language_and_tell_facts_that_exist(code: ErrorCode) -> None:
    text = TEXTS[code]
    assert any("\u4e00" <= character <= "\u9fff" for character in text.zh)
    assert text.en.isascii()
    known = [refusal for refusal in REFUSALS if refusal.code is code]
    for template in (text.zh, text.en):
        for _, name, _, _ in Formatter().parse(template):
            if name is not None:
                assert name.startswith("refusal.")
                assert all(name.removeprefix("refusal.") in facts(one) for one in known)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.__name__)
def test_every_refusal_with_facts_has_a_type_that_tells_them(refusal: type[Refusal]) -> None:
    told_by = user_error_type(refusal)
    if not facts(refusal) or refusal in PLAINLY_TOLD:
        assert told_by is PlainUserError
        return
    told = {one.name for one in dataclasses.fields(told_by)}
    assert facts(refusal) <= told, "declare a type with @tells, or list it in PLAINLY_TOLD"


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.__name__)
def test_every_refusal_says_when_it_is_returned(refusal: type[Refusal]) -> None:
    assert (refusal.__doc__ or "").startswith("Returned when ")
    value = build_sample()._schema.type_map["ErrorCode"].values[refusal.code.name]  # type: ignore[attr-defined]  # an enum
    assert value.description.startswith("Returned when ")


@pytest.mark.parametrize(
    ("language", "expected"),
    [("zh", "积分不足：需要 10，可用 3"), ("en", "Not enough points: 10 needed, 3 available")],
)
def test_a_text_tells_the_facts(language: Language, expected: str) -> None:
    assert refusal_text(errors.InsufficientPoints(available=3, requested=10), language) == expected


def test_a_user_error_has_the_facts_of_the_refusal() -> None:
    told = user_error(errors.InsufficientPoints(available=3, requested=10), "en")
    assert isinstance(told, InsufficientPoints)
    assert vars(told) == {
        "code": ErrorCode.INSUFFICIENT_POINTS,
        "message": "Not enough points: 10 needed, 3 available",
        "field": None,
        "retryable": False,
        "available": 3,
        "requested": 10,
        "shortfall": 7,
    }


def test_the_field_is_told_in_the_spelling_of_the_schema() -> None:
    refusal = errors.InvalidInput(
        rule="at most 40 characters", field=("order_lines", "0", "line_id")
    )
    told = user_error(refusal, "zh")
    assert isinstance(told, InvalidInput)
    assert told.field == ["orderLines", "0", "lineId"]
    assert told.rule == "at most 40 characters"


def test_a_refusal_without_facts_is_told_plainly_and_may_be_retried() -> None:
    told = user_error(errors.WeChatUnavailable(), "zh")
    assert type(told) is PlainUserError
    assert told.retryable
    assert told.message == "微信服务繁忙，请稍后再试"


def test_values_in_a_text_are_never_taken_for_a_template() -> None:
    refusal = errors.InvalidInput(rule="{refusal.code} {0} %s")
    assert refusal_text(refusal, "en") == "The input is not valid: {refusal.code} {0} %s"


def test_a_schema_has_every_type_of_user_error() -> None:
    named = build_sample()._schema.type_map
    assert all(one.__name__ in named for one in user_error_types())
    assert len(user_error_types()) == 29
