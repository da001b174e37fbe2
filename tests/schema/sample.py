"""A small schema that uses every shared part once: notes that members write.

Its "domain" is a list in memory; what is proven with it is the schema's and the edge's behaviour,
not that of any context.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Annotated
from uuid import UUID

import strawberry

from domain.access import StaffRole
from domain.errors import IdempotencyConflict, InsufficientPoints, InvalidInput, MemberNotFound
from domain.paging import Page, PageRequest, page_of
from resolvers.context import NotAllowed, RequestContext
from schema.building import JifenSchema, make_schema
from schema.connections import After, Connection, First, KeysetList
from schema.documents import DocumentLimits
from schema.fields import (
    Info,
    argument,
    computed,
    enum_type,
    field,
    input_type,
    interface_type,
    object_type,
    view,
)
from schema.mutations import Payload, mutation
from schema.node import Node, decode_uuid, node_type, resolve_node
from schema.policies import OWNER, PUBLIC, scope, staff
from schema.scalars import URL, Fen, PhoneNumber, Points

MEMBER_A = UUID("019a0000-0000-7000-8000-00000000000a")
MEMBER_B = UUID("019a0000-0000-7000-8000-00000000000b")
SECRET = "select secret from vault at /srv/private"


class Mood(StrEnum):
    """How a note was meant."""

    KIND = "kind"
    """Kindly."""

    CROSS = "cross"
    """Crossly."""


enum_type(Mood)


@dataclass(frozen=True, slots=True)
class StoredNote:
    """A note as the domain has it."""

    note_id: UUID
    owner: UUID
    text: str
    mood: Mood
    written_at: datetime


NOTES = [
    StoredNote(
        note_id=UUID(int=number + 1),
        owner=MEMBER_A,
        text=f"note {number}",
        mood=Mood.KIND,
        written_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
    )
    for number in range(25)
]
WRITTEN: list[str] = []
NOTE_LIST = KeysetList("notes", (datetime, UUID))
OTHER_LIST = KeysetList("others", (datetime, UUID))


async def load_note(context: RequestContext, key: UUID) -> StoredNote | None:
    """The caller's own note."""
    found = next((note for note in NOTES if note.note_id == key), None)
    return found if found is not None and found.owner == context.member_id else None


async def notes_of(context: RequestContext, request: PageRequest) -> Page[StoredNote]:
    """The caller's own notes, oldest first."""
    member = context.require_member()
    own = [note for note in NOTES if note.owner == member]
    if request.after is not None:
        after = request.after
        own = [note for note in own if (note.written_at, note.note_id) > after]
    return page_of(
        own[: request.limit],
        first=request.first,
        key=lambda note: (note.written_at, note.note_id),
    )


@node_type(policy=OWNER, key="note_id", load=load_note, reads=StoredNote)
class Note(Node):
    """A note that a member wrote."""

    text: str
    """What it says."""

    mood: Mood
    """How it was meant."""

    written_at: datetime
    """When it was written."""

    @computed(OWNER | staff(StaffRole.SUPPORT))
    def length(self) -> int:
        """How many characters it has."""
        return len(self.text)


@interface_type(policy=PUBLIC)
class Thing:
    """Something with a name."""

    name: str
    """What it is called."""


@object_type(policy=PUBLIC)
class OpenThing(Thing):
    """A thing for everybody."""


@object_type(policy=staff(StaffRole.SUPPORT))
class ClosedThing(Thing):
    """A thing for staff, with a name that everybody may know."""

    @computed(staff(StaffRole.SUPPORT))
    def label(self) -> str:
        """What staff call it."""
        return self.name


@object_type(policy=OWNER)
class Me:
    """The member who asks."""

    phone: PhoneNumber
    """The telephone number."""

    @computed(OWNER)
    async def notes(self, info: Info, first: First = 20, after: After = None) -> Connection[Note]:
        """What the member wrote, oldest first."""
        request = NOTE_LIST.request(first=first, after=after)
        page = await notes_of(info.context, request)
        return NOTE_LIST.connection(page, request)

    @computed(OWNER)
    async def others(self, info: Info, first: First = 20, after: After = None) -> Connection[Note]:
        """The same list under another tag."""
        request = OTHER_LIST.request(first=first, after=after)
        page = await notes_of(info.context, request)
        return OTHER_LIST.connection(page, request)


@object_type(policy=scope("purchases:write"))
class Partner:
    """The shop or partner who asks."""

    name: str
    """What it is called."""


@object_type(policy=staff(StaffRole.SUPPORT))
class StaffDesk:
    """What staff see."""

    motto: str
    """What they live by."""


@object_type(policy=PUBLIC)
class Echo:
    """What was given, given back."""

    points: Points | None = None
    """Points."""

    fen: Fen | None = None
    """Money."""

    at: datetime | None = None
    """A moment."""

    day: date | None = None
    """A day."""

    url: URL | None = None
    """An address."""

    phone: PhoneNumber | None = None
    """A telephone number."""

    text: str | None = None
    """A text."""


