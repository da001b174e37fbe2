"""The clock of service levels: cases by hand, and random ones against a counter of minutes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from domain.feedback import sla
from domain.feedback.sla import (
    MINUTES_MAX,
    MINUTES_OF_DAY,
    Calendar,
    Hours,
    Pause,
    due,
    is_open,
    next_opening,
    put_off,
    working_minutes,
)
from tests.domain.feedback.sla_counter import (
    counted,
    counts,
    of_minute,
    random_calendar,
    random_pauses,
    random_start,
    reached,
)

NINE_TO_SIX: Final = (Hours(9 * 60, 18 * 60),)
SHANGHAI: Final = Calendar(
    zone=ZoneInfo("Asia/Shanghai"),
    week=[NINE_TO_SIX] * 6 + [()],
    exceptions={date(2026, 10, day): () for day in range(1, 8)},
)
ALWAYS: Final = [(Hours(0, MINUTES_OF_DAY),)] * 7


def at(text: str) -> datetime:
    """A moment by the wall clock of Shanghai."""
    return datetime.fromisoformat(f"{text}+08:00").astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [
        ("2026-11-23T10:00", 60, "2026-11-23T11:00"),
        ("2026-11-23T17:30", 30, "2026-11-23T18:00"),
        ("2026-11-23T17:30", 31, "2026-11-24T09:01"),
        ("2026-11-28T17:59:59", 1, "2026-11-28T18:00"),
        ("2026-11-28T18:00", 1, "2026-11-30T09:01"),
        ("2026-11-29T12:00", 540, "2026-11-30T18:00"),
        ("2026-09-30T17:00", 120, "2026-10-08T10:00"),
    ],
)
def test_deadlines_of_a_shop(start: str, minutes: int, expected: str) -> None:
    """Nine to six but on Sundays, and closed in the first week of October."""
    assert due(SHANGHAI, at(start), minutes=minutes) == at(expected)
    assert working_minutes(SHANGHAI, at(start), at(expected)) == minutes


def test_a_ticket_that_waits_for_its_member_does_not_run_out() -> None:
    start, since = at("2026-11-23T10:00"), at("2026-11-23T10:20")
    assert due(SHANGHAI, start, minutes=60, pauses=[Pause(since)]) is None
    assert due(SHANGHAI, start, minutes=20, pauses=[Pause(since)]) == since
    paused = [Pause(since, at("2026-11-25T09:30"))]
    assert due(SHANGHAI, start, minutes=60, pauses=paused) == at("2026-11-25T10:10")


def test_when_somebody_is_there_again() -> None:
    assert is_open(SHANGHAI, at("2026-11-28T17:59:59"))
    assert not is_open(SHANGHAI, at("2026-11-28T18:00"))
    assert next_opening(SHANGHAI, at("2026-11-28T18:00")) == at("2026-11-30T09:00")
    assert next_opening(SHANGHAI, at("2026-11-23T10:00:30")) == at("2026-11-23T10:00")


def test_nights_on_which_clocks_are_changed_have_their_own_length() -> None:
    berlin = Calendar(zone=ZoneInfo("Europe/Berlin"), week=[(Hours(0, 4 * 60),)] * 7)
    spring, autumn = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)
    day = timedelta(days=1)
    assert working_minutes(berlin, spring, spring + day) == 180
    assert working_minutes(berlin, autumn, autumn + day) == 300
    assert due(berlin, autumn, minutes=300) == datetime(2026, 10, 25, 3, tzinfo=UTC)
    lord_howe = Calendar(zone=ZoneInfo("Australia/Lord_Howe"), week=[(Hours(0, 4 * 60),)] * 7)
    april = datetime(2026, 4, 4, 6, tzinfo=UTC)
    assert working_minutes(lord_howe, april, april + day) == 270


def test_the_longest_promise_is_used_up_by_the_scantest_calendar() -> None:
    """Ten hours a week, and every one of the next 400 weeks a holiday."""
    first = date(2026, 11, 23)
    closed = {first + timedelta(weeks=week): () for week in range(sla.EXCEPTIONS_MAX)}
    week = [(Hours(8 * 60, 18 * 60),), (), (), (), (), (), ()]
    calendar = Calendar(zone=ZoneInfo("Europe/Berlin"), week=week, exceptions=closed)
    found = due(calendar, datetime(2026, 11, 23, tzinfo=UTC), minutes=MINUTES_MAX)
    opens = datetime(2026, 11, 23, 8, tzinfo=calendar.zone) + timedelta(weeks=400)
    last = opens + timedelta(weeks=MINUTES_MAX // 600 - 1, hours=10)
    assert found == last.astimezone(UTC)


DAYS_MAX: Final = 9


def put_off_by_pauses(
    calendar: Calendar, start: datetime, *, minutes: int, pauses: Sequence[Pause]
) -> None:
    """A deadline that is put off pause by pause is the one that all of them together make."""
    apart: list[Pause] = []
    for pause in sorted(pauses):
        if pause.until is None:
            break
        if not apart or pause.since >= (apart[-1].until or pause.since):
            apart.append(pause)
    by = due(calendar, start, minutes=minutes)
    assert by is not None
    for pause in apart:
        assert pause.until is not None
        if pause.until > start:
            by = put_off(calendar, by, since=max(start, pause.since), until=pause.until)
    assert by == due(calendar, start, minutes=minutes, pauses=apart), (calendar, start, apart)


def check(dice: Random) -> tuple[int, bool, bool]:
    """One case: minutes counted one by one, whether its clocks changed, whether it was reached."""
    calendar = random_calendar(dice, around=date(2026, 3, 20))
    start = random_start(dice, calendar.zone.key)
    calendar = Calendar(
        zone=calendar.zone,
        week=calendar.week,
        exceptions={
            start.date() + (day - date(2026, 3, 20)): hours
            for day, hours in calendar.exceptions.items()
        },
    )
    pauses = random_pauses(dice, start)
    minutes = dice.choice((1, 30, 60, 240, 540, 1_440, 2_880, dice.randrange(1, 4_000)))
    end = start + timedelta(days=DAYS_MAX)
    slow = reached(calendar, start, minutes=minutes, pauses=pauses, days_max=DAYS_MAX)
    fast = due(calendar, start, minutes=minutes, pauses=pauses)
    what = (calendar, start, minutes, pauses)
    if slow is not None:
        assert fast == slow, what
        assert working_minutes(calendar, start, slow, pauses=pauses) == minutes, what
        end = slow
    else:
        assert fast is None or fast > of_minute(end), what
        some = start + timedelta(seconds=dice.randrange(DAYS_MAX * 86_400))
        found = working_minutes(calendar, start, some, pauses=pauses)
        assert found == counted(calendar, start, some, pauses), what
    put_off_by_pauses(calendar, start, minutes=minutes, pauses=pauses)
    opening = next_opening(calendar, start)
    assert is_open(calendar, start) == counts(calendar, of_minute(start), ()), what
    assert counts(calendar, opening, ()), what
    assert not counted(calendar, start, min(opening, start + timedelta(days=3)), ()), what
    local = calendar.zone
    changed = start.astimezone(local).utcoffset() != end.astimezone(local).utcoffset()
    return (end - start) // timedelta(minutes=1), changed, slow is not None


def check_many(dice: Random, *, cases: int) -> tuple[int, int, int]:
    """The sums of so many cases."""
    walked, changed, ended = zip(*(check(dice) for _ in range(cases)), strict=True)
    return sum(walked), sum(changed), sum(ended)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_deadlines_are_those_of_a_counter_of_minutes(
    tally: Callable[[str, int, int], None], full_form: bool
) -> None:
    cases = 5_000 if full_form else 100
    minutes, changed, ended = check_many(Random(20_261_123), cases=cases)
    tally("deadlines beside a counter of minutes", ended, cases // 2)
    tally("minutes counted one by one", minutes, cases * 1_000)
    tally("of cases in which clocks were changed", changed, cases // 20)


BUGS: Final = {
    "the offset of the start holds for ever": ("_offsets", "fixed"),
    "what is paused counts": ("_running", "never paused"),
    "a range has its end": ("_open", "closed ranges"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, kind = BUGS[bug]
    offset_of, open_of = sla._offset, sla._open
    broken: dict[str, object] = {
        "fixed": lambda zone, since, until: iter([(since, until, offset_of(zone, since))]),
        "never paused": lambda start, pauses: iter([(start, None)]),
        "closed ranges": lambda calendar, since, until: (
            (opens, closes + 1) for opens, closes in open_of(calendar, since, until)
        ),
    }
    monkeypatch.setattr(sla, name, broken[kind])
    with pytest.raises(AssertionError):
        check_many(Random(20_261_123), cases=100)
