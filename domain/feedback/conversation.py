"""What was said in tickets, by the member and by staff, and what staff note for each other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.feedback.acting import By
from domain.feedback.rules import HELD, TEXT_CHARACTERS_MAX, Author, TextCheck
from domain.feedback.text_checks import queue_text_check
from domain.feedback.tickets import CAME_WITH
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, execute, fetch_all
from domain.texts import clean_words

_WRITE: Final = f"""
    INSERT INTO ticket_message
        (member_id, ticket_id, id, author_kind, author_id, text, at, internal, rating, text_check,
         came_with)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {CAME_WITH})
"""
_BEGINNING: Final = (UUID(int=0),)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketMessage:
    """One text of a conversation. `author_id` is the account of staff, None for the member.

    `ticket_id` is the ticket in which it was said: another one, where that was merged into this.
    """

    member_id: UUID
    ticket_id: UUID
    id: UUID
    author: Author
    author_id: UUID | None
    written: str
    at: datetime
    internal: bool
    check: TextCheck

    @property
    def held(self) -> bool:
        """Whether only who wrote it may read it."""
        return self.check in HELD


def clean_message(text: str) -> str:
    """The text of a message, as it is kept: 1 to 10,000 characters, in lines; InvalidInput."""
    return clean_words(text, field=("text",), characters_max=TEXT_CHARACTERS_MAX)


async def say(
    text: str,
    *,
    member_id: UUID,
    ticket_id: UUID,
    by: By,
    internal: bool = False,
    rating: bool = False,
    now: datetime,
) -> TicketMessage:
    """Write a message into the ticket, inside the transaction of the act that it belongs to.

    What the member writes is checked afterwards; what staff writes, or writes down, is not. What is
    said with a `rating` is no part of the conversation.
    """
    message_id, check = uuid7(), TextCheck.NOT_CHECKED
    if by.author is Author.MEMBER and by.account_id is None:
        check = await queue_text_check(
            member_id=member_id, ticket_id=ticket_id, message_id=message_id, now=now
        )
    message = TicketMessage(
        member_id=member_id,
        ticket_id=ticket_id,
        id=message_id,
        author=by.author,
        author_id=by.account_id,
        written=text,
        at=now,
        internal=internal,
        check=check,
    )
    await execute(
        _WRITE,
        *(member_id, ticket_id, message.id, by.author.value, by.account_id, text, now),
        *(internal, rating, message.check.value),
    )
    return message


async def unsay_rating(*, member_id: UUID, ticket_id: UUID) -> None:
    """Take back what the member said with a rating, if anything; the ticket is locked."""
    said = "FROM ticket_message WHERE member_id = $1 AND ticket_id = $2 AND rating"
    await execute(
        f"DELETE FROM text_check WHERE member_id = $1 AND message_id IN (SELECT id {said})",
        *(member_id, ticket_id),
    )
    await execute(f"DELETE {said}", member_id, ticket_id)


async def conversations(
    ticket_ids: Collection[UUID], page: PageRequest, *, for_staff: bool = False
) -> Mapping[UUID, Page[TicketMessage]]:
    """The same page of what was said in each of these tickets, oldest first.

    By the key (id,). What was said in tickets that were merged into one stands in that one. What
    staff note for each other is told `for_staff` alone. One statement.
    """
    internal = "" if for_staff else " AND NOT m.internal"
    rows = await fetch_all(
        f"""
        SELECT t.id AS shown_in, m.member_id, m.ticket_id, m.id, m.author_kind, m.author_id, m.text,
               m.at, m.internal, m.text_check
        FROM ticket AS t
        JOIN ticket_message AS m ON m.member_id = t.member_id AND m.id IN (
            SELECT m.id FROM ticket_message AS m
            WHERE m.member_id = t.member_id AND m.id > $2{internal} AND NOT m.rating
                AND m.ticket_id IN (
                    SELECT t.id UNION ALL
                    SELECT s.id FROM ticket AS s
                    WHERE s.member_id = t.member_id AND s.merged_into = t.id
                )
            ORDER BY m.id LIMIT $3
        )
        WHERE t.id = ANY($1::uuid[])
        ORDER BY m.id
        """,
        *(sorted(ticket_ids), *(page.after or _BEGINNING), page.limit),
    )
    said: dict[UUID, list[TicketMessage]] = {ticket_id: [] for ticket_id in ticket_ids}
    for row in rows:
        said[row["shown_in"]].append(_message_of(row))
    return {
        ticket_id: page_of(found, first=page.first, key=lambda one: (one.id,))
        for ticket_id, found in said.items()
    }


def _message_of(row: Row) -> TicketMessage:
    return TicketMessage(
        member_id=row["member_id"],
        ticket_id=row["ticket_id"],
        id=row["id"],
        author=Author(row["author_kind"]),
        author_id=row["author_id"],
        written=row["text"],
        at=row["at"],
        internal=row["internal"],
        check=TextCheck(row["text_check"]),
    )
