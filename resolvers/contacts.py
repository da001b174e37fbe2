"""Service contacts."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import members
from domain.members import MemberRef, ServiceContact
from resolvers.context import RequestContext


async def service_contacts(member_id: UUID) -> Sequence[ServiceContact]:
    """To whom the member turns."""
    return await members.service_contacts(member_id)


async def set_service_contacts(
    context: RequestContext, member: MemberRef, contacts: Sequence[ServiceContact]
) -> Sequence[ServiceContact]:
    """Let these be the member's contacts."""
    member_id = await members.set_service_contacts(
        member, contacts, by=context.actor(), now=context.now
    )
    return await members.service_contacts(member_id)
