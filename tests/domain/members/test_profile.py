"""The profile on both databases: kept exactly, changed as mentioned, refused by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.errors import InvalidInput, MemberNotFound
from domain.members import (
    ByExternalReference,
    Gender,
    Member,
    UpdateProfile,
    members_by_ids,
    register_external_members,
    update_profile,
)
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import announced, everything_kept

pytestmark = pytest.mark.usefixtures("database")

LATER = NOW + timedelta(days=1)


@pytest.fixture
async def member_id(database: str) -> UUID:
    return (await register_external_members([ByExternalReference("a")], now=NOW))["a"]


async def kept(member_id: UUID) -> Member:
    return (await members_by_ids([member_id]))[member_id]


async def update(member_id: UUID, **changes: Any) -> Member:
    return await update_profile(UpdateProfile(member_id=member_id, **changes), now=LATER)


async def test_everything_is_said_then_cleared(member_id: UUID) -> None:
    before = await kept(member_id)
    said = await update(
        member_id,
        nickname="小明",
        avatar_url="https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132",
        birthday=date(1990, 2, 28),
        gender="female",
        preferred_channel="wechat_mini",
    )
    assert said == replace(
        before,
        nickname="小明",
        avatar_url="https://thirdwx.qlogo.cn/mmopen/vi_32/abc/132",
        birthday=date(1990, 2, 28),
        gender=Gender.FEMALE,
        preferred_channel="wechat_mini",
        version=2,
    )
    assert await kept(member_id) == said

    cleared = await update(
        member_id,
        nickname=None,
        avatar_url=None,
        birthday=None,
        gender=None,
        preferred_channel=None,
    )
    assert cleared == replace(before, version=3)
    assert await kept(member_id) == cleared
    fields = ["nickname", "avatar_url", "birthday", "gender", "preferred_channel"]
    assert (await announced())[1:] == [("ProfileUpdated", {"fields": fields})] * 2


async def test_what_is_not_mentioned_stays(member_id: UUID) -> None:
    said = await update(member_id, nickname="小明", gender="other", birthday=date(2000, 1, 1))
    changed = await update(member_id, gender="male")
    assert changed == replace(said, gender=Gender.MALE, version=3)
    assert (await announced())[-1] == ("ProfileUpdated", {"fields": ["gender"]})


async def test_saying_what_is_so_changes_nothing(member_id: UUID) -> None:
    said = await update(member_id, nickname="小明")
    before = await everything_kept()
    assert await update(member_id, nickname="小明", gender=None) == said
    assert await update(member_id) == said
    assert await everything_kept() == before


async def test_names_come_back_as_they_were_given(member_id: UUID) -> None:
    names = [
        "👨‍👩‍👧‍👦 一家人",
        "محمد بن سلمان",
        "\u05e9\u05dc\u05d5\u05dd",
        "e\u0301 \u00e9",
        "𠮷野家",
        "  spaces  ",
        "O'Neil; DROP TABLE member; --",
        "👍" * 64,
        "$1 ?1 %s {x}",
    ]
    for name in names:
        await update(member_id, nickname=name)
        assert (await kept(member_id)).nickname == name


async def refused(member_id: UUID, **changes: Any) -> InvalidInput:
    """The update is refused and changes nothing."""
    before = await everything_kept()
    with pytest.raises(InvalidInput) as refusal:
        await update(member_id, **changes)
    assert await everything_kept() == before
    return refusal.value


async def test_what_breaks_a_rule(member_id: UUID) -> None:
    broken: list[tuple[str, Any, str]] = [
        ("nickname", "a\x00b", "no control characters"),
        ("nickname", "a\nb", "no control characters"),
        ("nickname", "\ud83d", "no control characters"),
        ("nickname", "👍" * 65, "at most 64 characters"),
        ("avatar_url", "", "an http or https URL"),
        ("avatar_url", "javascript:alert(1)", "an http or https URL"),
        ("avatar_url", "wxfile://tmp_123.jpg", "an http or https URL"),
        ("avatar_url", "//host/a.png", "an http or https URL"),
        ("avatar_url", "https:///a.png", "an http or https URL"),
        ("avatar_url", "https://a b/c.png", "an http or https URL"),
        ("avatar_url", "https://user:secret@host/a.png", "an http or https URL"),
        ("avatar_url", "https://[::1/a.png", "an http or https URL"),
        ("avatar_url", "https://host/\x00.png", "no control characters"),
        ("avatar_url", "https://host/" + "a" * 2036, "at most 2048 characters"),
        ("birthday", date(1899, 12, 31), "not before 1900-01-01"),
        ("birthday", date(2026, 3, 4), "not in the future"),
        ("gender", "", "one of female, male, other"),
        ("gender", "Female", "one of female, male, other"),
        ("gender", "f\x00", "one of female, male, other"),
        ("preferred_channel", "", "at least 1 characters"),
        ("preferred_channel", "c" * 33, "at most 32 characters"),
        ("preferred_channel", "a\x00", "no control characters"),
    ]
    for field, value, rule in broken:
        refusal = await refused(member_id, **{field: value})
        assert (refusal.field, refusal.rule) == ((field,), rule), (field, value)
    # One bad field refuses the whole change.
    refusal = await refused(member_id, nickname="fine", gender="fine")
    assert refusal.field == ("gender",)


async def test_the_bounds_themselves_are_good(member_id: UUID) -> None:
    bounds: list[tuple[str, Any]] = [
        ("avatar_url", "http://127.0.0.1:8000/uploads/1"),
        ("avatar_url", "https://host/" + "a" * 2035),
        ("birthday", date(1900, 1, 1)),
        ("birthday", date(2024, 2, 29)),
        ("preferred_channel", "c" * 32),
    ]
    for field, value in bounds:
        assert getattr(await update(member_id, **{field: value}), field) == value
        assert getattr(await kept(member_id), field) == value


async def test_a_birthday_may_be_today_wherever_the_member_is(member_id: UUID) -> None:
    # 10:00 UTC is midnight, the beginning of the 2nd, in the easternmost zone.
    midnight = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
    command = UpdateProfile(member_id=member_id, birthday=date(2026, 3, 2))
    with pytest.raises(InvalidInput):
        await update_profile(command, now=midnight - timedelta(microseconds=1))
    assert (await update_profile(command, now=midnight)).birthday == date(2026, 3, 2)


async def test_nobodys_profile(member_id: UUID) -> None:
    before = await everything_kept()
    with pytest.raises(MemberNotFound):
        await update(UUID(int=1), nickname="x")
    assert await everything_kept() == before
