"""Service contacts: the people of the shop to whom a member turns, each in a role of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.errors import InvalidInput, MemberNotFound
from domain.members.profile import CHANNEL_CHARACTERS_MAX
from domain.members.references import MemberRef, lock_resolved
from domain.outbox import Event, announce
from domain.storage import Table, execute, fetch_all, transaction
from domain.texts import clean_code, clean_text

CONTACTS_MAX: Final = 10
ROLE_CHARACTERS_MAX: Final = 64
CONTACT_NAME_CHARACTERS_MAX: Final = 64

_CONTACTS: Final = Table(
    "service_contact",
    member_id="uuid",
    id="uuid",
    position="integer",
    role="text",
    name="text",
    channel="text",
    set_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceContact:
    """Somebody to turn to: what for, who, and the code of the channel by which."""

    role: str
    name: str
    channel: str


async def service_contacts(member_id: UUID) -> Sequence[ServiceContact]:
    """The member's contacts, in the order in which staff put them."""
    rows = await fetch_all(
        "SELECT role, name, channel FROM service_contact WHERE member_id = $1"
        " ORDER BY position, id",
        member_id,
    )
    return [
        ServiceContact(role=row["role"], name=row["name"], channel=row["channel"]) for row in rows
    ]


async def set_service_contacts(
    member: MemberRef, contacts: Sequence[ServiceContact], *, by: Actor, now: datetime
) -> UUID:
    """Let these be the member's contacts, in this order; returns the member's id.

    Setting what is so already writes nothing but the audit log. Refused: InvalidInput, also for
    more than 10, and MemberNotFound.
    """
    _check(contacts)

    async def work() -> UUID:
        # The member's row is the lock: of two who set them one comes after the other.
        [member_id] = await lock_resolved([member])
        if member_id is None:
            raise MemberNotFound(field=("member",))
        before = await service_contacts(member_id)
        if before != list(contacts):
            await _write(member_id, contacts, now=now)
        target = Target(kind="member", id=str(member_id))
        # How many, never who: the log outlives an erasure.
        audit.record(
            by,
            "contacts.set",
            target=target,
            before={"contacts": len(before)},
            after={"contacts": len(contacts)},
            now=now,
        )
        return member_id

    return await transaction(work)


async def _write(member_id: UUID, contacts: Sequence[ServiceContact], *, now: datetime) -> None:
    await execute("DELETE FROM service_contact WHERE member_id = $1", member_id)
    await _CONTACTS.insert(
        {
            "member_id": member_id,
            "id": uuid7(),
            "position": position,
            "role": contact.role,
            "name": contact.name,
            "channel": contact.channel,
            "set_at": now,
        }
        for position, contact in enumerate(contacts)
    )
    facts = {"contacts": len(contacts)}
    await announce([Event(kind="ServiceContactsSet", member_id=member_id, facts=facts)], now=now)


def _check(contacts: Sequence[ServiceContact]) -> None:
    if len(contacts) > CONTACTS_MAX:
        raise InvalidInput(field=("contacts",), rule=f"at most {CONTACTS_MAX} contacts")
    for number, contact in enumerate(contacts):
        path = ("contacts", str(number))
        clean_text(
            contact.role,
            field=(*path, "role"),
            characters_min=1,
            characters_max=ROLE_CHARACTERS_MAX,
        )
        clean_text(
            contact.name,
            field=(*path, "name"),
            characters_min=1,
            characters_max=CONTACT_NAME_CHARACTERS_MAX,
        )
        clean_code(contact.channel, field=(*path, "channel"), characters_max=CHANNEL_CHARACTERS_MAX)
