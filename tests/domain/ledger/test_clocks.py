"""Clocks that differ, and days on which calendars stumble: nothing expires early, nothing twice."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from domain import clock as clock_module
from domain.clock import Clock
from domain.ledger import (
    NEVER,
    AfterDays,
    AfterMonths,
    EndOfYear,
    ExpiryPolicy,
    balance,
    expires_at,
    post,
    verify_account,
)
from domain.storage import database_now, fetch_all, synchronise_clock
from tests.domain.ledger.commands import ALICE, NOW, SHANGHAI, days, earn, redeem

pytestmark = pytest.mark.usefixtures("database")

HOUR, HALF, INSTANT = timedelta(hours=1), timedelta(minutes=30), timedelta(microseconds=1)


class Worker:
    """A process on a machine whose clock is off by so much."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, off: timedelta) -> None:
        class Wrong(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Wrong:
                moment = datetime.now(tz) + off
                return cls.combine(moment.date(), moment.timetz())

        self._monkeypatch, self._wrong, self._clock = monkeypatch, Wrong, Clock()

    async def start(self) -> Worker:
        """Measure the database's clock, as every process does at its start."""
        with self._monkeypatch.context() as own:
            own.setattr(clock_module, "datetime", self._wrong)
            await synchronise_clock(self._clock)
        return self

    def now(self) -> datetime:
        """What this process takes for the present moment."""
        with self._monkeypatch.context() as own:
            own.setattr(clock_module, "datetime", self._wrong)
            moment = self._clock.now()
        return datetime.combine(moment.date(), moment.timetz())


async def told() -> list[tuple[str, int, datetime]]:
    """Alice's journal: kind, amount, when effective."""
    rows = await fetch_all("SELECT kind, amount, effective_at FROM points_entry ORDER BY seq")
    return [(row["kind"], row["amount"], row["effective_at"]) for row in rows]


@pytest.mark.parametrize("first", [HOUR, -HOUR])
async def test_workers_whose_clocks_are_an_hour_off_agree_with_the_database(
    monkeypatch: pytest.MonkeyPatch, first: timedelta
) -> None:
    """Half an hour ago one lot expired and one matured; in half an hour others will."""
    moment = await database_now()
    ago, ahead = moment - HALF, moment + HALF
    before = moment - days(1)
    await post(
        [
            earn(1, at=before, expires=ago),
            earn(10, at=before, expires=ahead),
            earn(100, at=before, matures=ago),
            earn(1_000, at=before, matures=ahead),
        ],
        now=before,
    )
    for off in (first, -first):
        worker = await Worker(monkeypatch, off=off).start()
        assert abs(worker.now() - await database_now()) < timedelta(seconds=30)
        shown = await balance(ALICE, now=worker.now())
        await post([earn(5, at=before)], now=worker.now())
        assert (await balance(ALICE, now=worker.now())).available == shown.available + 5
        assert (shown.available - 110) % 5 == 0
        assert shown.pending == 1_000
    assert [one for one in await told() if one[0] in ("EXPIRE", "MATURE")] == [
        ("MATURE", 100, ago),
        ("EXPIRE", -1, ago),
    ]
    assert await verify_account(ALICE) == []


async def test_a_worker_an_hour_behind_does_not_undo_what_one_an_hour_ahead_wrote() -> None:
    """A clock that jumps is right again once it is measured again; until then nothing doubles."""
    expiry = NOW + days(1)
    await post([earn(100, expires=expiry), earn(50)], now=NOW)
    assert [one.balance_after for one in await post([redeem(10)], now=expiry + HOUR)] == [40]  # type: ignore[union-attr]
    for _ in range(2):
        await post([earn(1, at=NOW)], now=expiry - HOUR)
        await post([earn(1, at=NOW)], now=expiry + HOUR)
    kinds = [kind for kind, _, _ in await told()]
    assert kinds.count("EXPIRE") == 1
    assert (await balance(ALICE, now=expiry - HOUR)).available == 44
    rows = await fetch_all("SELECT recorded_at FROM points_entry ORDER BY seq")
    recorded = [row["recorded_at"] for row in rows]
    assert recorded == sorted(recorded)
    assert await verify_account(ALICE) == []


async def test_workers_who_disagree_at_the_same_moment_expire_once() -> None:
    expiry = NOW + days(1)
    await post([earn(100, expires=expiry), earn(10, matures=expiry)], now=NOW)
    await asyncio.gather(
        *(post([earn(1, at=NOW)], now=expiry + off) for off in (HOUR, -HOUR, -INSTANT, HOUR * 0))
    )
    kinds = [kind for kind, _, _ in await told()]
    assert (kinds.count("EXPIRE"), kinds.count("MATURE")) == (1, 1)
    assert (await balance(ALICE, now=expiry)).available == 14
    assert await verify_account(ALICE) == []


def local(text: str, zone: ZoneInfo) -> datetime:
    """A local moment, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("zone", "policy", "earned", "through"),
    [
        # Year end, seen from the last and from the first moment of a local year.
        (SHANGHAI, EndOfYear(), "2027-12-31T23:59:59.999999", "2027-12-31"),
        (SHANGHAI, EndOfYear(), "2028-01-01T00:00:00", "2028-12-31"),
        (SHANGHAI, EndOfYear(60), "2027-06-01T09:00:00", "2028-02-29"),
        (SHANGHAI, AfterDays(1), "2027-12-31T23:59:59.999999", "2028-01-01"),
        # 29 February, and months that have no 31st.
        (SHANGHAI, AfterMonths(12), "2028-02-29T12:00:00", "2029-02-28"),
        (SHANGHAI, AfterMonths(1), "2028-01-31T12:00:00", "2028-02-29"),
        (SHANGHAI, AfterMonths(1), "2027-01-31T12:00:00", "2027-02-28"),
        (SHANGHAI, AfterMonths(1), "2027-03-31T12:00:00", "2027-04-30"),
        (SHANGHAI, AfterDays(1), "2028-02-28T12:00:00", "2028-02-29"),
        # Another programme's zone, in which days have 23 and 25 hours.
        (NEW_YORK, AfterDays(1), "2027-03-13T12:00:00", "2027-03-14"),
        (NEW_YORK, AfterDays(1), "2027-11-06T12:00:00", "2027-11-07"),
        (NEW_YORK, AfterMonths(1), "2028-01-31T23:30:00", "2028-02-29"),
    ],
)
async def test_points_are_there_through_their_last_local_day_and_expire_once(
    zone: ZoneInfo, policy: ExpiryPolicy, earned: str, through: str
) -> None:
    at = local(earned, zone)
    last = datetime.fromisoformat(through)
    midnight = (last + days(1)).replace(tzinfo=zone).astimezone(UTC)
    expiry = expires_at(policy, earned_at=at, zone=zone)
    assert expiry == midnight
    await post([earn(100, at=at, expires=expiry), earn(7, at=at, expires=NEVER)], now=at)

    just_before = midnight - INSTANT
    assert (await balance(ALICE, now=just_before)).available == 107
    [spent] = await post([redeem(40)], now=just_before)
    assert (spent.amount, spent.balance_after) == (-40, 67)  # type: ignore[union-attr]
    assert (await balance(ALICE, now=midnight)).available == 7
    for moment in (midnight, midnight + INSTANT, midnight + days(400)):
        await post([earn(1, at=at)], now=moment)
    assert [one for one in await told() if one[0] == "EXPIRE"] == [("EXPIRE", -60, midnight)]
    assert (await balance(ALICE, now=midnight + days(400))).available == 10
    assert await verify_account(ALICE) == []
