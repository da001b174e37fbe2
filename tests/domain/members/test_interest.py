"""Interests on both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from domain.errors import InvalidInput, MemberNotFound
from domain.members import (
    ByExternalReference,
    Interest,
    InterestSource,
    interests,
    members_by_ids,
    register_external_members,
    replace_declared_interests,
)
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import announced, everything_kept

pytestmark = pytest.mark.usefixtures("database")

LATER = NOW + timedelta(days=1)


@pytest.fixture
async def member_id(database: str) -> UUID:
    return (await register_external_members([ByExternalReference("a")], now=NOW))["a"]


def declared(*themes: str, at: timedelta = timedelta(0)) -> list[Interest]:
    return [
        Interest(
            theme_code=theme,
            source=InterestSource.DECLARED,
            weight_permille=1000,
            set_at=NOW + at,
        )
        for theme in themes
    ]


async def version(member_id: UUID) -> int:
    return (await members_by_ids([member_id]))[member_id].version


async def test_declared_themes_replace_those_before(member_id: UUID) -> None:
    assert await interests(member_id) == []
    first = await replace_declared_interests(member_id, ["tea", "coffee", "tea"], now=NOW)
    assert first == await interests(member_id) == declared("coffee", "tea")
    assert await version(member_id) == 2

    second = await replace_declared_interests(member_id, ["books", "tea"], now=LATER)
    # What was declared before keeps its moment.
    assert second == declared("books", at=timedelta(days=1)) + declared("tea")
    assert await version(member_id) == 3
    assert (await announced())[1:] == [
        ("InterestsDeclared", {"added": ["coffee", "tea"], "removed": []}),
        ("InterestsDeclared", {"added": ["books"], "removed": ["coffee"]}),
    ]

    assert await replace_declared_interests(member_id, [], now=LATER) == []
    assert await interests(member_id) == []


async def test_declaring_the_same_changes_nothing(member_id: UUID) -> None:
    await replace_declared_interests(member_id, ["tea", "coffee"], now=NOW)
    before = await everything_kept()
    await replace_declared_interests(member_id, ["coffee", "tea"], now=LATER)
    assert await everything_kept() == before


async def test_what_breaks_a_rule_changes_nothing(member_id: UUID) -> None:
    await replace_declared_interests(member_id, ["tea"], now=NOW)
    before = await everything_kept()
    for themes, field in (
        (["coffee", "a\x00b"], ("themes", "1")),
        ([""], ("themes", "0")),
        (["t" * 65], ("themes", "0")),
        (["bell\x07"], ("themes", "0")),
        ([f"t{number}" for number in range(101)], ("themes",)),
    ):
        with pytest.raises(InvalidInput) as refusal:
            await replace_declared_interests(member_id, themes, now=LATER)
        assert refusal.value.field == field
    with pytest.raises(MemberNotFound):
        await replace_declared_interests(UUID(int=1), ["tea"], now=LATER)
    assert await everything_kept() == before


async def test_as_many_as_allowed(member_id: UUID) -> None:
    themes = [f"t{number:03}" for number in range(100)]
    assert await replace_declared_interests(member_id, themes, now=NOW) == declared(*themes)
