"""What may be said of calendars and promises, which promise holds, and how urgent tickets are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, Final

import pytest

from domain.errors import InvalidInput
from domain.feedback import Hours, Promise, ServiceLevels, hours_of, priority_of, text_of
from domain.feedback.calendars import (
    calendar_from_json,
    calendar_to_json,
    check_calendar,
    minute_of,
)
from domain.feedback.kinds import FeedbackKind
from domain.feedback.promises import (
    NOTHING,
    PROMISES_MAX,
    check_service_levels,
    levels_from_json,
    levels_to_json,
    promise_for,
)
from domain.feedback.sla import EXCEPTIONS_MAX, MINUTES_MAX
from domain.tiers import ServiceLevel
from tests.domain.feedback.service import NINE_TO_SIX, POLICY, SHOP

COMPLAINT, QUESTION = FeedbackKind.COMPLAINT, FeedbackKind.QUESTION


def test_the_most_particular_promise_holds() -> None:
    """Kind before topic before level, whatever their order."""
    promises = [
        Promise(answer_minutes=1),
        Promise(level="gold", answer_minutes=2),
        Promise(topic="delivery", answer_minutes=3),
        Promise(topic="delivery", level="gold", answer_minutes=4),
        Promise(kind=COMPLAINT, answer_minutes=5),
        Promise(kind=COMPLAINT, level="gold", answer_minutes=6),
        Promise(kind=COMPLAINT, topic="delivery", answer_minutes=7),
        Promise(kind=COMPLAINT, topic="delivery", level="gold", answer_minutes=8),
    ]

    def found(left: int) -> list[int | None]:
        return [
            promise_for(
                [*reversed(promises[:left])], kind=kind, topic=topic, level=level
            ).answer_minutes
            for kind in (QUESTION, COMPLAINT)
            for topic in ("points", "delivery")
            for level in ("base", "gold")
        ]

    assert found(8) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert found(5) == [1, 2, 3, 4, 5, 5, 5, 5]
    assert found(3) == [1, 2, 3, 3, 1, 2, 3, 3]
    assert promise_for([], kind=COMPLAINT, topic="points", level="gold") == NOTHING


def test_how_urgent_tickets_are() -> None:
    """By kind, or as promised; members of better service come first."""
    kinds = (FeedbackKind.PRAISE, FeedbackKind.SUGGESTION, QUESTION, COMPLAINT, FeedbackKind.LOSS)
    found = {level: [priority_of(kind, level) for kind in kinds] for level in ServiceLevel}
    assert found == {
        ServiceLevel.STANDARD: [1, 1, 2, 3, 3],
        ServiceLevel.PRIORITY: [2, 2, 3, 4, 4],
        ServiceLevel.VIP: [4, 4, 4, 4, 4],
    }
    assert priority_of(QUESTION, ServiceLevel.STANDARD, promised=4) == 4
    assert priority_of(COMPLAINT, ServiceLevel.PRIORITY, promised=1) == 2


def test_what_is_stored_is_read_again() -> None:
    assert calendar_from_json(3, calendar_to_json(SHOP)) == replace(SHOP, version=3)
    assert levels_from_json(2, levels_to_json(POLICY)) == replace(POLICY, version=2)


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        *[("00:00", 0), ("09:30", 570), ("24:00", 1_440), ("24:01", None), ("9:30", None)],
        *[("09:60", None), ("0930", None), ("-1:30", None), ("09:3٣", None), ("", None)],
    ],
)
def test_times_of_a_day(text: str, minute: int | None) -> None:
    assert minute_of(text) == minute


def test_hours_that_are_no_times_are_refused() -> None:
    assert hours_of(["09:00-18:00"], field=("week",)) == NINE_TO_SIX
    assert [text_of(one) for one in NINE_TO_SIX] == ["09:00-18:00"]
    for text in ("09:00-25:00", "09:00", "09:00-18:00-19:00", "09:00 - 18:00", ""):
        with pytest.raises(InvalidInput) as refused:
            hours_of([text], field=("week", "0"))
        assert refused.value.field == ("week", "0")


NEW_YEAR = date(2026, 1, 1)
BROKEN: Final[Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]]] = {
    "closes before it opens": (("week", "0"), {"week": (((Hours(600, 600),), *SHOP.week[1:]))}),
    "hours overlap": (
        ("week", "0"),
        {"week": (((Hours(0, 600), Hours(599, 700)), *SHOP.week[1:]))},
    ),
    "longer than a day": (("week", "0"), {"week": (((Hours(0, 1441),), *SHOP.week[1:]))}),
    "too many ranges": (
        ("week", "1"),
        {"week": ((), tuple(Hours(one, one + 1) for one in range(7)), *SHOP.week[2:])},
    ),
    "hardly ever open": (("week",), {"week": ((Hours(0, 599),), *[()] * 6)}),
    "a holiday of ages past": (("exceptions", "0"), {"exceptions": {date(1999, 12, 31): ()}}),
    "hours of a day overlap": (
        ("exceptions", "0"),
        {"exceptions": {NEW_YEAR: (Hours(5, 9), Hours(8, 10))}},
    ),
    "closed for months": (
        ("exceptions",),
        {"exceptions": {NEW_YEAR + timedelta(days=day): () for day in range(63)}},
    ),
    "years of holidays": (
        ("exceptions",),
        {"exceptions": {NEW_YEAR + timedelta(days=2 * day): () for day in range(401)}},
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_calendar_by_which_nobody_could_go_is_refused(what: str) -> None:
    field, changed = BROKEN[what]
    check_calendar(SHOP)
    with pytest.raises(InvalidInput) as refused:
        check_calendar(replace(SHOP, **changed))
    assert refused.value.field == field


def test_as_many_holidays_as_there_may_be() -> None:
    days = {NEW_YEAR + timedelta(days=2 * day): () for day in range(EXCEPTIONS_MAX)}
    check_calendar(replace(SHOP, exceptions=days))
    two_months = {NEW_YEAR + timedelta(days=day): () for day in range(62)}
    check_calendar(replace(SHOP, exceptions=two_months))


FLAWED = {
    "no minutes": (("promises", "0", "answer_minutes"), [Promise(answer_minutes=0)]),
    "too many minutes": (
        ("promises", "0", "resolve_minutes"),
        [Promise(resolve_minutes=MINUTES_MAX + 1)],
    ),
    "done before it is answered": (
        ("promises", "0", "resolve_minutes"),
        [Promise(answer_minutes=60, resolve_minutes=59)],
    ),
    "points for nothing": (("promises", "0", "answer_points"), [Promise(answer_points=1)]),
    "points to be paid back": (
        ("promises", "0", "resolve_points"),
        [Promise(resolve_minutes=1, resolve_points=-1)],
    ),
    "priority 5": (("promises", "0", "priority"), [Promise(priority=5)]),
    "not a code": (("promises", "1", "topic"), [Promise(), Promise(topic="a b")]),
    "no level": (("promises", "0", "level"), [Promise(level="")]),
    "twice the same": (("promises", "1"), [Promise(level="a"), Promise(level="a", priority=1)]),
    "too many": (("promises",), [Promise(level=f"l{one}") for one in range(PROMISES_MAX + 1)]),
}


@pytest.mark.parametrize("what", FLAWED)
def test_promises_that_cannot_be_meant_are_refused(what: str) -> None:
    field, promises = FLAWED[what]
    check_service_levels(POLICY)
    with pytest.raises(InvalidInput) as refused:
        check_service_levels(ServiceLevels(promises=promises))
    assert refused.value.field == field
