"""Attachments as they are kept: uploaded, attached to a message, found, swept, erased.

The bytes are in the store, all else in the database. A name is written down as one to be deleted
before its bytes go to the store, and is struck off in the transaction that keeps the attachment;
so whatever happens in between, nothing stays that nobody knows of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import audit, members
from domain.audit import Actor, Target
from domain.errors import AttachmentUnknown, InvalidInput, Refusal
from domain.feedback.attachments.images import CleanImage, MediaType
from domain.feedback.attachments.naming import name_of, stored_name
from domain.feedback.attachments.store import AttachmentStore
from domain.feedback.rules import HELD
from domain.feedback.tickets import CAME_WITH
from domain.storage import (
    Row,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
    inside_transaction,
    transaction,
)

ATTACHMENTS_MAX: Final = 9
"""With one message: what WeChat lets people choose at once."""

WAITING_MAX: Final = 30
"""Files that a member, or one of staff for the member, may have sent that no message has yet."""

WAITS: Final = timedelta(days=1)
"""For how long a file that belongs to no message is kept."""

WRITING: Final = timedelta(hours=1)
"""After so long whoever was writing a file writes it no more."""

SWEPT_AT_ONCE: Final = 200


class TooManyUploads(Exception):
    """Raised when as many files wait for a message as may; `/upload` answers a code of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A picture that was sent. `uploaded_by` is the account of staff, None for the member."""

    member_id: UUID
    id: UUID
    name: str
    media_type: MediaType
    bytes: int
    width: int
    height: int
    uploaded_by: UUID | None
    uploaded_at: datetime
    ticket_id: UUID | None
    message_id: UUID | None

    @property
    def stored_name(self) -> str:
        """What it is called in the store."""
        return stored_name(self.id, self.media_type)


TOLD: Final = "uploaded_by IS NULL OR message_id IS NOT NULL"
"""What an export tells of: what staff chose and did not send is nothing of the member's."""

_HELD: Final = ", ".join(f"'{one.value}'" for one in sorted(HELD))
_NOT_HELD: Final = (
    " AND NOT EXISTS (SELECT 1 FROM ticket_message AS m WHERE m.id = a.message_id"
    f" AND m.text_check IN ({_HELD}))"
)
_COLUMNS: Final = (
    "a.member_id, a.id, a.name, a.media_type, a.bytes, a.width, a.height, a.uploaded_by,"
    " a.uploaded_at, a.ticket_id, a.message_id"
)


async def keep_upload(
    image: CleanImage,
    *,
    sent_name: str,
    member_id: UUID,
    store: AttachmentStore,
    now: datetime,
    uploaded_by: Actor | None = None,
    for_ticket: UUID | None = None,
) -> Attachment:
    """Keep the picture for a message of the member, or of staff to the member in `for_ticket`.

    Of staff, who are `uploaded_by`, it is in the audit log.
    Raises TooManyUploads, and MemberNotFound for somebody who was erased meanwhile; the store has
    nothing of it then. Never inside a transaction.
    """
    assert not inside_transaction(), "no lock is held while a store is waited for"
    assert (for_ticket is None) == (uploaded_by is None), "staff answer in one ticket"
    account_id = None if uploaded_by is None else uploaded_by.account_id
    await _require_room(member_id, account_id, now=now)
    made = uuid7()
    name = stored_name(made, image.media_type)
    await execute(
        "INSERT INTO attachment_leftover (name, delete_at) VALUES ($1, $2)", name, now + WRITING
    )
    await store.put(name, image.content)

    async def work() -> Attachment:
        owner = await members.lock_member(member_id)
        await _require_room(owner, account_id, now=now)
        await execute("DELETE FROM attachment_leftover WHERE name = $1", name)
        kept = await _insert(
            image,
            made,
            owner=owner,
            sent_name=sent_name,
            uploaded_by=account_id,
            for_ticket=for_ticket,
            now=now,
        )
        if uploaded_by is not None:
            target = Target(kind="member", id=str(owner))
            facts = {"attachment": str(made)}
            audit.record(uploaded_by, "attachment.upload", target=target, after=facts, now=now)
        return kept

    try:
        return await transaction(work)
    except (Refusal, TooManyUploads):
        # Of anything else it is not known whether it was committed; the sweep will know.
        await store.delete(name)
        await execute("DELETE FROM attachment_leftover WHERE name = $1", name)
        raise


