"""What staff sees."""

from __future__ import annotations

from domain import audit, members
from domain.access import Account, CallerKind
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext
from resolvers.records import MemberRecord


async def staff(context: RequestContext) -> Account:
    """The member of staff who asks."""
    return context.require_account(CallerKind.STAFF)


async def member(context: RequestContext, reference: members.MemberRef) -> MemberRecord | None:
    """The member whom the reference names, if there is one; the look is recorded."""
    found = await members.look_up(reference, by=context.actor(), now=context.now)
    return None if found is None else MemberRecord(found, context)


async def audit_log(page: PageRequest, target: audit.Target | None) -> Page[audit.AuditEntry]:
    """A page of the audit log, or of what was done to one thing, newest first."""
    return await audit.entries(page, target=target)
