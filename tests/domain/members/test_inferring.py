"""Inferred interests, and who agrees, for many members at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

import pytest

from domain import members
from domain.members import (
    ByExternalReference,
    ConsentText,
    InterestSource,
    SetConsent,
    interests,
    members_by_ids,
    register_external_members,
    replace_declared_interests,
    replace_inferred_interests,
)
from domain.storage import execute, observed_statements, transaction
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import announced, everything_kept

pytestmark = pytest.mark.usefixtures("database")

LATER = NOW + timedelta(days=1)
NAMES = ("a", "b", "c")


@pytest.fixture
async def people(database: str) -> Mapping[str, UUID]:
    return await register_external_members([ByExternalReference(name) for name in NAMES], now=NOW)


async def infer(themes: Mapping[UUID, Mapping[str, int]], *, at: timedelta) -> set[UUID]:
    return await transaction(lambda: replace_inferred_interests(themes, now=NOW + at))


async def test_only_differences_are_written_and_told(people: Mapping[str, UUID]) -> None:
    a, b = people["a"], people["b"]
    await replace_declared_interests(a, ["tea"], now=NOW)
    first = {a: {"tea": 300, "books": 200}, b: {"tea": 100}}
    assert await infer(first, at=timedelta(0)) == {a, b}
    before = await everything_kept()
    assert await infer(first, at=timedelta(days=1)) == set()
    assert await everything_kept() == before

    then = {a: {"books": 250, "bags": 50}, b: {"tea": 100}}
    assert await infer(then, at=timedelta(days=1)) == {a}
    assert await members.inferred_interests([a, b]) == then
    # What is declared beats what is inferred, and stays; a theme that stays keeps its moment.
    assert [(one.theme_code, one.source, one.weight_permille, one.set_at) for one in
            await interests(a)] == [
        ("tea", InterestSource.DECLARED, 1000, NOW),
        ("books", InterestSource.INFERRED, 250, NOW),
        ("bags", InterestSource.INFERRED, 50, LATER),
    ]  # fmt: skip
    assert [facts for kind, facts in await announced() if kind == "InterestsInferred"] == [
        {"added": ["books", "tea"], "removed": []},
        {"added": ["bags"], "removed": ["tea"]},
        {"added": ["tea"], "removed": []},
    ]
    versions = await members_by_ids([a, b])
    assert (versions[a].version, versions[b].version) == (4, 2)

    assert await infer({a: {}, b: {}}, at=timedelta(days=2)) == {a, b}
    assert await members.inferred_interests([a, b]) == {a: {}, b: {}}
    assert await members.declared_themes([a, b]) == {a: {"tea"}}


async def test_a_fixed_number_of_statements(people: Mapping[str, UUID]) -> None:
    ids = list(people.values())
    await infer({one: {"tea": 100, "bags": 100} for one in ids}, at=timedelta(0))

    async def statements(*wanted: UUID, weight: int) -> int:
        with observed_statements() as seen:
            await infer({one: {"tea": weight, "books": 9} for one in wanted}, at=timedelta(days=1))
        return len(seen)

    assert await statements(ids[0], weight=200) == await statements(*ids[1:], weight=300)


async def test_who_agrees_is_who_said_so_last(people: Mapping[str, UUID]) -> None:
    words = {"title_zh": "词", "title_en": "w", "body_zh": "词", "body_en": "w"}
    texts = [ConsentText(purpose=one, version="1", **words) for one in ("shelves", "letters")]
    await members.publish_consent_texts(texts, now=NOW)

    async def say(name: str, purpose: str, *, granted: bool) -> None:
        command = SetConsent(member_id=people[name], purpose=purpose, granted=granted, version="1")
        await members.set_consent(command, now=NOW)

    await say("a", "shelves", granted=True)
    for granted in (True, False):
        await say("b", "shelves", granted=granted)
    await say("c", "letters", granted=True)
    everybody = [*people.values(), UUID(int=7)]
    assert await members.consenting(everybody, "shelves") == {people["a"]}
    assert await members.consenting(everybody, "letters") == {people["c"]}
    with observed_statements() as seen:
        assert await members.consenting([], "shelves") == set()
    assert seen == []


async def test_a_walk_passes_over_records_that_were_given_up(people: Mapping[str, UUID]) -> None:
    ids = sorted(people.values())
    await execute("UPDATE member SET merged_into = $1 WHERE id = $2", ids[0], ids[1])
    assert await members.standing_ids(after=None, limit=10) == [ids[0], ids[2]]
    assert await members.standing_ids(after=None, limit=1) == ids[:1]
    assert await members.standing_ids(after=ids[0], limit=1) == ids[2:]
    assert await members.standing_ids(after=ids[2], limit=1) == []
    assert await members.count_members() == 3