async def attach(
    attachment_ids: Sequence[UUID],
    *,
    member_id: UUID,
    ticket_id: UUID,
    message_id: UUID,
    uploaded_by: UUID | None = None,
) -> None:
    """Give the files to a message of the member's ticket, in this order, for good.

    `uploaded_by` is the account of staff who writes it; None is the member. Raises
    AttachmentUnknown, which names the place of the first that is not theirs to give: unknown,
    somebody else's, with a message already, or sent by staff for an answer in another ticket.
    Inside the message's transaction, the member locked.
    """
    assert inside_transaction(), "a message has all of its files, or is not there"
    if len(attachment_ids) > ATTACHMENTS_MAX:
        raise InvalidInput(field=("attachment_ids",), rule=f"at most {ATTACHMENTS_MAX} files")
    if len(set(attachment_ids)) != len(attachment_ids):
        raise InvalidInput(field=("attachment_ids",), rule="each file once")
    for place, attachment_id in enumerate(attachment_ids):
        given = await execute(
            "UPDATE attachment SET ticket_id = $2, message_id = $4, place = $5,"
            f" came_with = {CAME_WITH}"
            " WHERE member_id = $1 AND id = $3 AND message_id IS NULL"
            " AND COALESCE(uploaded_by, member_id) = $6"
            " AND COALESCE(for_ticket, $2) = $2",
            *(member_id, ticket_id, attachment_id, message_id, place, uploaded_by or member_id),
        )
        if not given:
            raise AttachmentUnknown(field=("attachment_ids", str(place)))


async def attachments_of(message_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Attachment]]:
    """The files of each of these messages that has some, in their order."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM attachment AS a WHERE a.message_id = ANY($1::uuid[])"
        " ORDER BY a.message_id, a.place",
        list(message_ids),
    )
    found: dict[UUID, list[Attachment]] = {}
    for row in rows:
        found.setdefault(row["message_id"], []).append(_attachment_of(row))
    return found


async def find_attachment(
    attachment_id: UUID, *, member_id: UUID | None = None
) -> Attachment | None:
    """The file with this id, as staff see it; for a member one that is theirs to see.

    A member sees what they sent, and what was sent to them, never what staff note for each other.
    What came with a text that is held is held with it: staff do not see it.
    """
    seen = (
        _NOT_HELD if member_id is None else " AND a.member_id = $2"
        " AND (a.uploaded_by IS NULL OR EXISTS (SELECT 1 FROM ticket_message AS m"
        " WHERE m.id = a.message_id AND m.member_id = a.member_id AND NOT m.internal))"
    )  # fmt: skip
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM attachment AS a WHERE a.id = $1{seen}",
        *(attachment_id, *([] if member_id is None else [member_id])),
    )
    return None if row is None else _attachment_of(row)


async def look_at_attachment(attachment_id: UUID, *, by: Actor, now: datetime) -> Attachment | None:
    """The file with this id, for staff who fetch it; the look is in the audit log."""

    async def work() -> Attachment | None:
        found = await find_attachment(attachment_id)
        target = None if found is None else Target(kind="member", id=str(found.member_id))
        facts = {"attachment": str(attachment_id)}
        audit.record(by, "attachment.read", target=target, after=facts, now=now)
        return found

    return await audit.audited(work)


async def told_pictures(member_ids: Collection[UUID]) -> Sequence[str]:
    """What the files that an export of these members has are called in the store, oldest first."""
    return await _stored(member_ids, f" AND ({TOLD})")


async def member_of_ticket(ticket_id: UUID) -> UUID | None:
    """Whose ticket it is, for staff who send a file with an answer; None where it is nobody's."""
    row = await fetch_one(
        "SELECT t.member_id FROM ticket AS t JOIN member AS m ON m.id = t.member_id"
        " WHERE t.id = $1",
        ticket_id,
    )
    return None if row is None else row["member_id"]


async def forget_attachments(member_ids: Collection[UUID], *, now: datetime) -> None:
    """Have all files of these members deleted, with the transaction that erases them.

    The rows are deleted as the context's other ones are; the sweep deletes what they stood for.
    """
    await _leave(await _stored(member_ids), now=now)


