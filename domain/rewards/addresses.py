"""Where members have things sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import idempotency
from domain.errors import AddressLimitReached, AddressUnknown
from domain.members import lock_members, own_scope, recall_own, remember_own
from domain.outbox import Event, announce
from domain.storage import Row, execute, fetch_all, fetch_one, transaction
from domain.texts import clean_text

ADDRESSES_MAX: Final = 20

_WHAT: Final = "address.add"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who receives a parcel, and where; `phone` is E.164."""

    recipient: str
    phone: str
    region: str
    street: str
    postcode: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A place that a member keeps."""

    member_id: UUID
    id: UUID
    place: Place

    @property
    def key(self) -> str:
        """What names the address in the whole programme."""
        return f"{self.member_id}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress:
    """Keep a place."""

    member_id: UUID
    place: Place
    idempotency_key: str


async def add_address(command: AddAddress, *, now: datetime) -> Address:
    """Keep another place. Refused: InvalidInput, AddressLimitReached, IdempotencyConflict."""
    idempotency.checked_key(command.idempotency_key)
    _check(command.place)
    digests = idempotency.digests(asdict(command.place))

    async def work() -> Address:
        mine, place = await _standing(command.member_id), command.place
        known = await recall_own(_WHAT, mine, key=command.idempotency_key, digests=digests)
        if known is not None:
            return Address(member_id=mine, id=UUID(known.answer["id"]), place=place)
        made = Address(member_id=mine, id=uuid7(), place=place)
        added = await execute(
            _ADD,
            *(made.member_id, made.id, place.recipient, place.phone, place.region, place.street),
            *(place.postcode, now, ADDRESSES_MAX),
        )
        if not added:
            raise AddressLimitReached(limit=ADDRESSES_MAX)
        # Only which address, never where it is: an event outlives an erasure.
        facts = {"address": str(made.id)}
        event = Event(kind="AddressAdded", member_id=made.member_id, facts=facts)
        await announce([event], now=now)
        await remember_own(
            *(_WHAT, mine),
            key=command.idempotency_key,
            digests=digests,
            answer={"id": str(made.id)},
            now=now,
        )
        return made

    return await transaction(work)


async def remove_address(member_id: UUID, *, address_id: UUID, now: datetime) -> UUID:
    """Forget a place; what was sent there, or is on its way, stays so. Refused: AddressUnknown."""

    async def work() -> UUID:
        mine = await _standing(member_id)
        removed = await execute(
            "DELETE FROM member_address WHERE member_id = $1 AND id = $2", mine, address_id
        )
        if not removed:
            raise AddressUnknown(field=("address_id",))
        facts = {"address": str(address_id)}
        event = Event(kind="AddressRemoved", member_id=mine, facts=facts)
        await announce([event], now=now)
        return address_id

    return await transaction(work)


async def erase_address_keys(member_ids: Collection[UUID]) -> None:
    """Forget which keys the members used to add places.

    What is known of a key are digests of what was said, and a phone number is found by its digest:
    there are few enough to try them all.
    """
    await idempotency.forget([own_scope(_WHAT, one) for one in member_ids])


async def addresses(member_id: UUID) -> Sequence[Address]:
    """The member's places, the newest first; one statement."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM member_address WHERE member_id = $1"
        " ORDER BY added_at DESC, id DESC LIMIT 100",
        member_id,
    )
    return [_address(row) for row in rows]


async def address(member_id: UUID, *, address_id: UUID) -> Address:
    """One place of the member. Refused: AddressUnknown, for another member's alike."""
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM member_address WHERE member_id = $1 AND id = $2",
        *(member_id, address_id),
    )
    if row is None:
        raise AddressUnknown(field=("address_id",))
    return _address(row)


async def _standing(member_id: UUID) -> UUID:
    """The record that the person has now, locked: whoever waited for a merge keeps places there."""
    return (await lock_members([member_id])).get(member_id, member_id)


_COLUMNS: Final = "member_id, id, recipient, phone, region, street, postcode"

_ADD: Final = """
    INSERT INTO member_address
        (member_id, id, recipient, phone, region, street, postcode, added_at)
    SELECT $1::uuid, $2::uuid, $3::text, $4::text, $5::text, $6::text, $7::text, $8::timestamptz
    WHERE (SELECT COUNT(*) FROM member_address AS a WHERE a.member_id = $1) < $9
"""


def _check(place: Place) -> None:
    for name, characters_max in (("recipient", 64), ("region", 128), ("street", 256)):
        clean_text(
            getattr(place, name), field=(name,), characters_min=1, characters_max=characters_max
        )
    if place.postcode is not None:
        clean_text(place.postcode, field=("postcode",), characters_min=1, characters_max=16)


def _address(row: Row) -> Address:
    return Address(
        member_id=row["member_id"],
        id=row["id"],
        place=Place(
            recipient=row["recipient"],
            phone=row["phone"],
            region=row["region"],
            street=row["street"],
            postcode=row["postcode"],
        ),
    )
