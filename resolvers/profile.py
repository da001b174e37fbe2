"""What members say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import catalogue, members
from resolvers.context import RequestContext
from resolvers.records import MemberRecord


async def update_profile(context: RequestContext, command: members.UpdateProfile) -> MemberRecord:
    """Change what the member says of themselves."""
    return MemberRecord(await members.update_profile(command, now=context.now), context)


async def identities(member_id: UUID) -> Sequence[members.Identity]:
    """What the member is known by."""
    return await members.identities(member_id)


async def interests(member_id: UUID) -> Sequence[catalogue.ThemeInterest]:
    """The themes that the member cares for."""
    return await catalogue.theme_interests(member_id)


async def set_interests(
    context: RequestContext, themes: Sequence[str]
) -> Sequence[catalogue.ThemeInterest]:
    """Declare the themes that the member cares for."""
    command = catalogue.DeclareInterests(member_id=context.require_member(), themes=themes)
    await catalogue.declare_interests(command, now=context.now)
    return await catalogue.theme_interests(command.member_id)