async def sweep_attachments(*, store: AttachmentStore, now: datetime) -> int:
    """Delete what belongs to no message since a day, and whatever nobody needs; how many files.

    It may be done twice, or again after it was cut off: a name is struck off once its file is gone.
    """
    while await transaction(lambda: _leave_waiting(now=now)) == SWEPT_AT_ONCE:
        pass
    swept = 0
    while True:
        rows = await fetch_all(
            "SELECT name FROM attachment_leftover WHERE delete_at <= $1"
            " ORDER BY delete_at, name LIMIT $2",
            *(now, SWEPT_AT_ONCE),
        )
        for row in rows:
            await store.delete(row["name"])
            await execute("DELETE FROM attachment_leftover WHERE name = $1", row["name"])
        swept += len(rows)
        if len(rows) < SWEPT_AT_ONCE:
            return swept


async def _stored(member_ids: Collection[UUID], which: str = "") -> Sequence[str]:
    rows = await fetch_all(
        "SELECT id, media_type FROM attachment"
        f" WHERE member_id = ANY($1::uuid[]){which} ORDER BY id",
        list(member_ids),
    )
    return [stored_name(row["id"], MediaType(row["media_type"])) for row in rows]


async def _leave_waiting(*, now: datetime) -> int:
    rows = await fetch_all(
        "DELETE FROM attachment WHERE id IN (SELECT id FROM attachment"
        " WHERE message_id IS NULL AND uploaded_at <= $1 ORDER BY uploaded_at, id LIMIT $2)"
        " AND message_id IS NULL RETURNING id, media_type",
        *(now - WAITS, SWEPT_AT_ONCE),
    )
    names = [stored_name(row["id"], MediaType(row["media_type"])) for row in rows]
    await _leave(names, now=now)
    return len(names)


async def _leave(names: Sequence[str], *, now: datetime) -> None:
    await execute_many(
        "INSERT INTO attachment_leftover (name, delete_at) VALUES ($1, $2)"
        " ON CONFLICT (name) DO NOTHING",
        [(name, now) for name in names],
    )


async def _require_room(member_id: UUID, account_id: UUID | None, *, now: datetime) -> None:
    """Raise TooManyUploads, where as many of whoever sends wait; others' are not counted."""
    row = await fetch_one(
        "SELECT COUNT(*) AS waiting FROM attachment"
        " WHERE member_id = $1 AND message_id IS NULL AND uploaded_at > $2"
        " AND COALESCE(uploaded_by, member_id) = $3",
        *(member_id, now - WAITS, account_id or member_id),
    )
    assert row is not None, "a count is one row"
    if row["waiting"] >= WAITING_MAX:
        raise TooManyUploads


async def _insert(
    image: CleanImage,
    attachment_id: UUID,
    *,
    owner: UUID,
    sent_name: str,
    uploaded_by: UUID | None,
    for_ticket: UUID | None,
    now: datetime,
) -> Attachment:
    made = Attachment(
        member_id=owner,
        id=attachment_id,
        name=name_of(sent_name, image.media_type),
        media_type=image.media_type,
        bytes=len(image.content),
        width=image.width,
        height=image.height,
        uploaded_by=uploaded_by,
        uploaded_at=now,
        ticket_id=None,
        message_id=None,
    )
    await execute(
        "INSERT INTO attachment (member_id, id, name, media_type, bytes, width, height, sha256,"
        " uploaded_by, for_ticket, uploaded_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        *(owner, made.id, made.name, made.media_type.value, made.bytes, made.width, made.height),
        *(hashlib.sha256(image.content).hexdigest(), uploaded_by, for_ticket, now),
    )
    return made


def _attachment_of(row: Row) -> Attachment:
    return Attachment(
        member_id=row["member_id"],
        id=row["id"],
        name=row["name"],
        media_type=MediaType(row["media_type"]),
        bytes=row["bytes"],
        width=row["width"],
        height=row["height"],
        uploaded_by=row["uploaded_by"],
        uploaded_at=row["uploaded_at"],
        ticket_id=row["ticket_id"],
        message_id=row["message_id"],
    )
