"""Notes of staff on a member: what helps to serve them, and what nobody but staff is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import audit, idempotency
from domain.audit import Actor, Target
from domain.errors import MemberNotFound
from domain.members.references import MemberRef, as_named, lock_resolved
from domain.members.standing import heirs
from domain.members.timeline import TimelineItem, keep_timeline_items
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, Table, fetch_all, fetch_one, transaction
from domain.texts import clean_text

NOTE_CHARACTERS_MAX: Final = 2_000
NOTE_ADDED: Final = "NOTE_ADDED"
"""The kind of a note's item in the timeline, which staff alone sees."""

_NOTES: Final = Table(
    "member_note",
    member_id="uuid",
    id="uuid",
    text="text",
    written_by="uuid",
    author="text",
    at="timestamptz",
)
_COLUMNS: Final = "member_id, id, text, author, at"
_END: Final = (datetime(9999, 12, 30, tzinfo=UTC), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class AddMemberNote:
    """Write something down about a member: 1 to 2,000 characters."""

    member: MemberRef
    text: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberNote:
    """A note; `author` as the audit log names whoever wrote it."""

    member_id: UUID
    id: UUID
    text: str
    author: str
    at: datetime

    @property
    def key(self) -> str:
        """What names the note in the whole programme."""
        return f"{self.member_id}:{self.id}"


async def add_member_note(command: AddMemberNote, *, by: Actor, now: datetime) -> MemberNote:
    """Keep the note, and tell the audit log that there is one; the same key gives the same note.

    Refused: InvalidInput, MemberNotFound, IdempotencyConflict.
    """
    idempotency.checked_key(command.idempotency_key)
    clean_text(
        command.text,
        field=("text",),
        characters_min=1,
        characters_max=NOTE_CHARACTERS_MAX,
        lines=True,
    )
    assert by.account_id is not None, "notes are written by accounts of staff"
    scope = f"members.note:{by.account_id}"

    async def work() -> MemberNote:
        # The member as named: a merge meanwhile makes no other request of it.
        digests = idempotency.digests({"member": as_named(command.member), "text": command.text})
        answer = await idempotency.recall_answer(scope, command.idempotency_key, digests)
        if answer is not None:
            return await _told_again(answer, by=by, now=now)
        [member_id] = await lock_resolved([command.member])
        if member_id is None:
            raise MemberNotFound(field=("member",))
        note = MemberNote(
            member_id=member_id, id=uuid7(), text=command.text, author=by.name, at=now
        )
        await _keep(note, by=by, now=now)
        answer = {"member_id": str(member_id), "note_id": str(note.id)}
        known = {command.idempotency_key: (digests, answer)}
        await idempotency.remember(scope, known, now=now)
        return note

    return await transaction(work)


async def member_notes(member_id: UUID, page: PageRequest) -> Page[MemberNote]:
    """A page of the notes on the member, newest first, by the key (at, id)."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM member_note WHERE member_id = $1 AND (at, id) < ($2, $3)"
        " ORDER BY at DESC, id DESC LIMIT $4",
        *(member_id, *(page.after or _END), page.limit),
    )
    notes = [_note(row) for row in rows]
    return page_of(notes, first=page.first, key=lambda note: (note.at, note.id))


async def _keep(note: MemberNote, *, by: Actor, now: datetime) -> None:
    # No event: the streams are what members follow, and a note is hidden from them.
    await _NOTES.insert(
        [
            {
                "member_id": note.member_id,
                "id": note.id,
                "text": note.text,
                "written_by": by.account_id,
                "author": note.author,
                "at": note.at,
            }
        ]
    )
    item = TimelineItem(
        member_id=note.member_id,
        id=note.id,
        occurred_at=note.at,
        kind=NOTE_ADDED,
        channel=None,
        facts={},
        for_staff=True,
    )
    await keep_timeline_items([item])
    _record(by, note.member_id, note.id, now=now)


async def _told_again(answer: Mapping[str, str], *, by: Actor, now: datetime) -> MemberNote:
    """The note, of whoever has the record now that it was written on."""
    leads = await heirs([UUID(answer["member_id"])])
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM member_note WHERE member_id = ANY($1::uuid[]) AND id = $2",
        *(list(leads.values()), UUID(answer["note_id"])),
    )
    if row is None:
        raise MemberNotFound(field=("member",))
    note = _note(row)
    _record(by, note.member_id, note.id, now=now)
    return note


def _record(by: Actor, member_id: UUID, note_id: UUID, *, now: datetime) -> None:
    # That there is a note, never what it says: the log outlives an erasure.
    target = Target(kind="member", id=str(member_id))
    audit.record(by, "note.add", target=target, after={"note": str(note_id)}, now=now)


def _note(row: Row) -> MemberNote:
    return MemberNote(
        member_id=row["member_id"],
        id=row["id"],
        text=row["text"],
        author=row["author"],
        at=row["at"],
    )
