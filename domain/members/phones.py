"""Phone numbers of members: bound like any identity, stored sealed, found by a blind index.

A phone identity's subject is the blind index of the number; the number itself stands sealed in
`member_phone`, under the same id. Keys change while the service goes on, so a look-up asks for the
index under each key, and whoever binds a number holds its lock until the commit: of two who bind
the same one, even under different keys, the second finds what the first wrote.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import phonenumbers
from cryptography.exceptions import InvalidTag
from uuid_utils.compat import uuid7

from domain.errors import InvalidInput
from domain.members.phone_keys import PhoneKeysInvalid, PhoneVault, Sealed, phone_vault
from domain.members.standing import bound_to, records_of
from domain.members.values import IdentityKind
from domain.storage import Row, Table, dialect, execute, fetch_all, inside_transaction

PHONE_CHARACTERS_MAX: Final = 32
HOME_REGION: Final = "CN"
"""Where a number without a country code is dialled."""

_IDENTITY: Final = Table(
    "member_identity",
    member_id="uuid",
    id="uuid",
    kind="text",
    app_id="text",
    subject="text",
    bound_at="timestamptz",
)
_PHONE: Final = Table(
    "member_phone",
    member_id="uuid",
    id="uuid",
    sealed="bytea",
    key_id="text",
    bound_at="timestamptz",
)


# Wide forms of plus, brackets and hyphen too, and dashes of any length.
_WRITTEN: Final = re.compile(r"\s*[+\uff0b]?[\d\s()./\-\u2010-\u2015\uff08\uff09\uff0d]+")


def parse_phone(text: str, *, field: Sequence[str] = ("phone",)) -> str:
    """The number in E.164; InvalidInput for what is no number that can be dialled.

    A number without a country code is one of HOME_REGION. Only digits and what people write between
    them count: an extension, or anything unseen, is no part of a number.
    """
    if len(text) <= PHONE_CHARACTERS_MAX and _WRITTEN.fullmatch(text):
        try:
            number = phonenumbers.parse(text, HOME_REGION)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    raise InvalidInput(field=tuple(field), rule="a phone number, like +8613800138000")


def mask_phone(phone: str) -> str:
    """Enough of the number (E.164) for its owner to know it again: "+86138****8000"."""
    number = phonenumbers.parse(phone, None)
    national = phonenumbers.national_significant_number(number)
    shown = 3 if len(national) >= 10 else 0
    hidden = "*" * max(len(national) - shown - 4, 4)
    return f"+{number.country_code}{national[:shown]}{hidden}{national[-4:]}"


async def bind_phone_identity(member_id: UUID, phone: str, *, now: datetime) -> None:
    """Let the number (E.164) lead to the member. It may lead to nobody yet.

    Inside a transaction that holds `lock_phone` and looked the number up.
    """
    await bind_phone_identities([(member_id, phone)], now=now)


async def bind_phone_identities(bindings: Iterable[tuple[UUID, str]], *, now: datetime) -> None:
    """The same for a batch, in a fixed number of statements."""
    assert inside_transaction(), "an identity and its number are written together"
    vault = phone_vault()
    fresh = [(member_id, uuid7(), phone) for member_id, phone in bindings]
    await _IDENTITY.insert(
        {
            "member_id": member_id,
            "id": identity_id,
            "kind": IdentityKind.PHONE.value,
            "app_id": "",
            "subject": vault.index(phone),
            "bound_at": now,
        }
        for member_id, identity_id, phone in fresh
    )
    await _PHONE.insert(_sealed_row(vault, *binding, now) for binding in fresh)


async def unbind_phones(member_id: UUID) -> int:
    """Let no number lead to the member any more, nor be kept of them; how many did."""
    assert inside_transaction(), "an identity and its number go together"
    # What `replace_phones` has kept of them goes too.
    records = list(await records_of([member_id]))
    await execute("DELETE FROM member_phone WHERE member_id = ANY($1::uuid[])", records)
    return await execute(
        "DELETE FROM member_identity WHERE member_id = $1 AND kind = 'phone'", member_id
    )


async def lock_phone(phone: str) -> None:
    """Wait for others who bind this number, or ask for its codes, until they have committed."""
    await lock_phones([phone])


async def lock_phones(phones: Iterable[str]) -> None:
    """The same for several numbers, in one order for everybody.

    Under each key's index: two processes of which one knows a newer key share the other ones. On
    SQLite a transaction holds the database's one lock already.
    """
    assert inside_transaction(), "a lock lasts as long as its transaction"
    if dialect() != "postgres":
        return
    vault = phone_vault()
    indexes = {index for phone in phones for index in vault.indexes(phone)}
    await execute(
        "SELECT pg_advisory_xact_lock(key) FROM"
        " (SELECT unnest($1::bigint[]) AS key ORDER BY key) AS keys",
        sorted({int.from_bytes(bytes.fromhex(index)[:8], signed=True) for index in indexes}),
    )


async def members_by_phones(phones: Iterable[str]) -> Mapping[str, UUID]:
    """The member to whom each number (E.164) leads, in one statement; unknown ones are left out."""
    vault = phone_vault()
    asked = {index: phone for phone in set(phones) for index in vault.indexes(phone)}
    if not asked:
        return {}
    rows = await bound_to(
        "i.kind = 'phone' AND i.app_id = '' AND i.subject = ANY($1::text[])", list(asked)
    )
    return {asked[row["subject"]]: to for row, to in rows}


async def phones_of(member_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """The number (E.164) of each member, the newest where there are several; in one statement."""
    rows = await _rows_of(member_ids)
    vault = phone_vault() if rows else None
    return {row["member_id"]: open_row(vault, row) for row in rows if vault is not None}


async def all_phones_of(member_ids: Collection[UUID]) -> Sequence[str]:
    """All numbers (E.164) of these members, in the order in which they were bound."""
    return [open_row(phone_vault(), row) for row in await _rows_of(member_ids)]


async def readable_phones_of(member_ids: Collection[UUID]) -> Sequence[str]:
    """Those of them that can be opened: a key may be lost, or a row damaged."""
    found = []
    for row in await _rows_of(member_ids):
        with suppress(InvalidTag, PhoneKeysInvalid):
            found.append(open_row(phone_vault(), row))
    return found


async def _rows_of(member_ids: Collection[UUID]) -> Sequence[Row]:
    return await fetch_all(
        "SELECT member_id, id, sealed, key_id FROM member_phone"
        " WHERE member_id = ANY($1::uuid[]) ORDER BY bound_at, id",
        list(member_ids),
    )


async def phone_masked(member_id: UUID) -> str | None:
    """The member's number with its middle hidden; None where none is bound."""
    phone = (await phones_of([member_id])).get(member_id)
    return None if phone is None else mask_phone(phone)


def open_row(vault: PhoneVault, row: Row) -> str:
    """The number in a row of member_phone that has id, sealed and key_id."""
    identity_id: UUID = row["id"]
    return vault.open(Sealed(row["key_id"], bytes(row["sealed"])), bound_to=identity_id.bytes)


def _sealed_row(
    vault: PhoneVault, member_id: UUID, identity_id: UUID, phone: str, now: datetime
) -> dict[str, Any]:
    sealed = vault.seal(phone, bound_to=identity_id.bytes)
    return {
        "member_id": member_id,
        "id": identity_id,
        "sealed": sealed.content,
        "key_id": sealed.key_id,
        "bound_at": now,
    }
