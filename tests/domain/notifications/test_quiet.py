"""Quiet hours against a walk over minutes, in zones that change their clocks; defaults."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.notifications import Channel, KindGroup, Preferences, QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
MINUTE = timedelta(minutes=1)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("begins", "ends", "zone", "now", "end"),
    [
        # Over midnight, before and after it; the begin belongs to it and the end does not.
        (1_320, 450, SHANGHAI, "2026-03-01T22:00:00+08:00", "2026-03-02T07:30:00+08:00"),
        (1_320, 450, SHANGHAI, "2026-03-02T07:29:59+08:00", "2026-03-02T07:30:00+08:00"),
        (1_320, 450, SHANGHAI, "2026-03-02T07:30:00+08:00", None),
        (1_320, 450, SHANGHAI, "2026-03-01T21:59:59+08:00", None),
        # Within a day.
        (720, 840, SHANGHAI, "2026-03-01T13:00:00+08:00", "2026-03-01T14:00:00+08:00"),
        (720, 840, SHANGHAI, "2026-03-01T14:00:00+08:00", None),
        # The night on which 02:30 is not there ends when the clocks have passed it.
        (1_320, 150, BERLIN, "2026-03-29T01:59:00+01:00", "2026-03-29T03:30:00+02:00"),
        # And the one on which it is there twice, the first time and the second.
        (1_320, 150, BERLIN, "2026-10-25T01:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        (1_320, 150, BERLIN, "2026-10-25T02:10:00+01:00", "2026-10-25T02:30:00+01:00"),
        (1_320, 150, BERLIN, "2026-10-25T02:45:00+02:00", None),
    ],
)
def test_when_quiet_ends(begins: int, ends: int, zone: ZoneInfo, now: str, end: str | None) -> None:
    hours = QuietHours(from_minute=begins, until_minute=ends, zone=zone)
    assert hours.end(moment(now)) == (None if end is None else moment(end))


def is_quiet(hours: QuietHours, now: datetime) -> bool:
    """By the wall clock alone."""
    local = now.astimezone(hours.zone)
    minute = local.hour * 60 + local.minute
    if hours.from_minute < hours.until_minute:
        return hours.from_minute <= minute < hours.until_minute
    return minute >= hours.from_minute or minute < hours.until_minute


@pytest.mark.soak
def test_a_quiet_time_ends_and_is_quiet_until_then(
    full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    """The end is the first minute at which the wall clock shows none of the hours.

    But where the clocks are put forward over the end: then it is what the end would be without.
    """
    randomness, quiet = random.Random(8), 0
    cases = 20_000 if full_form else 1_500
    for _ in range(cases):
        begins, ends = randomness.sample(range(24 * 60), 2)
        zone = ZoneInfo(randomness.choice(ZONES))
        hours = QuietHours(from_minute=begins, until_minute=ends, zone=zone)
        # Around the days on which these zones change their clocks, and others.
        day = randomness.choice([(3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1), (6, 1)])
        now = datetime(2026, *day, tzinfo=UTC) + MINUTE * randomness.randrange(-1_440, 1_440)
        end = hours.end(now)
        assert (end is not None) == is_quiet(hours, now), (hours, now)
        if end is None:
            continue
        quiet += 1
        assert now < end <= now + timedelta(hours=26), (hours, now)
        local = end.astimezone(zone)
        shown = local.hour * 60 + local.minute
        skipped = (end - timedelta(hours=2)).astimezone(zone).utcoffset() != local.utcoffset()
        assert shown == ends or skipped, (hours, now)
    tally("quiet times that end as the wall clock says", quiet, cases // 3)


def test_who_said_nothing_gets_what_the_programme_thinks_right() -> None:
    nothing = Preferences()
    assert nothing.wants("ORDER_SHIPPED", Channel.SMS)
    assert not nothing.wants("LEVEL_REACHED", Channel.SMS)
    assert nothing.wants("NO_SUCH_KIND", Channel.EMAIL)
    assert nothing.quiet_until(Channel.SMS, now=moment("2026-03-01T23:00:00+08:00")) is None


def test_what_a_member_said_comes_before_the_default() -> None:
    hours = QuietHours(from_minute=1_320, until_minute=450, zone=SHANGHAI)
    said = Preferences(
        said={
            (KindGroup.ORDERS, Channel.SMS): False,
            (KindGroup.LEVELS, Channel.SMS): True,
            (KindGroup.LEVELS, Channel.INBOX): False,
        },
        quiet={Channel.SMS: hours, Channel.EMAIL: None},
    )
    assert not said.wants("ORDER_DELIVERED", Channel.SMS)
    assert said.wants("ORDER_DELIVERED", Channel.EMAIL)
    assert said.wants("LEVEL_LOWERED", Channel.SMS)
    assert said.wants("LEVEL_LOWERED", Channel.INBOX), "the inbox has everything"
    night = moment("2026-03-01T23:00:00+08:00")
    assert said.quiet_until(Channel.SMS, now=night) == moment("2026-03-02T07:30:00+08:00")
    assert said.quiet_until(Channel.EMAIL, now=night) is None
