"""How others name members, in batches, on both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from api.fake_wechat import DEMO_APP_ID
from domain.members import (
    ByBindToken,
    ByExternalReference,
    ById,
    ByPairwiseReference,
    ByPhone,
    ByWeChat,
    IdentityKind,
    MemberRef,
    external,
    identities,
    members_by_ids,
    register_external_members,
    resolve_members,
)
from domain.storage import observed_statements
from domain.texts import is_storable
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import Door, announced, count, everything_kept
from tests.domain.wechat.mini_program import OTHER_APP_ID

pytestmark = pytest.mark.usefixtures("database")


async def test_each_way_to_name_a_member(door: Door) -> None:
    alice = (await door.sign_in("o-1", unionid="u-1")).member.id
    bob = (await door.sign_in("o-1", app_id=OTHER_APP_ID)).member.id
    carol = (await register_external_members([ByExternalReference("o-1")], now=NOW))["o-1"]
    answers: list[tuple[MemberRef, UUID | None]] = [
        (ById(alice), alice),
        (ById(UUID(int=1)), None),
        (ByWeChat(DEMO_APP_ID, "o-1"), alice),
        (ByWeChat(OTHER_APP_ID, "o-1"), bob),
        (ByWeChat("wx-unknown", "o-1"), None),
        (ByWeChat("", "o-1"), None),
        (ByWeChat(DEMO_APP_ID, "o-2"), None),
        # A unionid and an openid are no external references, nor the other way round.
        (ByExternalReference("u-1"), None),
        (ByExternalReference("o-1"), carol),
        (ByWeChat("", "u-1"), None),
        (ByWeChat(DEMO_APP_ID, "a\x00b"), None),
        (ByExternalReference(""), None),
        (ByExternalReference("a\x00b"), None),
        (ByExternalReference("\ud800"), None),
        (ByExternalReference("a" * 129), None),
        (ByPhone("+8613800138000"), None),
        (ByBindToken("t"), None),
        (ByPairwiseReference("r"), None),
        (ById(alice), alice),
    ]
    assert await resolve_members([ref for ref, _ in answers]) == [to for _, to in answers]


async def test_a_batch_takes_the_same_statements_whatever_its_size(door: Door) -> None:
    alice = (await door.sign_in("o-1")).member.id
    many = [ByExternalReference(f"customer-{number}") for number in range(500)]
    registered = await register_external_members(many, now=NOW)
    batch: list[MemberRef] = [*many, ById(alice), ByWeChat(DEMO_APP_ID, "o-1"), ByPhone("1")]
    with observed_statements() as statements:
        found = await resolve_members(batch)
    assert len(statements) == 2
    assert found == [*(registered[ref.reference] for ref in many), alice, alice, None]
    for refs, expected in (([], 0), ([ByPhone("1")], 1), ([ById(alice)], 1)):
        with observed_statements() as statements:
            await resolve_members(refs)
        assert len(statements) == expected


async def test_unknown_references_join_once(database: str) -> None:
    refs = [ByExternalReference(name) for name in ("b", "a", "b", "محمد 👍")]
    first = await register_external_members(refs, now=NOW)
    assert sorted(first) == ["a", "b", "محمد 👍"]
    assert len(set(first.values())) == 3
    assert await announced() == [("MemberJoined", {"via": "external"})] * 3

    later = NOW + timedelta(days=1)
    again = await register_external_members([*refs, ByExternalReference("c")], now=later)
    assert {name: again[name] for name in first} == first
    assert sorted(again) == ["a", "b", "c", "محمد 👍"]
    assert await count("member") == 4
    members = await members_by_ids(list(again.values()))
    assert members[again["a"]].joined_at == NOW
    assert members[again["c"]].joined_at == later
    (identity,) = await identities(again["c"])
    assert (identity.kind, identity.app_id, identity.subject, identity.bound_at) == (
        IdentityKind.EXTERNAL,
        "",
        "c",
        later,
    )


async def test_registering_takes_the_same_statements_whatever_its_size(database: str) -> None:
    counts = []
    for batch in (["a"], [f"r{number}" for number in range(300)]):
        with observed_statements() as statements:
            await register_external_members([ByExternalReference(ref) for ref in batch], now=NOW)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] <= 6


async def test_what_cannot_be_a_reference_joins_nobody(database: str) -> None:
    refs: list[MemberRef] = [
        ByExternalReference(""),
        ByExternalReference("a\x00b"),
        ByExternalReference("\udc00"),
        ByExternalReference("a" * 129),
        ByExternalReference("a\u200b"),
        ByPhone("+8613800138000"),
        ById(UUID(int=1)),
        ByWeChat(DEMO_APP_ID, "o-1"),
    ]
    before = await everything_kept()
    assert await register_external_members(refs, now=NOW) == {}
    assert await everything_kept() == before


async def test_a_reference_that_hides_something_is_found_where_it_is_known(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ByExternalReference("a\u200b")
    with monkeypatch.context() as as_it_was:
        as_it_was.setattr(external, "is_identity", is_storable)
        joined = await register_external_members([known], now=NOW)
    before = await everything_kept()
    assert await register_external_members([known], now=NOW) == joined
    assert await resolve_members([known]) == [joined["a\u200b"]]
    assert await everything_kept() == before


async def test_members_by_ids(database: str) -> None:
    registered = await register_external_members(
        [ByExternalReference("a"), ByExternalReference("b")], now=NOW
    )
    both = list(registered.values())
    with observed_statements() as statements:
        members = await members_by_ids([*both, UUID(int=1), *both])
    assert len(statements) == 1
    assert sorted(members) == sorted(both)
    assert all(members[each].id == each for each in both)
    assert await members_by_ids([]) == {}
