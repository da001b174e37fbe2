"""Texts of members that a check holds, and what staff decides of them."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from domain.feedback import CheckedMessage, ReviewDecision, ReviewMessage, TextCheck
from resolvers import held_messages as resolvers
from schema.connections import KeysetList
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import decode_uuid, encode_global_id
from schema.ticket_parts import SERVES

HELD: Final = KeysetList("held-messages", (UUID,))

enum_type(ReviewDecision)


@object_type(policy=SERVES)
class HeldMessage:
    """A text of a member that a check holds or held, as staff sees it who decides of it."""

    text: str
    """What the member wrote; its ticket shows it to staff once it is released."""

    at: datetime
    """When it was written."""

    check: TextCheck
    """How it stands now."""

    verdict: TextCheck | None
    """What WeChat said of it; null while it was not asked, or did not answer."""

    label: int | None
    """WeChat's category of what it found: 100 is nothing."""

    decision: ReviewDecision | None
    """What staff decided; null until then."""

    @computed(SERVES)
    def id(self) -> strawberry.ID:
        """The id of the message."""
        return encode_global_id("TicketMessage", _message(self).id)

    @computed(SERVES)
    def ticket_id(self) -> strawberry.ID:
        """The ticket in which it was said."""
        return encode_global_id("Ticket", _message(self).ticket_id)


@input_type()
class ReviewMessageInput:
    """A text that is held, and what becomes of it."""

    message_id: strawberry.ID
    """The message."""

    decision: ReviewDecision
    """Whether staff may read it like any other, or never."""


@object_type(policy=SERVES)
class ReviewMessagePayload(Payload):
    """What deciding of a text led to."""

    message: HeldMessage | None = None
    """The message as it stands then; null when it was refused."""


@mutation(SERVES)
async def review_message(info: Info, input: ReviewMessageInput) -> ReviewMessagePayload:
    """Release a text that a check holds, or refuse it for good."""
    command = ReviewMessage(
        message_id=decode_uuid(input.message_id, "TicketMessage"), decision=input.decision
    )
    made = await resolvers.review_message(info.context, command)
    return ReviewMessagePayload(message=view(made))


def _message(value: object) -> CheckedMessage:
    message: CheckedMessage = view(value)
    return message
