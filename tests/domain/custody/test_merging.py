"""What of two records becomes one: the profile, interests, and rows that both have."""

from __future__ import annotations

from datetime import date
from functools import partial
from uuid import UUID

import pytest

from domain import members, program
from domain.custody import Merge, MergeBecause, last_merge_of, merge, part, were_parted
from domain.errors import MergeNotUndoable
from domain.members import ByExternalReference, ById, UpdateProfile
from domain.storage import execute, fetch_all, transaction
from tests.domain.ledger.commands import NOW, SHANGHAI, days
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("_programme")


@pytest.fixture
async def _programme(database: str) -> None:
    del database
    await program.set_up(
        program.Programme(name_zh="茶", name_en="Tea", zone=SHANGHAI, currency="CNY"), now=NOW
    )


async def two() -> tuple[UUID, UUID]:
    joined = await members.register_external_members(
        [ByExternalReference("keeper"), ByExternalReference("loser")], now=NOW
    )
    return joined["keeper"], joined["loser"]


async def joined(keeper: UUID, loser: UUID) -> Merge | None:
    because = MergeBecause.STAFF
    return await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=NOW))


async def shown(member_id: UUID) -> tuple[str, date | None, object, list[str]]:
    member = (await members.members_by_ids([member_id]))[member_id]
    themes = [one.theme_code for one in await members.interests(member.id)]
    return member.nickname, member.birthday, member.joined_at, sorted(themes)


async def test_the_profile_is_filled_and_emptied_again() -> None:
    keeper, loser = await two()
    await execute("UPDATE member SET joined_at = $1 WHERE id = $2", NOW - days(9), loser)
    said = UpdateProfile(member_id=loser, nickname="小李", birthday=date(1990, 5, 4))
    await members.update_profile(said, now=NOW)
    await members.update_profile(UpdateProfile(member_id=keeper, nickname="Li"), now=NOW)
    await members.replace_declared_interests(keeper, ["TEA"], now=NOW)
    await members.replace_declared_interests(loser, ["TEA", "CUPS"], now=NOW)
    before = [await shown(one) for one in (keeper, loser)]

    merged = await joined(keeper, loser)
    assert merged is not None
    assert await shown(keeper) == ("Li", date(1990, 5, 4), NOW - days(9), ["CUPS", "TEA"])
    assert await shown(loser) == await shown(keeper)
    assert await members.resolve_members(
        [ByExternalReference("loser"), ById(loser), ById(keeper)]
    ) == [keeper, keeper, keeper]
    assert await members.records_of([keeper]) == [keeper, loser]
    assert await last_merge_of(loser) == merged

    await transaction(partial(part, merged, by="staff:x", now=NOW))
    assert [await shown(one) for one in (keeper, loser)] == before
    assert await were_parted(loser, keeper)
    assert await last_merge_of(loser) is None


async def test_what_the_keeper_said_meanwhile_stays() -> None:
    keeper, loser = await two()
    said = UpdateProfile(member_id=loser, nickname="小李", birthday=date(1990, 5, 4))
    await members.update_profile(said, now=NOW)
    merged = await joined(keeper, loser)
    assert merged is not None
    await members.update_profile(UpdateProfile(member_id=keeper, nickname="Li"), now=NOW)
    await transaction(partial(part, merged, by="staff:x", now=NOW))
    assert (await shown(keeper))[:2] == ("Li", None)
    assert (await shown(loser))[:2] == ("小李", date(1990, 5, 4))


async def test_a_row_that_both_have_stays_behind_and_is_no_fault() -> None:
    keeper, loser = await two()
    for one in (keeper, loser):
        await execute(
            "INSERT INTO behavior_event (member_id, id, kind, at, recorded_at)"
            " VALUES ($1, $2, 'VIEW', $3, $3)",
            *(one, UUID(int=1), NOW),
        )
    merged = await joined(keeper, loser)
    assert merged is not None
    rows = await fetch_all("SELECT member_id, came_with FROM behavior_event ORDER BY member_id")
    assert {(row["member_id"], row["came_with"]) for row in rows} == {(keeper, None), (loser, None)}
    await transaction(partial(part, merged, by="staff:x", now=NOW))


async def test_one_record_is_not_joined_to_itself_nor_to_nobodys() -> None:
    keeper, loser = await two()
    before = await everything_kept()
    assert await joined(keeper, keeper) is None
    assert await joined(keeper, UUID(int=1)) is None
    assert await everything_kept() == before
    assert await joined(keeper, loser) is not None
    before = await everything_kept()
    assert await joined(loser, keeper) is None
    assert await everything_kept() == before


async def test_after_a_further_merge_be_it_undone_the_first_stays() -> None:
    keeper, loser = await two()
    third = (await members.register_external_members([ByExternalReference("third")], now=NOW))[
        "third"
    ]
    first, second = await joined(keeper, loser), await joined(keeper, third)
    assert first is not None
    assert second is not None
    await transaction(partial(part, second, by="staff:x", now=NOW))
    before = await everything_kept()
    with pytest.raises(MergeNotUndoable):
        await transaction(partial(part, first, by="staff:x", now=NOW))
    assert await everything_kept() == before
