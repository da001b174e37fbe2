"""Phone numbers bound to members: found by the number, kept sealed, shown masked."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.errors import InvalidInput
from domain.members import (
    ByExternalReference,
    ByPhone,
    IdentityKind,
    bind_phone_identities,
    bind_phone_identity,
    identities,
    lock_phone,
    mask_phone,
    members_by_phones,
    parse_phone,
    phone_masked,
    phone_vault,
    phones_of,
    register_external_members,
    resolve_members,
    unbind_phones,
)
from domain.storage import fetch_all, is_unique_violation, observed_statements, transaction
from tests.domain.access.fixtures import NOW

PHONE = "+8613800138000"
ABROAD = "+442079460958"


async def a_member(reference: str = "a") -> UUID:
    joined = await register_external_members([ByExternalReference(reference)], now=NOW)
    return joined[reference]


async def bind(member_id: UUID, phone: str) -> None:
    async def work() -> None:
        await lock_phone(phone)
        await bind_phone_identity(member_id, phone, now=NOW)

    await transaction(work)


async def test_a_bound_number_leads_to_the_member(database: str) -> None:
    alice, bob = await a_member("a"), await a_member("b")
    await bind(alice, PHONE)
    await bind(bob, ABROAD)
    wanted = [ByPhone(PHONE), ByPhone("+8613800138001"), ByPhone(ABROAD), ByPhone("no\x00number")]
    with observed_statements() as statements:
        assert await resolve_members(wanted) == [alice, None, bob, None]
    assert len(statements) == 1
    assert await members_by_phones([PHONE, "+8613800138001"]) == {PHONE: alice}
    assert await members_by_phones([]) == {}
    assert await phones_of([alice, bob, UUID(int=1)]) == {alice: PHONE, bob: ABROAD}
    assert await phone_masked(alice) == "+86138****8000"
    assert await phone_masked(UUID(int=1)) is None


async def test_a_batch_is_bound_in_the_statements_of_one(database: str) -> None:
    numbers = [f"+86138001380{number:02}" for number in range(40)]
    refs = [ByExternalReference(number) for number in numbers]
    members = await register_external_members(refs, now=NOW)

    async def work() -> None:
        with observed_statements() as statements:
            await bind_phone_identities(((members[one], one) for one in numbers), now=NOW)
        assert len(statements) == 2

    await transaction(work)
    assert await members_by_phones(numbers) == members
    assert await phones_of(list(members.values())) == {members[one]: one for one in numbers}


async def test_the_database_holds_no_number(database: str) -> None:
    alice = await a_member()
    await bind(alice, PHONE)
    rows = [
        *await fetch_all("SELECT * FROM member_identity"),
        *await fetch_all("SELECT * FROM member_phone"),
    ]
    kept = b" ".join(
        value if isinstance(value, bytes) else str(value).encode()
        for row in rows
        for value in dict(row).values()
    )
    assert len(rows) == 3
    assert b"13800138000" not in kept
    [index] = [row["subject"] for row in rows if dict(row).get("kind") == "phone"]
    assert index == phone_vault().index(PHONE)


async def test_the_owner_knows_the_identity_by_the_masked_number(database: str) -> None:
    alice = await a_member("customer-1")
    await bind(alice, PHONE)
    known_by = {one.kind: one.label for one in await identities(alice)}
    assert known_by == {
        IdentityKind.EXTERNAL: "cu…er-1",
        IdentityKind.PHONE: "+86138****8000",
    }


async def test_a_number_leads_to_one_member(database: str) -> None:
    alice, bob = await a_member("a"), await a_member("b")
    await bind(alice, PHONE)
    with pytest.raises(Exception, match=r"(?i)unique") as refused:
        await bind(bob, PHONE)
    assert is_unique_violation(refused.value)
    assert await phones_of([alice, bob]) == {alice: PHONE}


async def test_an_unbound_number_leads_to_nobody(database: str) -> None:
    alice = await a_member()
    await bind(alice, PHONE)
    assert await transaction(lambda: unbind_phones(alice)) == 1
    assert await resolve_members([ByPhone(PHONE)]) == [None]
    assert await phone_masked(alice) is None
    assert [row["n"] for row in await fetch_all("SELECT count(*) AS n FROM member_phone")] == [0]
    assert await transaction(lambda: unbind_phones(alice)) == 0


PARSED = {
    "13800138000": PHONE,
    "138-0013-8000": PHONE,
    "+86 138 0013 8000": PHONE,
    "008613800138000": PHONE,
    "+44 20 7946 0958": ABROAD,
}


@pytest.mark.parametrize("text", PARSED)
def test_a_number_is_understood_however_it_is_written(text: str) -> None:
    assert parse_phone(text) == PARSED[text]


NO_NUMBERS = [
    *("", "1", "abc", "+86", "+861", "+8613800138000x" * 9, "١٢٣", "+8623800138000", "\x00"),
    *("+8613800138000x", "+8613800138000\u200b", "\u200b13800138000", "13800138000 ext. 5"),
    *("tel:+8613800138000", "138\u200d00138000", "1380013800O", "+8613800138000#"),
]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_phone(text, field=("rows", "phone"))
    assert refused.value.field == ("rows", "phone")
    assert refused.value.rule == "a phone number, like +8613800138000"


def test_a_mask_leaves_what_the_owner_knows() -> None:
    assert mask_phone(PHONE) == "+86138****8000"
    assert mask_phone(ABROAD) == "+44207****0958"
    assert mask_phone("+4315123456") == "+43****3456"