@input_type()
class EchoInput:
    """What to give back."""

    points: Points | None = None
    """Points."""

    fen: Fen | None = None
    """Money."""

    at: datetime | None = None
    """A moment."""

    day: date | None = None
    """A day."""

    url: URL | None = None
    """An address."""

    phone: PhoneNumber | None = None
    """A telephone number."""

    text: str | None = None
    """A text."""


@input_type(one_of=True)
class NoteRef:
    """Names a note in one of two ways."""

    id: strawberry.ID | None = strawberry.UNSET
    """By its id."""

    text: str | None = strawberry.UNSET
    """By what it says."""


@object_type()
class Query:
    """What can be asked."""

    node: Node | None = field(PUBLIC, resolver=resolve_node)
    """Any object by its id."""

    @computed(PUBLIC)
    def ping(self) -> str:
        """Always pong."""
        return "pong"

    @computed(PUBLIC)
    def itself(self) -> Query:
        """The root again, to go deep."""
        return Query()

    @computed(OWNER)
    def me(self) -> Me | None:
        """The member who asks."""
        return Me(phone=PhoneNumber("+8613800138000"))

    @computed(scope("purchases:write") | scope("rewards:write"))
    def partner(self) -> Partner | None:
        """The shop or partner who asks."""
        return Partner(name="shop")

    @computed(staff(StaffRole.SUPPORT, StaffRole.ADMIN))
    def staff(self) -> StaffDesk | None:
        """What staff see."""
        return StaffDesk(motto="be kind")

    @computed(PUBLIC)
    def things(self) -> list[Thing]:
        """Things of both kinds."""
        return [OpenThing(name="open"), ClosedThing(name="closed")]

    @computed(PUBLIC)
    def echo(self, given: Annotated[EchoInput, argument("What to give back.")]) -> Echo:
        """Gives back what it is given."""
        return Echo(**vars(given))

    @computed(PUBLIC)
    def find(self, by: Annotated[NoteRef, argument("Which note.")]) -> str:
        """Says which way the note was named."""
        return f"{by.id} {by.text}"

    @computed(PUBLIC)
    def note_key(self, id: Annotated[strawberry.ID, argument("An id of a note.")]) -> str | None:
        """The key in the id of a note."""
        return str(decode_uuid(id, "Note"))

    @computed(PUBLIC)
    def broken(self) -> str | None:
        """Fails by a fault of ours."""
        raise RuntimeError(SECRET)

    @computed(PUBLIC)
    async def overflowing(self) -> Points | None:
        """Gives what does not fit its type."""
        await asyncio.sleep(0)
        return Points(2**53)

    @computed(PUBLIC)
    def refused(self) -> str | None:
        """Refuses, outside of a mutation."""
        raise InsufficientPoints(available=3, requested=10)

    @computed(PUBLIC)
    def forbidden(self) -> str | None:
        """Is not allowed."""
        raise NotAllowed

    @computed(PUBLIC)
    def needs_member(self, info: Info) -> str | None:
        """Asks for a member by itself."""
        return str(info.context.require_member())

    @computed(PUBLIC)
    def about(self, info: Info) -> str:
        """The language and the caller of the request."""
        caller = info.context.caller
        return f"{info.context.language} {caller.kind if caller else 'anonymous'}"


@input_type()
class WriteNoteInput:
    """What a note needs."""

    text: str
    """What it says."""


@object_type(policy=PUBLIC)
class WriteNotePayload(Payload):
    """What writing a note led to."""

    note: Note | None = None
    """The note; null when it was refused."""


async def write_note(context: RequestContext, text: str) -> StoredNote:
    """Writes a note, or refuses in the way the text names."""
    owner = context.require_member()
    refusals = {
        "poor": InsufficientPoints(available=3, requested=10),
        "gone": MemberNotFound(),
        "rule": InvalidInput(rule="must be polite", field=("deep_value", "text")),
        "again": IdempotencyConflict(key="k1", differing=("points", "rewardId")),
    }
    if text in refusals:
        raise refusals[text]
    if text == "fail":
        raise RuntimeError(SECRET)
    WRITTEN.append(text)
    return StoredNote(
        note_id=UUID(int=99), owner=owner, text=text, mood=Mood.KIND, written_at=context.now
    )


@object_type()
class Mutation:
    """What can be changed."""

    @mutation(OWNER)
    async def write_note(self, info: Info, input: WriteNoteInput) -> WriteNotePayload:
        """Write a note."""
        note = await write_note(info.context, input.text)
        return WriteNotePayload(note=view(note))

    @mutation(PUBLIC)
    async def knock(self, info: Info, input: WriteNoteInput | None = None) -> WriteNotePayload:
        """Knock; always answered."""
        return WriteNotePayload()


def build_sample(limits: DocumentLimits | None = None) -> JifenSchema:
    """The sample schema under these limits."""
    return _made_once().within(limits or DocumentLimits())


def make_sample() -> JifenSchema:
    """The sample schema, put together anew."""
    return make_schema(query=Query, mutation=Mutation, types=[OpenThing, ClosedThing])


_made_once = cache(make_sample)
