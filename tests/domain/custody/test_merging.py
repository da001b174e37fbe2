"""What of two records becomes one: the profile, interests, and rows that both have."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from domain import members, program, recommendations
from domain.custody import (
    ExportStatus,
    Merge,
    MergeBecause,
    bind_phone,
    data_export,
    last_merge_of,
    merge,
    part,
    request_export,
    were_parted,
)
from domain.custody.merging import UNDOABLE
from domain.errors import MergeNotUndoable
from domain.members import ByExternalReference, ById, ByPhone, SetConsent, UpdateProfile
from domain.recommendations import BehaviorEvent
from domain.storage import execute, fetch_all, transaction
from tests.domain.ledger.commands import NOW, SHANGHAI, days
from tests.graphql.kept import everything_kept
from tests.graphql.programme import consent_text

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


PHONE = "+8613800138000"
OTHER_PHONE = "+8613800138001"


async def known_by_phone_only(member_id: UUID, phone: str) -> None:
    await bind_phone(member_id, phone, now=NOW - days(9))
    await execute("DELETE FROM member_identity WHERE member_id = $1 AND kind <> 'phone'", member_id)


async def numbers() -> list[tuple[UUID, datetime, datetime | None]]:
    """Whose sealed numbers there are, and since when each is bound, as both tables say it."""
    rows = await fetch_all(
        "SELECT p.member_id, p.bound_at, i.bound_at AS known_since FROM member_phone p"
        " LEFT JOIN member_identity i ON i.member_id = p.member_id AND i.id = p.id"
    )
    return [(row["member_id"], row["bound_at"], row["known_since"]) for row in rows]


async def test_a_number_that_was_bound_is_given_back_as_it_was() -> None:
    keeper, loser = await two()
    await known_by_phone_only(loser, PHONE)
    before = await numbers()
    await bind_phone(keeper, PHONE, now=NOW)
    # It is shown as the newest of the keeper's, who is known by it for as long as the other was.
    assert await numbers() == [(keeper, NOW, NOW - days(9))]
    merged = await last_merge_of(keeper)
    assert merged is not None
    await transaction(partial(part, merged, by="staff:x", now=NOW))
    assert await numbers() == before == [(loser, NOW - days(9), NOW - days(9))]


async def test_a_number_that_was_replaced_meanwhile_is_given_back() -> None:
    keeper, loser = await two()
    await known_by_phone_only(loser, PHONE)
    await bind_phone(keeper, PHONE, now=NOW)
    merged = await last_merge_of(keeper)
    assert merged is not None
    await bind_phone(keeper, OTHER_PHONE, now=NOW)
    # It leads to nobody, who may be somebody by tomorrow, and is not shown.
    assert await members.resolve_members([ByPhone(PHONE), ByPhone(OTHER_PHONE)]) == [None, keeper]
    assert await members.phones_of([keeper]) == {keeper: OTHER_PHONE}
    assert await members.forget_given_up_phones(now=NOW + UNDOABLE - timedelta(seconds=1)) == 0
    await transaction(partial(part, merged, by="staff:x", now=NOW))
    assert await members.resolve_members([ByPhone(PHONE), ByPhone(OTHER_PHONE)]) == [loser, keeper]
    assert await members.phones_of([keeper, loser]) == {keeper: OTHER_PHONE, loser: PHONE}
    assert (loser, NOW - days(9), NOW - days(9)) in await numbers()
    assert await members.forget_given_up_phones(now=NOW + days(9)) == 0


async def test_a_number_that_is_somebodys_by_then_stays_theirs() -> None:
    keeper, loser = await two()
    third = (await members.register_external_members([ByExternalReference("third")], now=NOW))[
        "third"
    ]
    await known_by_phone_only(loser, PHONE)
    await bind_phone(keeper, PHONE, now=NOW)
    merged = await last_merge_of(keeper)
    assert merged is not None
    await bind_phone(keeper, OTHER_PHONE, now=NOW)
    await bind_phone(third, PHONE, now=NOW)
    await transaction(partial(part, merged, by="staff:x", now=NOW))
    assert await members.phones_of([keeper, loser, third]) == {keeper: OTHER_PHONE, third: PHONE}
    assert len(await numbers()) == 2


async def test_a_number_that_was_replaced_goes_when_the_merge_stays() -> None:
    keeper, loser = await two()
    await known_by_phone_only(loser, PHONE)
    await bind_phone(keeper, PHONE, now=NOW)
    await bind_phone(keeper, OTHER_PHONE, now=NOW)
    assert {one for one, _, _ in await numbers()} == {keeper, loser}
    assert await members.forget_given_up_phones(now=NOW + UNDOABLE) == 1
    assert await numbers() == [(keeper, NOW, NOW)]


@pytest.mark.parametrize("late", [timedelta(0), UNDOABLE])
async def test_a_number_is_kept_only_for_a_merge_that_can_be_undone(late: timedelta) -> None:
    keeper, loser = await two()
    await known_by_phone_only(loser, PHONE)
    await bind_phone(keeper, PHONE, now=NOW)
    await bind_phone(keeper, OTHER_PHONE, now=NOW + late)
    assert len(await numbers()) == (1 if late else 2)
    # Who takes the number back takes back what is kept of it.
    assert await transaction(partial(members.unbind_phones, keeper)) == 1
    assert await numbers() == []


async def test_the_later_merge_is_the_one_that_was_done_later() -> None:
    """The first that was asked for waited for the second: it is the one that staff undo first."""
    keeper, loser = await two()
    third = (await members.register_external_members([ByExternalReference("third")], now=NOW))[
        "third"
    ]
    because, by = MergeBecause.STAFF, "staff:x"
    first = await joined(keeper, loser)
    waited = NOW - timedelta(seconds=1)
    second = await transaction(partial(merge, keeper, third, because=because, by=by, now=waited))
    assert first is not None
    assert second is not None
    assert await last_merge_of(keeper) == second
    before = await everything_kept()
    with pytest.raises(MergeNotUndoable):
        await transaction(partial(part, first, by=by, now=NOW))
    assert await everything_kept() == before
    assert (await transaction(partial(part, second, by=by, now=NOW))).undone_at == NOW


async def test_an_export_that_left_with_the_other_record_is_withdrawn() -> None:
    """Asked again with the key with which it was theirs, while they were one."""
    keeper, loser = await two()
    asked = await request_export(loser, idempotency_key="bob", now=NOW)
    merged = await joined(keeper, loser)
    assert merged is not None
    assert (await request_export(keeper, idempotency_key="alice", now=NOW)).id == asked.id
    await transaction(partial(part, merged, by="staff:x", now=NOW))
    again = await request_export(keeper, idempotency_key="alice", now=NOW)
    assert (again.member_id, again.id, again.token) == (keeper, asked.id, None)
    assert again.status is ExportStatus.FAILED
    assert await data_export(keeper, export_id=asked.id, now=NOW) is None
    own = await request_export(keeper, idempotency_key="own", now=NOW)
    assert (own.member_id, own.status) == (keeper, ExportStatus.QUEUED)


async def say(member_id: UUID, granted: bool, *purposes: str, now: datetime = NOW) -> None:
    for purpose in purposes:
        said = SetConsent(member_id=member_id, purpose=purpose, granted=granted, version="1")
        await recommendations.set_consent(said, now=now)


async def agreed(member_id: UUID) -> set[str]:
    return {one.purpose for one in await members.consents(member_id) if one.granted}


async def test_what_was_withdrawn_while_they_were_one_is_withdrawn_by_both() -> None:
    """Nobody knows which of the two it was; whoever it was not may agree again."""
    keeper, loser = await two()
    purposes = ("marketing", "personalization", recommendations.BEHAVIOR_TRACKING, "terms")
    await members.publish_consent_texts([consent_text(one, "1") for one in purposes], now=NOW)
    await say(keeper, True, "marketing")
    await say(loser, True, "marketing", "personalization", "terms")
    merged = await joined(keeper, loser)
    assert merged is not None
    later = NOW + timedelta(seconds=1)
    await say(keeper, False, "marketing", "personalization", now=later)
    await say(keeper, True, "marketing", recommendations.BEHAVIOR_TRACKING, now=later)
    seen = BehaviorEvent(event_id="e", kind="view", product_id=None, theme=None, at=later)
    assert await recommendations.track_behavior(keeper, [seen], now=later) == 1
    assert await agreed(keeper) == {"marketing", "terms", recommendations.BEHAVIOR_TRACKING}
    await transaction(partial(part, merged, by="staff:x", now=later))
    # What the keeper agreed to before, and agreed to again, holds; what came meanwhile may not be.
    assert (await agreed(keeper), await agreed(loser)) == ({"marketing"}, {"terms"})
    assert await fetch_all("SELECT id FROM behavior_event") == []


@pytest.mark.parametrize("by_phone_alone", [False, True])
async def test_a_number_that_was_bound_meanwhile_may_be_the_others(by_phone_alone: bool) -> None:
    """Whoever bound it while they were one could sign in with it, and would be the keeper."""
    keeper, loser = await two()
    if by_phone_alone:
        await known_by_phone_only(keeper, PHONE)
    merged = await joined(keeper, loser)
    assert merged is not None
    later = NOW + timedelta(seconds=1)
    await bind_phone(keeper, OTHER_PHONE, now=later)
    await transaction(partial(part, merged, by="staff:x", now=later))
    # It stays only where the keeper would be known by nothing at all.
    kept = keeper if by_phone_alone else None
    assert await members.resolve_members([ByPhone(OTHER_PHONE), ByPhone(PHONE)]) == [kept, None]
    assert [one for one, _, _ in await numbers()] == ([keeper] if by_phone_alone else [])
    if not by_phone_alone:
        await bind_phone(keeper, OTHER_PHONE, now=later)
        assert await members.phones_of([keeper]) == {keeper: OTHER_PHONE}
