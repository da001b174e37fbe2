"""Levels that staff gives, for a reason and for a time; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import pytest

from domain import audit, members
from domain.audit import Actor
from domain.errors import (
    InvalidInput,
    LevelGrantUnknown,
    LevelUnknown,
    MemberNotFound,
    Refusal,
)
from domain.ledger import NEVER
from domain.members import ByExternalReference, ById
from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
from domain.tiers import (
    GrantLevel,
    LevelGrant,
    Qualifying,
    end_level_grant,
    grant_level,
    level_codes,
    level_grants,
    level_history,
    merge_levels,
    part_levels,
    qualify,
    review,
)
from tests.domain.ledger.commands import NOW, days
from tests.domain.tiers.levels import SHANGHAI, three_levels
from tests.graphql.kept import everything_kept

LI_NA = Actor(name="staff:li.na", account_id=UUID(int=1), request_id="request-1")
UNTIL = NOW + days(20)


@pytest.fixture
async def member_id(database: str) -> UUID:
    await three_levels()
    [found] = (
        await members.register_external_members([ByExternalReference("wang")], now=NOW)
    ).values()
    return found


async def granted(
    member_id: UUID,
    level: str = "gold",
    *,
    reason: str = "a late parcel",
    until: datetime = UNTIL,
    now: datetime = NOW,
) -> LevelGrant:
    command = GrantLevel(member=ById(member_id), level=level, reason=reason, until=until)
    return await grant_level(command, by=LI_NA, now=now)


async def bought(member_id: UUID, points: int, *, now: datetime = NOW) -> None:
    item = Qualifying(
        member_id=member_id, points=points, purchases=1, occurred_at=now, source_kind="purchase"
    )
    await transaction(lambda: qualify([item], zone=SHANGHAI, now=now))


async def history(member_id: UUID) -> list[tuple[str, str, datetime]]:
    page = await level_history(member_id, PageRequest(first=10))
    return [(one.to_level.code, one.reason, one.occurred_at) for one in page.items][::-1]


async def test_a_level_is_granted_until_a_moment_and_recorded(member_id: UUID) -> None:
    grant = await granted(member_id)
    assert (grant.member_id, grant.level_code, grant.since, grant.until) == (
        member_id,
        "gold",
        NOW,
        UNTIL,
    )
    assert await level_grants(member_id) == [grant]
    assert await level_codes([member_id]) == {member_id: "gold"}
    [entry] = (await audit.entries(PageRequest(first=5))).items
    assert (entry.action, entry.target, entry.before) == (
        "level.grant",
        audit.Target(kind="member", id=str(member_id)),
        '{"level":"base"}',
    )
    assert orjson.loads(entry.after or "") == {
        "grant": str(grant.id),
        "level": "gold",
        "until": UNTIL.isoformat(),
        "holds": "gold",
    }
    last = UNTIL - timedelta(microseconds=1)
    assert await review([member_id], zone=SHANGHAI, now=last) == []
    [ended] = await review([member_id], zone=SHANGHAI, now=UNTIL + days(1))
    assert (ended.from_code, ended.to_code) == ("gold", "base")
    assert await history(member_id) == [
        ("gold", "GRANTED", NOW),
        ("base", "GRANT_ENDED", UNTIL),
    ]
    assert await level_grants(member_id) == []


async def test_the_same_grant_again_is_the_one_that_stands(member_id: UUID) -> None:
    grant = await granted(member_id)
    assert await granted(member_id, now=NOW + days(1)) == grant
    other = await granted(member_id, reason="another parcel", now=NOW + days(1))
    assert other.id != grant.id
    assert await level_grants(member_id) == [other, grant]
    assert len(await history(member_id)) == 1
    # Two of one level: it lasts as long as the longer.
    await end_level_grant(grant.id, by=LI_NA, now=NOW + days(2))
    assert await level_codes([member_id]) == {member_id: "gold"}


async def test_a_grant_that_is_ended_leaves_what_was_earned_meanwhile(member_id: UUID) -> None:
    grant = await granted(member_id)
    await bought(member_id, 1_000, now=NOW + days(1))
    assert await level_codes([member_id]) == {member_id: "gold"}
    ended = NOW + days(2)
    told = await end_level_grant(grant.id, by=LI_NA, now=ended)
    assert (grant.ended_at, told) == (None, replace(grant, ended_at=ended))
    assert await history(member_id) == [
        ("gold", "GRANTED", NOW),
        ("silver", "GRANT_ENDED", ended),
    ]
    [entry, _] = (await audit.entries(PageRequest(first=5))).items
    assert (entry.action, entry.before) == ("level.end_grant", '{"level":"gold"}')
    with pytest.raises(LevelGrantUnknown):
        await end_level_grant(grant.id, by=LI_NA, now=ended)


async def test_a_purchase_after_the_end_finds_the_grant_ended(member_id: UUID) -> None:
    await granted(member_id)
    later = UNTIL + days(3)
    await bought(member_id, 1_000, now=later)
    assert await history(member_id) == [
        ("gold", "GRANTED", NOW),
        ("base", "GRANT_ENDED", UNTIL),
        ("silver", "QUALIFIED", later),
    ]


async def test_a_grant_below_what_was_earned_changes_nothing_for_now(member_id: UUID) -> None:
    await bought(member_id, 5_000)
    await granted(member_id, "silver", until=NOW + days(500))
    assert [level for level, _, _ in await history(member_id)] == ["gold"]
    [fell] = await review([member_id], zone=SHANGHAI, now=NOW + days(400))
    assert (fell.from_code, fell.to_code) == ("gold", "silver")


REFUSED: list[tuple[dict[str, object], type[Refusal]]] = [
    ({"level": "jade"}, LevelUnknown),
    ({"level": ""}, LevelUnknown),
    ({"reason": ""}, InvalidInput),
    ({"reason": " "}, InvalidInput),
    ({"reason": "x" * 501}, InvalidInput),
    ({"until": NOW}, InvalidInput),
    ({"until": NOW + days(3_653) + timedelta(microseconds=1)}, InvalidInput),
    ({"until": NEVER}, InvalidInput),
    ({"level": "base"}, InvalidInput),
    ({"member": ById(UUID(int=7))}, MemberNotFound),
]


async def test_what_cannot_be_granted_is_refused_and_changes_nothing(member_id: UUID) -> None:
    said = {"member": ById(member_id), "level": "gold", "reason": "a parcel", "until": UNTIL}
    before = await everything_kept()
    for changed, refusal in REFUSED:
        with pytest.raises(refusal):
            await grant_level(GrantLevel(**{**said, **changed}), by=LI_NA, now=NOW)  # type: ignore[arg-type]
    assert await everything_kept() == before


async def test_a_grant_lasts_ten_years_at_most_and_is_refused_in_words(member_id: UUID) -> None:
    at_most = NOW.replace(year=NOW.year + 10)
    for until in (NOW, at_most + days(2), NEVER - timedelta(seconds=1)):
        with pytest.raises(InvalidInput) as refused:
            await granted(member_id, until=until)
        assert (refused.value.field, refused.value.rule) == (
            ("until",),
            "a moment in the future, at most ten years ahead",
        )
    with pytest.raises(InvalidInput) as refused:
        await granted(member_id, "base")
    assert (refused.value.field, refused.value.rule) == (("level",), "a level above the base")
    assert (await granted(member_id, until=at_most)).until == at_most


async def test_a_grant_that_nobody_has_cannot_be_ended(member_id: UUID) -> None:
    await bought(member_id, 1_000)
    [term] = await fetch_all("SELECT id FROM level_term WHERE member_id = $1", member_id)
    before = await everything_kept()
    for grant_id in (UUID(int=8), term["id"]):
        with pytest.raises(LevelGrantUnknown):
            await end_level_grant(grant_id, by=LI_NA, now=NOW)
    assert await everything_kept() == before


async def test_a_grant_goes_with_the_record_and_comes_back(member_id: UUID) -> None:
    [keeper] = (
        await members.register_external_members([ByExternalReference("li")], now=NOW)
    ).values()
    merge_id = UUID(int=70)
    grant = await granted(member_id)
    await transaction(
        lambda: merge_levels(member_id, keeper, merge_id=merge_id, zone=SHANGHAI, now=NOW)
    )
    [copy] = await level_grants(keeper)
    assert (copy.level_code, copy.reason, copy.until) == ("gold", grant.reason, UNTIL)
    assert await level_codes([keeper]) == {keeper: "gold"}
    await transaction(
        lambda: part_levels(member_id, keeper, merge_id=merge_id, zone=SHANGHAI, now=NOW)
    )
    assert (await level_grants(keeper), await level_grants(member_id)) == ([], [grant])
    assert await level_codes([keeper, member_id]) == {keeper: "base", member_id: "gold"}
    [ended] = await review([member_id], zone=SHANGHAI, now=UNTIL)
    assert ended.to_code == "base"
