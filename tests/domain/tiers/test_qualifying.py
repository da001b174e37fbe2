"""What qualifies is counted by local day and lifts members at once; on both databases."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from domain.ledger import balance, post, verify_account
from domain.paging import PageRequest
from domain.storage import (
    close,
    connect,
    dialect,
    fetch_all,
    observed_statements,
    transaction,
)
from domain.tiers import (
    LevelChanged,
    Qualifying,
    level_codes,
    level_history,
    qualify,
)
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, key, tuples
from tests.domain.tiers.levels import BASE, GOLD, SHANGHAI, SILVER, three_levels
from tests.graphql.kept import everything_kept
from tests.races.contention import PATIENT

pytestmark = pytest.mark.usefixtures("_levels")


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


@pytest.fixture
async def _patient(database: str, _levels: None) -> None:
    """Connected anew, with time for a crowd on a busy machine."""
    await close()
    await connect(database, pool=PATIENT)


def item(
    points: int,
    *,
    member_id: UUID = ALICE,
    at: datetime = NOW,
    purchases: int = 1,
    amount_fen: int = 0,
    source: str = "purchase",
) -> Qualifying:
    return Qualifying(
        member_id=member_id,
        points=points,
        purchases=purchases,
        amount_fen=amount_fen,
        occurred_at=at,
        source_kind=source,
    )


async def qualified(*items: Qualifying, now: datetime = NOW) -> list[tuple[str, str, int]]:
    """Qualify in a transaction; the changes as (from, to, points)."""
    changes = await transaction(lambda: qualify(items, zone=SHANGHAI, now=now))
    return [(change.from_code, change.to_code, change.qualifying_points) for change in changes]


async def counted() -> list[tuple[UUID, date, int, int]]:
    return tuples(
        await fetch_all(
            "SELECT member_id, day, points, purchases FROM qualifying_day ORDER BY member_id, day"
        )
    )


async def test_points_are_counted_on_their_local_day() -> None:
    midnight = datetime(2026, 2, 28, 16, tzinfo=UTC)
    await qualified(
        item(1, at=midnight - timedelta(microseconds=1)),
        item(2, at=midnight),
        item(4, at=midnight + timedelta(hours=23, minutes=59)),
        item(8, member_id=BOB, at=midnight),
    )
    await qualified(item(16, at=midnight), item(0, at=midnight), item(-5, at=midnight, purchases=0))
    assert await counted() == [
        (ALICE, date(2026, 2, 28), 1, 1),
        # One order earned nothing, and was a purchase all the same.
        (ALICE, date(2026, 3, 1), 22, 4),
        (BOB, date(2026, 3, 1), 8, 1),
    ]


async def test_what_counts_for_nothing_writes_nothing() -> None:
    before = await everything_kept()
    with observed_statements() as statements:
        assert await qualify([], zone=SHANGHAI, now=NOW) == []
        assert (
            await qualify([item(0, purchases=0), item(-1, purchases=-1)], zone=SHANGHAI, now=NOW)
            == []
        )
    assert statements == []
    assert await everything_kept() == before


async def test_a_member_is_lifted_at_the_threshold_and_told_why() -> None:
    assert await qualified(item(999)) == []
    assert await level_codes([ALICE, BOB]) == {ALICE: "base", BOB: "base"}
    changes = await transaction(lambda: qualify([item(1)], zone=SHANGHAI, now=NOW))
    assert changes == [
        LevelChanged(
            member_id=ALICE,
            from_code="base",
            to_code="silver",
            qualifying_points=1_000,
            occurred_at=NOW,
        )
    ]
    assert await level_codes([ALICE, BOB]) == {ALICE: "silver", BOB: "base"}
    level = await fetch_all("SELECT * FROM member_level")
    assert tuples(level) == [
        (
            ALICE,
            "silver",
            NOW,
            # Through 1 March 2027, local.
            datetime(2027, 3, 1, 16, tzinfo=UTC),
            date(2026, 3, 1),
            1,
            # Thirty days before: whether they have to be told is decided then.
            datetime(2027, 1, 30, 16, tzinfo=UTC),
        )
    ]
    history = await fetch_all("SELECT * FROM level_change")
    assert tuples(history) == [(ALICE, 1, "base", "silver", "QUALIFIED", 1_000, "purchase", NOW)]
    (told,) = await fetch_all(
        "SELECT member_id, kind, facts, created_at, read_at FROM notification"
    )
    assert orjson.loads(told["facts"]) == {"level": "silver"}
    assert (told["member_id"], told["kind"]) == (ALICE, "LEVEL_REACHED")
    assert (told["created_at"], told["read_at"]) == (NOW, None)
    events = await fetch_all(
        "SELECT member_id, kind, payload FROM outbox WHERE member_id = $1 ORDER BY seq", ALICE
    )
    assert [one["kind"] for one in events] == ["Notified", "LevelChanged"]
    event = events[-1]
    assert orjson.loads(event["payload"]) == {
        "from": "base",
        "to": "silver",
        "reason": "QUALIFIED",
    }


async def test_one_posting_may_lift_over_several_levels() -> None:
    assert await qualified(item(2_000), item(3_000)) == [("base", "gold", 5_000)]
    page = await level_history(ALICE, PageRequest(first=10))
    assert [(c.seq, c.from_level, c.to_level, c.reason) for c in page.items] == [
        (1, BASE, GOLD, "QUALIFIED")
    ]


async def test_nobody_is_lifted_twice_to_the_same_level() -> None:
    assert await qualified(item(1_000)) == [("base", "silver", 1_000)]
    assert await qualified(item(3_999)) == []
    assert await qualified(item(1)) == [("silver", "gold", 5_000)]
    assert await qualified(item(10_000)) == []
    page = await level_history(ALICE, PageRequest(first=1))
    assert [(c.seq, c.from_level, c.to_level) for c in page.items] == [(2, SILVER, GOLD)]
    assert page.has_next
    page = await level_history(ALICE, PageRequest(first=1, after=page.keys[0]))
    assert [(c.seq, c.from_level, c.to_level) for c in page.items] == [(1, BASE, SILVER)]
    assert not page.has_next
    assert (await level_history(BOB, PageRequest(first=1))).items == []


async def test_the_window_ends_today_and_begins_after_the_same_day_a_year_ago() -> None:
    """Today is 1 March 2026: 1 March 2025 no longer counts, 2 March does."""
    too_old = datetime(2025, 3, 1, 15, 59, 59, tzinfo=UTC)
    with observed_statements() as statements:
        assert await qualified(item(1_000, at=too_old)) == []
    # Levels, what is held, count.
    assert len(statements) == 3
    assert await qualified(item(999, at=too_old + timedelta(seconds=1))) == []
    # The old points are kept, and do not count for a change that something new decides.
    assert await qualified(item(1)) == [("base", "silver", 1_000)]
    assert [points for _, _, points, _ in await counted()] == [1_000, 999, 1]


async def test_points_that_left_the_window_lower_nobody_before_the_review() -> None:
    await qualified(item(1_000))
    last = datetime(2027, 3, 1, 15, 59, 59, tzinfo=UTC)
    assert await qualified(item(1, at=last), now=last) == []
    assert await level_codes([ALICE]) == {ALICE: "silver"}
    # A posting settles first what was due when nobody looked, as of when it was due.
    later = NOW + days(800)
    assert await qualified(item(5_000, at=later), now=later) == [
        ("silver", "base", 1),
        ("base", "gold", 5_000),
    ]
    page = await level_history(ALICE, PageRequest(first=2))
    assert [(c.reason, c.occurred_at) for c in page.items] == [
        ("QUALIFIED", later),
        ("LOWERED", datetime(2027, 3, 1, 16, tzinfo=UTC)),
    ]


async def test_each_member_is_decided_alone() -> None:
    members = [UUID(int=n) for n in range(1, 6)]
    changes = await qualified(
        *(item(n * 600, member_id=member) for n, member in enumerate(members)),
    )
    assert changes == [
        ("base", "silver", 1_200),
        ("base", "silver", 1_800),
        ("base", "silver", 2_400),
    ]
    assert list((await level_codes(members)).values()) == [
        "base",
        "base",
        "silver",
        "silver",
        "silver",
    ]


async def test_the_number_of_statements_does_not_grow_with_the_items() -> None:
    counts = []
    for size in (1, 10, 500):
        items = [item(1_000, member_id=UUID(int=size * 1_000 + n)) for n in range(size)]
        with observed_statements() as statements:
            changes = await qualified(*items)
        assert len(changes) == size
        counts.append(len(statements))
    # Levels, what is held, count, sums; levels of members with terms and history (a statement each
    # on SQLite), notifications, events (two on SQLite).
    assert counts == [7 if dialect() == "postgres" else 10] * 3
    with observed_statements() as statements:
        await qualified(*(item(1, at=NOW - days(1_000)) for _ in range(50)))
    # Imported from years ago: counted, and nobody's level can change.
    assert len(statements) == 3


@pytest.mark.usefixtures("_patient")
async def test_racing_postings_that_qualify_lose_nothing() -> None:
    """20 earnings of 300 at once, each posted and counted in one transaction."""

    async def earn_and_qualify(number: int) -> list[LevelChanged]:
        await post([earn(300, known_as=key(str(number)))], now=NOW)
        # On a day of its own: but for the account, no two of them have a row in common.
        at = NOW - days(number)
        return await qualify([item(300, at=at)], zone=SHANGHAI, now=NOW)

    lifted = await asyncio.gather(
        *(transaction(lambda n=number: earn_and_qualify(n)) for number in range(20))  # type: ignore[misc]
    )
    changes = sorted(
        (change for group in lifted for change in group), key=lambda one: one.qualifying_points
    )
    assert [(c.from_code, c.to_code, c.qualifying_points) for c in changes] == [
        ("base", "silver", 1_200),
        ("silver", "gold", 5_100),
    ]
    assert sum(points for _, _, points, _ in await counted()) == 6_000
    assert (await balance(ALICE, now=NOW)).available == 6_000
    history = await fetch_all("SELECT seq, to_code FROM level_change ORDER BY seq")
    assert tuples(history) == [(1, "silver"), (2, "gold")]
    assert await verify_account(ALICE) == []


async def test_no_member_asked_for_no_level_told() -> None:
    assert await level_codes([]) == {}
