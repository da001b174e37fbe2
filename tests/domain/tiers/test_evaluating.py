"""Re-evaluating levels: who is due, everybody, and where a walk goes on; on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain import tiers
from domain.storage import execute, fetch_one, observed_statements, transaction
from domain.tiers import (
    Evaluated,
    LevelRules,
    LevelWalk,
    define_levels,
    evaluate_levels,
    evaluating,
    members_due,
    members_to_evaluate,
    qualify,
    set_level_rules,
    settle_due_levels,
)
from tests.domain.ledger.commands import NOW, SHANGHAI, days
from tests.domain.tiers.evaluated import (
    bought,
    codes,
    evaluated,
    history,
    item,
    joined,
    kept_until,
    local,
    settled,
)
from tests.domain.tiers.levels import level, three_levels
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("_levels")

MOMENT: Final = timedelta(microseconds=1)
NEXT_YEAR: Final = local("2027-03-02")
"""When a level is reviewed that was reached NOW, on 1 March 2026."""


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


async def some(count: int, points: int = 1_000) -> list[UUID]:
    """Members who all qualified NOW, sorted by their ids."""
    members = sorted(await joined(*(f"m{points}-{number}" for number in range(count))))
    items = [item(member, points, at=NOW) for member in members]
    await transaction(lambda: qualify(items, zone=SHANGHAI, now=NOW))
    return members


async def lower_silver(threshold: int) -> None:
    """Staff lowers what silver asks."""
    await execute("UPDATE level SET threshold = $1 WHERE code = 'silver'", threshold)


async def place(name: str = "test") -> tuple[UUID | None, int, int, bool]:
    row = await fetch_one("SELECT * FROM level_evaluation WHERE walk = $1", name)
    assert row is not None
    finished = row["finished_at"] is not None
    return row["after_member"], row["members"], row["changed"], finished


async def test_who_is_due_is_reviewed_once_and_nobody_else() -> None:
    early, late = await joined("early", "late")
    await bought(early, 1_000, at=NOW)
    await bought(late, 1_000, at=NOW + days(1))
    await settled(NEXT_YEAR - days(1))
    assert await settled(NEXT_YEAR - MOMENT) == 0
    before = await everything_kept()
    assert await settled(NEXT_YEAR - MOMENT) == 0
    assert await everything_kept() == before
    assert await members_due(now=NEXT_YEAR) == 1
    assert await settled(NEXT_YEAR) == 1
    assert await codes(early, late) == ["base", "silver"]
    assert await members_due(now=NEXT_YEAR) == 0
    assert await settled(NEXT_YEAR) == 0
    assert (await history(early))[1:] == [("silver", "base", "LOWERED", NEXT_YEAR)]


async def test_reviews_that_run_late_say_when_they_were_due() -> None:
    [member] = await joined("a")
    await bought(member, 5_000, at=NOW)
    await bought(member, 1_000, at=NOW + days(30))
    much_later = NEXT_YEAR + days(900)
    assert await settled(much_later) == 1
    # What was earned after gold was reached keeps silver for a year.
    assert (await history(member))[1:] == [
        ("gold", "silver", "LOWERED", NEXT_YEAR),
        ("silver", "base", "LOWERED", local("2028-03-02")),
    ]


async def test_reviews_take_time_in_batches_and_tell_how_far_they_came() -> None:
    members = await some(40)
    told: list[Evaluated] = []
    found = await settle_due_levels(now=NEXT_YEAR, zone=SHANGHAI, within_s=0.0)
    assert found == Evaluated()
    assert await members_due(now=NEXT_YEAR) == 40
    found = await settle_due_levels(now=NEXT_YEAR, zone=SHANGHAI, told=told.append)
    assert (found.members, found.changed, found.done) == (40, 40, True)
    assert next(one.members for one in told) == evaluating.MEMBERS_MIN
    assert told[-1].members == 40
    assert len(told) == found.locks >= 2
    assert set(await codes(*members)) == {"base"}


async def test_the_number_of_statements_of_a_batch_does_not_grow_with_its_members(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluating, "MEMBERS_MIN", 200)
    counts = []
    for count in (2, 60):
        await some(count, points=1_000 + count)
        with observed_statements() as statements:
            assert await settled(NEXT_YEAR) == count
        counts.append(len(statements))
    assert counts[0] == counts[1], counts


async def test_a_walk_lifts_whom_new_definitions_lift() -> None:
    low, middle, high = await joined("low", "middle", "high")
    for member, points in ((low, 799), (middle, 800), (high, 1_000)):
        await bought(member, points, at=NOW)
    assert await evaluated(NOW) == (3, 0)
    before = await everything_kept()
    assert await evaluated(NOW) == (3, 0)
    assert await everything_kept() == before
    await lower_silver(800)
    assert await evaluated(NOW + days(1)) == (3, 1)
    assert await codes(low, middle, high) == ["base", "silver", "silver"]
    assert await history(middle) == [("base", "silver", "REDEFINED", NOW + days(1))]
    assert await evaluated(NOW + days(1)) == (3, 0)


async def test_raising_what_a_level_asks_takes_it_from_nobody_before_its_review() -> None:
    [member] = await some(1)
    await lower_silver(1_500)
    assert await evaluated(NOW + days(1)) == (1, 0)
    assert await codes(member) == ["silver"]
    await bought(member, 1_499, at=NOW + days(2))
    assert await settled(NEXT_YEAR) == 1
    assert (await history(member))[-1] == ("silver", "base", "LOWERED", NEXT_YEAR)


async def test_a_walk_brings_new_rules_to_the_next_review() -> None:
    [member] = await some(1)
    # Noticed a month before, by the rules of before.
    assert await members_due(now=NEXT_YEAR - days(31)) == 0
    await set_level_rules(LevelRules(notice_days=60), now=NOW)
    assert await members_due(now=NEXT_YEAR - days(31)) == 0
    assert await evaluated(NOW) == (1, 0)
    assert await members_due(now=NEXT_YEAR - days(60) - MOMENT) == 0
    assert await members_due(now=NEXT_YEAR - days(60)) == 1
    assert await codes(member) == ["silver"]


async def test_a_walk_settles_what_is_due_too() -> None:
    members = await some(3)
    assert await evaluated(NEXT_YEAR) == (3, 3)
    assert await codes(*members) == ["base"] * 3
    assert await members_due(now=NEXT_YEAR) == 0


async def test_only_whom_it_changes_is_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    await some(6, points=500)
    [member] = await some(1, points=900)
    await lower_silver(900)
    reviewed: list[UUID] = []
    review = tiers.review

    async def watched(members: list[UUID], **how: object) -> object:
        reviewed.extend(members)
        return await review(members, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluating, "review", watched)
    assert await evaluated(NOW) == (7, 1)
    assert reviewed == [member]


async def test_a_walk_goes_on_where_it_was_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluating, "LOOKED_AT", 2)
    members = await some(5, points=900)
    await lower_silver(900)
    walk = LevelWalk(name="test")

    def stop(found: Evaluated) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await evaluate_levels(walk, now=NOW, zone=SHANGHAI, told=stop)
    assert await place() == (members[1], 2, 2, False)
    assert await codes(*members) == ["silver"] * 2 + ["base"] * 3
    # Whoever was looked at is not looked at again.
    assert await evaluated(NOW + days(1)) == (3, 3)
    assert await place() == (None, 5, 5, True)
    assert await codes(*members) == ["silver"] * 5
    assert (await history(members[4]))[0][3] == NOW + days(1)


async def test_nobody_is_passed_over_when_a_walk_dies_between_two_locks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluating, "LOOKED_AT", 4)
    monkeypatch.setattr(evaluating, "MEMBERS_MIN", 1)
    monkeypatch.setattr(evaluating, "MEMBERS_MAX", 1)
    members = await some(9, points=900)
    await lower_silver(900)
    reviewed: list[UUID] = []

    async def mortal(some: list[UUID], **how: Any) -> object:
        if len(reviewed) == 6:
            raise KeyboardInterrupt
        reviewed.extend(some)
        return await tiers.review(some, **how)

    with monkeypatch.context() as patch:
        patch.setattr(evaluating, "review", mortal)
        with pytest.raises(KeyboardInterrupt):
            await evaluated(NOW)
    assert await place() == (members[3], 4, 4, False)
    assert await codes(*members) == ["silver"] * 6 + ["base"] * 3
    # The two that were reviewed before it died are looked at again, and not changed again.
    assert await evaluated(NOW) == (5, 3)
    assert await codes(*members) == ["silver"] * 9
    assert [len(await history(member)) for member in members] == [1] * 9


async def test_time_that_runs_out_cuts_a_walk_off() -> None:
    await some(3)
    found = await evaluate_levels(LevelWalk(name="test"), now=NOW, zone=SHANGHAI, within_s=0.0)
    assert found == Evaluated()


async def test_a_walk_that_was_cut_off_begins_anew_for_other_definitions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluating, "LOOKED_AT", 2)
    members = await some(5, points=900)

    def stop(found: Evaluated) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await evaluate_levels(LevelWalk(name="test"), now=NOW, zone=SHANGHAI, told=stop)
    await lower_silver(900)
    assert await evaluated(NOW) == (5, 5)
    assert await codes(*members) == ["silver"] * 5


async def test_a_night_is_walked_once_and_anew_when_levels_change() -> None:
    await some(2, points=900)

    async def walked(night: datetime) -> tuple[int, int, bool]:
        found = await evaluate_levels(
            LevelWalk(name="nightly", slot_at=night), now=NOW, zone=SHANGHAI
        )
        return found.members, found.changed, found.done

    assert await walked(NOW) == (2, 0, True)
    assert await walked(NOW) == (0, 0, True)
    assert await walked(NOW + days(1)) == (2, 0, True)
    await lower_silver(900)
    assert await walked(NOW + days(1)) == (2, 2, True)
    assert await walked(NOW + days(1)) == (0, 0, True)


async def test_one_whose_rows_are_unsound_keeps_nobody_from_a_review(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = await some(5)
    review = tiers.review

    async def broken(some: list[UUID], **how: object) -> object:
        assert members[2] not in some, "planted"
        return await review(some, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluating, "review", broken)
    with capture_logs() as logs:
        found = await settle_due_levels(now=NEXT_YEAR, zone=SHANGHAI)
    assert (found.members, found.done, found.unsound) == (4, True, frozenset([members[2]]))
    assert [(line["event"], line["members"]) for line in logs] == [("level_unsound", (members[2],))]
    assert await codes(*members) == ["base", "base", "silver", "base", "base"]


async def test_without_levels_or_members_there_is_nothing_to_evaluate() -> None:
    assert await members_to_evaluate() == 0
    assert await evaluated(NOW) == (0, 0)
    assert await place() == (None, 0, 0, True)
    [member, _] = await some(2)
    await define_levels([level("extra", 3, 9_000)], perks=[], now=NOW)
    assert await members_to_evaluate() == 2
    assert await evaluated(NOW) == (2, 0)
    assert await codes(member) == ["silver"]


async def test_a_level_that_was_too_easy_for_a_moment_is_held_for_its_term() -> None:
    lifted, late = await joined("lifted", "late")
    await bought(lifted, 600, at=NOW)
    await execute("UPDATE level SET threshold = 500 WHERE code = 'gold'")
    assert await evaluated(NOW) == (1, 1)
    await execute("UPDATE level SET threshold = 5000 WHERE code = 'gold'")
    await bought(late, 600, at=NOW)
    assert await evaluated(NOW + timedelta(hours=1)) == (2, 0)
    assert await codes(lifted, late) == ["gold", "base"]
    until = local("2027-03-02")
    assert await kept_until(lifted) == until
    await settled(until - MOMENT)
    assert await codes(lifted) == ["gold"]
    await settled(until)
    assert (await history(lifted))[-1] == ("gold", "base", "LOWERED", until)
