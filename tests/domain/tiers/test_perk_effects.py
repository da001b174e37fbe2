"""What perks do by themselves, at the level that is right now; what the table holds of uses."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from domain import members
from domain.audit import Actor
from domain.errors import PerkUnknown
from domain.members import ByExternalReference, ById
from domain.storage import fetch_all, observed_statements, transaction
from domain.tiers import (
    GrantLevel,
    LessPerks,
    PerkDefinition,
    PerkTerms,
    ReducedPerk,
    ServiceLevel,
    UsePerk,
    define_levels,
    earning_multipliers,
    end_level_grant,
    grant_level,
    less_perks,
    level_codes,
    service_levels,
    use_perk,
)
from domain.tiers.perks.uses import PERK_USES
from tests.domain.ledger.commands import ALICE, BOB, NOW, days
from tests.domain.purchases.shop import line, open_shop, order, outcomes
from tests.domain.tiers.levels import LEVELS, SHANGHAI, perk

LI_NA = Actor(name="staff:li.na", account_id=UUID(int=1), request_id="request-1")

pytestmark = pytest.mark.usefixtures("database")


def by_itself(number: int, level: str, code: str, kind: str, value: str) -> PerkDefinition:
    return replace(perk(number, level, code), kind=kind, value=value)


PERKS = (
    perk(1, "base", "shipping", quota=2, period="MONTH"),
    by_itself(2, "silver", "more", "EARNING_MULTIPLIER", "1.1"),
    by_itself(3, "silver", "most", "EARNING_MULTIPLIER", "1.25"),
    by_itself(4, "silver", "service", "SERVICE_LEVEL", "PRIORITY"),
    perk(5, "silver", "shipping", quota=3, period="MONTH"),
    by_itself(6, "gold", "service", "SERVICE_LEVEL", "STANDARD"),
    by_itself(7, "gold", "vip", "SERVICE_LEVEL", "VIP"),
)


async def people(*levels: str) -> list[UUID]:
    """A member for each level, which is granted until tomorrow."""
    await define_levels(LEVELS, perks=PERKS, now=NOW)
    named = [ByExternalReference(f"member-{number}") for number in range(len(levels))]
    joined = dict(await members.register_external_members(named, now=NOW))
    found = [joined[one.reference] for one in named]
    for member_id, level in zip(found, levels, strict=True):
        if level != "base":
            grant = GrantLevel(
                member=ById(member_id), level=level, reason="guest", until=NOW + days(1)
            )
            await grant_level(grant, by=LI_NA, now=NOW)
    return found


async def multipliers(*member_ids: UUID, now: datetime = NOW) -> list[int]:
    """Of each member, in order."""
    found = await transaction(lambda: earning_multipliers(member_ids, zone=SHANGHAI, now=now))
    return [found[one] for one in member_ids]


async def test_the_best_of_a_levels_perks_takes_effect() -> None:
    base, silver, gold = await people("base", "silver", "gold")
    nobody = UUID(int=77)
    with observed_statements() as statements:
        assert await multipliers(base, silver, gold, nobody) == [1_000, 1_250, 1_000, 1_000]
    assert sum("perk" in one for one in statements) == 1
    assert await service_levels([base, silver, gold, nobody]) == {
        base: ServiceLevel.STANDARD,
        silver: ServiceLevel.PRIORITY,
        gold: ServiceLevel.VIP,
        nobody: ServiceLevel.STANDARD,
    }


async def test_without_levels_nothing_is_multiplied() -> None:
    assert await multipliers(ALICE, BOB) == [1_000, 1_000]
    assert await service_levels([ALICE]) == {ALICE: ServiceLevel.STANDARD}


async def test_a_level_whose_time_is_over_is_reviewed_before_it_takes_effect() -> None:
    """Whether a job came by or not: neither its multiplier nor its perks are used on."""
    [one, other] = await people("silver", "silver")
    later = NOW + days(1)
    assert await multipliers(one, now=later - days(0.001)) == [1_250]
    assert await level_codes([one, other]) == {one: "silver", other: "silver"}
    assert await multipliers(one, now=later) == [1_000]
    assert await level_codes([one, other]) == {one: "base", other: "silver"}
    command = UsePerk(member_id=other, perk_id=PERKS[4].id, idempotency_key="k")
    with pytest.raises(PerkUnknown):
        await use_perk(command, now=later)
    made = await use_perk(replace(command, perk_id=PERKS[0].id), now=later)
    assert made.use.level_code == "base"
    assert await level_codes([other]) == {other: "base"}


async def test_the_perks_that_go_with_a_level_are_told_in_their_order() -> None:
    await define_levels(LEVELS, perks=PERKS, now=NOW)
    three, two = (
        PerkTerms(kind="FREE_SHIPPING", value="0", quota=quota, period="MONTH") for quota in (3, 2)
    )
    shipping = ReducedPerk(code="shipping", before=three, after=two)
    less = LessPerks(lost=("more", "most", "service"), reduced=(shipping,))
    with observed_statements() as statements:
        assert await less_perks("silver", "base") == less
    assert len(statements) == 1
    assert await less_perks("base", "silver") == LessPerks(lost=(), reduced=())
    assert await less_perks("gold", "base") == LessPerks(lost=("service", "vip"), reduced=())
    # Though gold is the higher of the two, silver's service is the better one.
    assert await less_perks("gold", "silver") == LessPerks(lost=("vip",), reduced=())
    assert await less_perks("silver", "silver") == LessPerks(lost=(), reduced=())


async def test_an_order_keeps_the_multiplier_of_its_level() -> None:
    """Points that reach a level are earned at the one before it; lines that come later too."""
    shop = await open_shop("wei")
    first = order("A", "wei", line("cup", 100_000))
    assert outcomes((await shop.record(first)).receipts) == [("APPLIED", None, 1_000)]
    second = order("B", "wei", line("cup", 1_000))
    found = await shop.record(second, batch_id="batch-2")
    assert outcomes(found.receipts) == [("APPLIED", None, 20)]
    rows = await fetch_all("SELECT external_id, multiplier_permille FROM purchase ORDER BY 1")
    assert [tuple(row.values()) for row in map(dict, rows)] == [("A", 1_000), ("B", 2_000)]


async def test_a_grant_that_ends_takes_its_perks_along() -> None:
    [one] = await people("base")
    until = NOW + days(30)
    grant = GrantLevel(member=ById(one), level="silver", reason="guest", until=until)
    made = await grant_level(grant, by=LI_NA, now=NOW)
    assert await multipliers(one) == [1_250]
    await end_level_grant(made.id, by=LI_NA, now=NOW)
    assert await multipliers(one) == [1_000]


USE: dict[str, Any] = {
    "member_id": ALICE,
    "id": UUID(int=1),
    "used_by": ALICE,
    "perk_id": PERKS[0].id,
    "perk_code": "shipping",
    "level_code": "base",
    "title_zh": "包邮",
    "title_en": "free shipping",
    "used_at": NOW,
    "used_on": NOW.date(),
    "period": "MONTH",
    "began_on": NOW.date(),
    "ordinal": 2,
    "quota": 2,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"ordinal": 3},
        {"ordinal": 0},
        {"ordinal": None},
        {"quota": None},
        {"period": None},
        {"period": "WEEK"},
        {"began_on": None},
        {"began_on": (NOW + days(1)).date()},
        {"reference": ""},
        # A number of the same period that is there already.
        {"id": UUID(int=2)},
        {"id": UUID(int=2), "member_id": BOB},
    ],
)
async def test_the_table_holds_the_quota_itself(changes: dict[str, Any]) -> None:
    await PERK_USES.insert([USE])
    altered = USE | {"id": UUID(int=3), "ordinal": 1} | changes
    if "id" in changes:
        altered["ordinal"] = 2
    before = await fetch_all("SELECT * FROM perk_use")
    with pytest.raises(Exception, match=r"(?i)perk_use|constraint"):
        await PERK_USES.insert([altered])
    assert await fetch_all("SELECT * FROM perk_use") == before
