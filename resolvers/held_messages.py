"""Texts of members that are held, for staff who decide of them."""

from __future__ import annotations

from domain import feedback
from domain.feedback import CheckedMessage, ReviewMessage
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def held_messages(context: RequestContext, page: PageRequest) -> Page[CheckedMessage]:
    """A page of them, the oldest first; the look is recorded."""
    return await feedback.held_messages(page, by=context.actor(), now=context.now)


async def review_message(context: RequestContext, command: ReviewMessage) -> CheckedMessage:
    """Release a text, or refuse it."""
    return await feedback.review_message(command, by=context.actor(), now=context.now)
