"""Tickets to which something cannot be done, and what they cannot be about."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class FeedbackRefusal(Refusal):
    """The branch of tickets to which something cannot be done."""


@dataclass(eq=False, kw_only=True)
class TicketUnknown(FeedbackRefusal):
    """Returned when there is no such ticket, or none of the member who asks."""

    code = ErrorCode.TICKET_UNKNOWN


@dataclass(eq=False, kw_only=True)
class TicketNotOpen(FeedbackRefusal):
    """Returned when the ticket is closed, merged, or not where this step begins; says where."""

    code = ErrorCode.TICKET_NOT_OPEN
    state: str


@dataclass(eq=False, kw_only=True)
class TicketsNotMergeable(FeedbackRefusal):
    """Returned when two tickets are one and the same, or of two members."""

    code = ErrorCode.TICKETS_NOT_MERGEABLE


@dataclass(eq=False, kw_only=True)
class TopicUnknown(FeedbackRefusal):
    """Returned when there is no such topic in use."""

    code = ErrorCode.TOPIC_UNKNOWN


@dataclass(eq=False, kw_only=True)
class CauseUnknown(FeedbackRefusal):
    """Returned when there is no such cause in use, or it is one of another topic."""

    code = ErrorCode.CAUSE_UNKNOWN


@dataclass(eq=False, kw_only=True)
class TicketOrderUnknown(FeedbackRefusal):
    """Returned when the member has no such order."""

    code = ErrorCode.TICKET_ORDER_UNKNOWN


@dataclass(eq=False, kw_only=True)
class AssigneeUnknown(FeedbackRefusal):
    """Returned when nobody with this login serves members."""

    code = ErrorCode.ASSIGNEE_UNKNOWN


@dataclass(eq=False, kw_only=True)
class TooManyOpenTickets(FeedbackRefusal):
    """Returned when as many tickets that the member filed are open as may be; says how many."""

    code = ErrorCode.TOO_MANY_OPEN_TICKETS
    limit: int
