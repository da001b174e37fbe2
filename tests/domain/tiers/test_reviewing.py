"""Reviews that nobody's purchase asks for; on both databases."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from domain import members, tiers
from domain.ledger import NEVER, Earn, Source, lock_named, post
from domain.members import ByExternalReference, ById
from domain.outbox import stream
from domain.storage import dialect, execute, fetch_all, observed_statements, transaction
from domain.tiers import (
    CalendarYear,
    LevelRules,
    Qualifying,
    Rolling,
    due_members,
    level_codes,
    qualify,
    review,
    reviewing,
    set_level_rules,
    standing,
)
from domain.tiers.tables import MEMBER_LEVELS
from tests.domain.ledger.commands import NOW, days, tuples
from tests.domain.members.test_consents import rows_of
from tests.domain.tiers.levels import SHANGHAI, three_levels
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("_levels")

KEPT = datetime.fromisoformat("2027-03-02T00:00:00+08:00")
NOTICE = datetime.fromisoformat("2027-01-31T00:00:00+08:00")


@pytest.fixture
async def _levels(database: str) -> None:
    await three_levels()


async def joined(count: int) -> list[UUID]:
    names = [f"somebody-{n}" for n in range(count)]
    found = await members.register_external_members(
        [ByExternalReference(name) for name in names], now=NOW
    )
    return [found[name] for name in names]


async def bought(*member_ids: UUID, points: int = 1_000, now: datetime = NOW) -> None:
    items = [
        Qualifying(
            member_id=one, points=points, purchases=1, occurred_at=now, source_kind="purchase"
        )
        for one in member_ids
    ]
    await transaction(lambda: qualify(items, zone=SHANGHAI, now=now))


async def told(member_id: UUID) -> list[tuple[str, dict[str, str]]]:
    rows = await fetch_all(
        "SELECT kind, facts FROM notification WHERE member_id = $1 ORDER BY id", member_id
    )
    return [(row["kind"], orjson.loads(row["facts"])) for row in rows]


async def test_who_is_due_is_found_in_order_and_only_then() -> None:
    one, two = await joined(2)
    await bought(one)
    await bought(two, now=NOW + days(1))
    assert await due_members(now=NOTICE - timedelta(microseconds=1), limit=10) == []
    assert await due_members(now=NOTICE, limit=10) == [(NOTICE, one)]
    both = await due_members(now=NOTICE + days(1), limit=10)
    assert both == [(NOTICE, one), (NOTICE + days(1), two)]
    assert await due_members(now=NOTICE + days(1), limit=1) == both[:1]
    assert await due_members(now=NOTICE + days(1), limit=10, after=both[0]) == both[1:]


async def test_a_page_of_those_due_at_one_instant_reads_no_others() -> None:
    """As on 1 January where years count, and after an upgrade, when nobody was looked at yet."""
    member_ids = sorted(uuid7() for _ in range(600))
    rows = [
        {
            "member_id": member_id,
            "level_code": "silver",
            "since": NOW,
            "keep_until": KEPT,
            "keep_after_day": KEPT.date(),
            "changes": 1,
            "next_review_at": NOTICE,
        }
        for member_id in member_ids
    ]
    await MEMBER_LEVELS.insert(rows)
    after = (NOTICE, member_ids[299])
    page = await due_members(now=KEPT, limit=100, after=after)
    assert page == [(NOTICE, member_id) for member_id in member_ids[300:400]]
    assert await due_members(now=KEPT, limit=100, after=(NOTICE, member_ids[-1])) == []
    if dialect() == "postgres":
        await execute("ANALYZE member_level")
        explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {reviewing._DUE}"
        [row] = await fetch_all(explained, KEPT, *after, 100)
        [plan] = orjson.loads(row["QUERY PLAN"])
        assert rows_of(plan["Plan"]) == 100
    else:
        plan_of = await fetch_all(f"EXPLAIN QUERY PLAN {reviewing._DUE}", KEPT, *after, 100)
        [detail] = [row["detail"] for row in plan_of]
        assert "COVERING INDEX member_level_due ((next_review_at,member_id)>(?,?)" in detail


async def test_a_member_is_told_thirty_days_before_and_when_the_level_falls() -> None:
    [one] = await joined(1)
    await bought(one)
    assert await review([one], zone=SHANGHAI, now=NOTICE) == []
    assert await due_members(now=NOTICE + days(29), limit=10) == []
    [fell] = await review([one], zone=SHANGHAI, now=KEPT + timedelta(minutes=10))
    assert (fell.from_code, fell.to_code, fell.occurred_at) == ("silver", "base", KEPT)
    moment = "2027-03-01T16:00:00+00:00"
    assert await told(one) == [
        ("LEVEL_REACHED", {"level": "silver"}),
        ("LEVEL_AT_RISK", {"level": "silver", "keep_until": moment, "falls_at": moment}),
        ("LEVEL_LOWERED", {"level": "base"}),
    ]
    kinds = [event.kind for event in await stream(one, after=0, limit=10)]
    assert kinds[-6::2] == ["Notified"] * 3
    assert kinds[-5::2] == ["LevelChanged", "LevelAtRisk", "LevelChanged"]
    [row] = await fetch_all("SELECT level_code, next_review_at FROM member_level")
    assert (row["level_code"], row["next_review_at"]) == ("base", NEVER)


async def test_a_level_that_is_renewed_is_told_to_the_clients_alone() -> None:
    [one] = await joined(1)
    await bought(one)
    await bought(one, now=NOW + days(10))
    assert await review([one], zone=SHANGHAI, now=KEPT) == []
    assert [kind for kind, _ in await told(one)] == ["LEVEL_REACHED"]
    assert (await stream(one, after=0, limit=10))[-1].kind == "LevelRenewed"
    found = await standing(one, zone=SHANGHAI, now=KEPT)
    assert found is not None
    kept_until = datetime.fromisoformat("2028-03-02T00:00:00+08:00")
    assert (found.level.code, found.since, found.keep_until) == ("silver", NOW, kept_until)
    assert found.progress.points_to_keep == 1_000


async def test_a_review_that_is_not_due_writes_nothing() -> None:
    [one] = await joined(1)
    await bought(one)
    before = await everything_kept()
    assert await review([one], zone=SHANGHAI, now=NOW + days(5)) == []
    assert await everything_kept() == before


async def test_a_level_that_asks_less_now_is_given_by_the_review() -> None:
    [one] = await joined(1)
    await bought(one, points=800)
    rules = await tiers.level_rules()
    assert (rules.version, rules) == (0, LevelRules())
    # Days that did not count in three months count in the calendar year.
    await set_level_rules(LevelRules(window=Rolling(3)), now=NOW)
    later = NOW + days(150)
    await bought(one, points=300, now=later)
    assert await level_codes([one]) == {one: "base"}
    await set_level_rules(LevelRules(window=CalendarYear(), version=1), now=later)
    [lifted] = await review([one], zone=SHANGHAI, now=later)
    assert (lifted.to_code, lifted.qualifying_points) == ("silver", 1_100)
    [change] = await fetch_all("SELECT reason FROM level_change WHERE member_id = $1", one)
    assert change["reason"] == "REDEFINED"
    found = await standing(one, zone=SHANGHAI, now=later)
    assert found is not None
    assert found.keep_until == datetime.fromisoformat("2028-01-01T00:00:00+08:00")
    assert found.progress.qualifying_points == 1_100


async def test_nothing_is_due_of_a_record_that_is_no_more() -> None:
    stranger = UUID(int=123)
    await bought(stranger)
    assert await due_members(now=KEPT, limit=10) == [(NOTICE, stranger)]
    assert await review([stranger], zone=SHANGHAI, now=KEPT) == []
    assert await due_members(now=KEPT, limit=10) == []
    assert await level_codes([stranger]) == {stranger: "silver"}


async def test_reviews_and_purchases_at_once_decide_one_after_the_other() -> None:
    [one] = await joined(1)
    await bought(one)
    kept = KEPT + timedelta(minutes=10)

    async def buy(number: int) -> None:
        source = Source(kind="purchase", reference=str(number))
        earned = Earn(member_id=one, points=100, source=source, effective_at=kept, expires_at=NEVER)

        async def work() -> None:
            await lock_named([ById(one)])
            await post([earned], now=kept)
            item = Qualifying(
                member_id=one,
                points=100,
                purchases=1,
                occurred_at=kept,
                source_kind="purchase",
            )
            await qualify([item], zone=SHANGHAI, now=kept)

        await transaction(work)

    reviews = [review([one], zone=SHANGHAI, now=kept) for _ in range(5)]
    await asyncio.gather(*reviews, *(buy(number) for number in range(10)))
    rows = await fetch_all(
        "SELECT seq, to_code, reason FROM level_change WHERE member_id = $1 ORDER BY seq", one
    )
    assert tuples(rows) == [
        (1, "silver", "QUALIFIED"),
        (2, "base", "LOWERED"),
        (3, "silver", "QUALIFIED"),
    ]
    [term] = await fetch_all("SELECT keep_until FROM level_term WHERE member_id = $1", one)
    assert term["keep_until"] == datetime.fromisoformat("2028-03-03T00:00:00+08:00")


async def test_the_number_of_statements_does_not_grow_with_the_members() -> None:
    everybody = await joined(111)
    await bought(*everybody)
    numbers = []
    for some in (everybody[:1], everybody[1:11], everybody[11:]):
        with observed_statements() as statements:
            changes = await review(some, zone=SHANGHAI, now=KEPT)
        assert len(changes) == len(some)
        numbers.append(len(statements))
    # Levels, members, accounts, what is held, days; terms that go, levels of members with history,
    # notifications, events.
    assert numbers == [9 if dialect() == "postgres" else 11] * 3
