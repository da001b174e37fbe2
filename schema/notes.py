"""Notes of staff on a member, which members are never shown."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import members
from domain.access import StaffRole
from resolvers import notes as resolvers
from schema.connections import KeysetList
from schema.fields import Info, computed, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import encode_global_id
from schema.policies import staff

NOTES = KeysetList("notes", (datetime, UUID))
SERVES = staff(StaffRole.SUPPORT)
"""Who writes and reads notes: those who serve members."""


@object_type(policy=SERVES)
class MemberNote:
    """Something that staff wrote down about a member: hidden needs, what was promised."""

    text: str
    """What it says."""

    author: str
    """Who wrote it: `staff:` and the login."""

    at: datetime
    """When it was written."""

    @computed(SERVES)
    def id(self) -> strawberry.ID:
        """The id of the note."""
        note: members.MemberNote = view(self)
        return encode_global_id("MemberNote", note.key)


@input_type()
class AddMemberNoteInput:
    """What to write down."""

    member: MemberReference
    """About whom."""

    text: str
    """1 to 2,000 characters; it may have several lines."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@object_type(policy=SERVES)
class AddMemberNotePayload(Payload):
    """What writing a note led to."""

    note: MemberNote | None = None
    """The note; null when it was refused."""


@mutation(SERVES)
async def add_member_note(info: Info, input: AddMemberNoteInput) -> AddMemberNotePayload:
    """Write something down about a member, for staff alone."""
    note: MemberNote = view(
        await resolvers.add_member_note(
            info.context,
            input.member.value(field=["member"]),
            text=input.text,
            idempotency_key=input.idempotency_key,
        )
    )
    return AddMemberNotePayload(note=note)
