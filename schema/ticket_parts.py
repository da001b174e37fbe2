"""What tickets are made of, as the member and as staff see it."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import strawberry

from domain.access import StaffRole
from domain.feedback import Author, Satisfaction, TextCheck, TicketChannel, TicketStatus
from resolvers.tickets import MessageRecord
from schema.attachments import Attachment
from schema.connections import KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, object_type, view
from schema.language import spoken
from schema.node import encode_global_id
from schema.policies import OWNER, PUBLIC, staff

SERVES: Final = staff(StaffRole.SUPPORT)
"""Who serves members."""

BOTH: Final = OWNER | SERVES

ATTACHMENTS_LIKELY: Final = 2
"""How many pictures a message has that has some, for the cost of asking."""

TOGETHER: Final = Cost(own=1)
"""The cost of what is read for a whole page at once."""

MESSAGES: Final = KeysetList("ticket-messages", (UUID,))

enum_type(TicketChannel)
enum_type(TicketStatus)
enum_type(Author, name="TicketAuthor")
enum_type(TextCheck)


@object_type(policy=PUBLIC)
class FeedbackTopic:
    """What feedback may be about."""

    code: str
    """Its code, for `submitFeedback`."""

    @computed(PUBLIC)
    def name(self, info: Info) -> str:
        """What people call it."""
        return spoken(self, "name", info)


@object_type(policy=SERVES)
class FeedbackCause:
    """Why something went wrong."""

    code: str
    """Its code, for `resolveTicket`."""

    @computed(SERVES)
    def name(self, info: Info) -> str:
        """What people call it."""
        return spoken(self, "name", info)


@object_type(policy=BOTH)
class TicketSla:
    """What was promised about the time of a ticket when it was filed, and what became of it."""

    answer_by: datetime | None
    """Until when we answer; null where nothing is promised."""

    resolve_by: datetime | None
    """Until when it is resolved; null where nothing is promised. It moves with each pause."""

    answered_at: datetime | None
    """When we answered first; null until then."""

    resolved_at: datetime | None
    """When it was resolved; null until then, and when it was opened again."""

    paused: bool
    """Whether the promised time stands still, because we wait for the member."""

    answer_breached: bool
    """Whether we were late with an answer."""

    resolve_breached: bool
    """Whether we were late with resolving it."""

    policy_version: int | None
    """The version of the service levels under which it was filed; null where there were none."""


@object_type(policy=BOTH)
class TicketSatisfaction:
    """What the member says of how they were served."""

    experience: int
    """How it was, 1 to 5."""

    expectation: int | None
    """What the member had expected, 1 to 5; null where they did not say."""

    text: str | None
    """In the member's words; null where they did not say more, and for staff while the check of the
    text holds it."""

    rated_at: datetime
    """When the member said so last."""

    @computed(BOTH)
    def text_check(self) -> TextCheck | None:
        """What became of the check of the text; null without one."""
        satisfaction: Satisfaction = view(self)
        return satisfaction.check


@object_type(policy=BOTH)
class TicketMessage:
    """Something that was said in a ticket."""

    author: Author
    """Who said it."""

    text: str | None
    """What was said; null for staff while the check of a member's text holds it."""

    at: datetime
    """When."""

    @computed(BOTH)
    def id(self) -> strawberry.ID:
        """The id of the message."""
        return encode_global_id("TicketMessage", _message(self).id)

    @computed(BOTH)
    def ticket_id(self) -> strawberry.ID:
        """The ticket in which it was said: another one, where that was merged into this one."""
        return encode_global_id("Ticket", _message(self).ticket_id)

    @computed(BOTH, cost=Cost(own=1, items=ATTACHMENTS_LIKELY), versioned=True)
    async def attachments(self) -> list[Attachment] | None:
        """The pictures that came with it, in their order; null for staff while its text is held."""
        found: list[Attachment] | None = view(await _message(self).attachments())
        return found

    @computed(BOTH)
    def text_check(self) -> TextCheck:
        """What became of the check of the text."""
        return _message(self).check

    @computed(BOTH)
    def internal(self) -> bool:
        """Whether staff noted it for each other; a member is never shown such."""
        return _message(self).internal


def _message(value: object) -> MessageRecord:
    record: MessageRecord = view(value)
    return record
