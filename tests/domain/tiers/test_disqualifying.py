"""What is refunded counts no more, on the day on which it counted; on both databases."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import orjson
import pytest

from domain.outbox import stream
from domain.paging import PageRequest
from domain.storage import dialect, fetch_all, observed_statements, transaction
from domain.tiers import (
    LevelChanged,
    LevelsForeseen,
    Qualifying,
    disqualify,
    level_codes,
    level_history,
    preview_disqualify,
    qualify,
)
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, tuples
from tests.domain.tiers.levels import SHANGHAI, three_levels
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("_levels")


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


def item(
    points: int,
    *,
    member_id: UUID = ALICE,
    at: datetime = NOW,
    purchases: int = 0,
    amount_fen: int = 0,
) -> Qualifying:
    return Qualifying(
        member_id=member_id,
        points=points,
        purchases=purchases,
        amount_fen=amount_fen,
        occurred_at=at,
        source_kind="refund",
    )


async def counted(*items: Qualifying, now: datetime = NOW) -> None:
    await transaction(lambda: qualify(items, zone=SHANGHAI, now=now))


async def refunded(*items: Qualifying, now: datetime = NOW) -> list[LevelChanged]:
    return await transaction(lambda: disqualify(items, zone=SHANGHAI, now=now))


async def stored_days() -> list[tuple[date, int, int, int]]:
    return tuples(
        await fetch_all(
            "SELECT day, points, amount_fen, purchases FROM qualifying_day"
            " WHERE member_id = $1 ORDER BY day",
            ALICE,
        )
    )


async def test_it_is_taken_off_its_own_day_and_never_below_nothing() -> None:
    other_day = NOW - days(3)
    await counted(
        item(100, purchases=2, amount_fen=9_000),
        item(50, at=other_day, purchases=1, amount_fen=5_000),
        item(70, member_id=BOB),
    )
    await refunded(
        item(30, purchases=1, amount_fen=3_000),
        item(80, at=other_day, purchases=2, amount_fen=5_001),
        item(10, at=NOW - days(9)),
    )
    assert await stored_days() == [
        (date(2026, 2, 26), 0, 0, 0),
        (date(2026, 3, 1), 70, 6_000, 1),
    ]
    [bobs] = await fetch_all("SELECT points FROM qualifying_day WHERE member_id = $1", BOB)
    assert bobs["points"] == 70


async def test_what_is_nothing_takes_nothing() -> None:
    await counted(item(1_000))
    before = await everything_kept()
    assert await refunded() == await refunded(item(0), item(-5)) == []
    assert await everything_kept() == before


async def test_a_level_that_rested_on_it_falls_and_its_member_is_told() -> None:
    await counted(item(1_000, purchases=1))
    later = NOW + days(2)
    assert await refunded(item(1), now=later) == [
        LevelChanged(
            member_id=ALICE,
            from_code="silver",
            to_code="base",
            qualifying_points=999,
            occurred_at=later,
        )
    ]
    page = await level_history(ALICE, PageRequest(first=1))
    assert [(c.seq, c.to_level.code, c.reason) for c in page.items] == [(2, "base", "REFUNDED")]
    [told] = await fetch_all(
        "SELECT facts FROM notification WHERE member_id = $1 AND kind = 'LEVEL_LOWERED'", ALICE
    )
    assert orjson.loads(told["facts"]) == {"level": "base"}
    events = await stream(ALICE, after=0, limit=10)
    assert [event.kind for event in events] == ["Notified", "LevelChanged"] * 2
    assert events[-1].facts["reason"] == "REFUNDED"
    assert await fetch_all("SELECT id FROM level_term WHERE member_id = $1", ALICE) == []
    # The next purchase reaches it again.
    await counted(item(1, at=later), now=later)
    assert await level_codes([ALICE]) == {ALICE: "silver"}


async def test_the_preview_says_what_the_refund_does_and_writes_nothing() -> None:
    await counted(item(5_000, at=NOW - days(30)), item(600), now=NOW)
    for points, level in ((600, "gold"), (601, "silver"), (4_601, "base")):
        taken = [item(points, at=NOW - days(30)), item(1_000, member_id=BOB)]
        before = await everything_kept()
        foreseen = await preview_disqualify(ALICE, taken, zone=SHANGHAI, now=NOW)
        assert foreseen == LevelsForeseen(before="gold", after=level)
        assert await everything_kept() == before
    await refunded(item(601, at=NOW - days(30)))
    assert await level_codes([ALICE]) == {ALICE: "silver"}
    foreseen = await preview_disqualify(BOB, [item(1, member_id=BOB)], zone=SHANGHAI, now=NOW)
    assert foreseen == LevelsForeseen(before="base", after="base")


async def test_what_was_due_is_settled_before_the_refund() -> None:
    await counted(item(5_000))
    await counted(item(1_200, at=NOW + days(200)), now=NOW + days(200))
    late = NOW + days(600)
    [lowered, refund] = await refunded(item(1_200, at=NOW + days(200)), now=late)
    assert (lowered.to_code, lowered.occurred_at < late) == ("silver", True)
    assert (refund.from_code, refund.to_code, refund.occurred_at) == ("silver", "base", late)


async def test_the_number_of_statements_does_not_grow_with_the_members() -> None:
    numbers = []
    for size in (1, 10, 200):
        members = [UUID(int=size * 1_000 + n) for n in range(size)]
        await counted(*(item(1_000, member_id=member) for member in members))
        with observed_statements() as statements:
            changes = await refunded(*(item(1, member_id=member) for member in members))
        assert len(changes) == size
        numbers.append(len(statements))
    # Levels, what is held, days; the days that are taken off are read and written; terms that go,
    # levels of members with history, notifications, events.
    assert numbers == [9 if dialect() == "postgres" else 11] * 3
