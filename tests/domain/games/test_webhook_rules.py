"""What is decided purely of webhooks: when they come again, and where they may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from domain.games.webhooks.addresses import is_public
from domain.games.webhooks.retrying import retry_after
from domain.retrying import ATTEMPTS_MAX, next_attempt_at

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_pauses_are_those_of_the_contract() -> None:
    found = [
        next_attempt_at(attempts, failed_at=NOW, asked_for=None, jitter=0.0)
        for attempts in range(1, ATTEMPTS_MAX + 1)
    ]
    hours = [NOW + timedelta(hours=one) for one in (2, 5, 10, 14, 20, 24)]
    seconds = [NOW + timedelta(seconds=one) for one in (5, 300, 1_800)]
    assert found == [*seconds, *hours, None]


def test_a_pause_is_longer_by_a_tenth_at_the_most() -> None:
    def pause(jitter: float) -> timedelta:
        at = next_attempt_at(2, failed_at=NOW, asked_for=None, jitter=jitter)
        assert at is not None
        return at - NOW

    assert [pause(one).total_seconds() for one in (0.0, 0.5, 1.0)] == [300, 315, 330]


@pytest.mark.parametrize(
    ("asked", "seconds"), [(3, 5.0), (5, 5.0), (90, 90.0)], ids=["shorter", "the same", "longer"]
)
def test_who_asks_for_a_longer_pause_gets_it(asked: int, seconds: float) -> None:
    wanted = timedelta(seconds=asked)
    at = next_attempt_at(1, failed_at=NOW, asked_for=wanted, jitter=0.0)
    assert at == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("86401", 86_400),
        ("9" * 60, 86_400),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
        (format_datetime(NOW - timedelta(minutes=3), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=300), usegmt=True), 86_400),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("9" * 65, None),
        ("Mon, 32 Jan 2026 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 2026 99999999999:00:00 GMT", None),
        ("Mon, 01 Jan 2026 00:00:00 +99999999999999", None),
    ],
)
def test_retry_after_is_read_in_seconds_and_as_a_date(
    value: str | None, seconds: int | None
) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(value, now=NOW) == expected


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "2400:cb00::1"])
def test_what_everybody_reaches_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192"),
        *("192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "255.255.255.255"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1"),
        *("64:ff9b::808:808", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:5ef5:79fb::1"),
        *("2001:db8::1", "3fff::1", "100::1", "localhost", ""),
    ],
)
def test_what_is_inside_of_a_network_is_not_whatever_its_disguise(address: str) -> None:
    assert not is_public(address)
