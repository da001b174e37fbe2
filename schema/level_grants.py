"""Levels that staff grants to members, for a reason and for a time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import strawberry

from domain import tiers
from domain.access import StaffRole
from resolvers import level_grants as resolvers
from schema.fields import Info, computed, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_uuid, encode_global_id
from schema.policies import SEES_MEMBERS, staff

GRANTS: Final = staff(StaffRole.MARKETING)
"""Who grants levels."""


@object_type(policy=SEES_MEMBERS)
class LevelGrant:
    """A level that a member was granted."""

    reason: str
    """Why."""

    since: datetime
    """Since when."""

    until: datetime
    """The first moment at which it no longer holds."""

    ended_at: datetime | None
    """When it was ended before its time; null while it lasts."""

    @computed(SEES_MEMBERS)
    def id(self) -> strawberry.ID:
        """The id; `endLevelGrant` names it."""
        return encode_global_id("LevelGrant", _grant(self).id)

    @computed(SEES_MEMBERS)
    def level(self) -> str:
        """The code of the level."""
        return _grant(self).level_code


@input_type()
class GrantLevelInput:
    """A level for a member, whatever they earned: never below that, though."""

    member: MemberReference
    """Who."""

    level: str
    """The code of the level, which is not the base."""

    reason: str
    """Why, 1 to 500 characters."""

    until: datetime
    """The first moment at which it no longer holds: in the future, at most ten years ahead."""


@input_type()
class EndLevelGrantInput:
    """Which grant is to end now."""

    grant_id: strawberry.ID
    """Which."""


@object_type(policy=GRANTS)
class GrantLevelPayload(Payload):
    """What granting a level led to."""

    grant: LevelGrant | None = None
    """The grant; null when it was refused."""


@object_type(policy=GRANTS)
class EndLevelGrantPayload(Payload):
    """What ending a grant led to."""

    grant: LevelGrant | None = None
    """The grant, ended; null when it was refused."""


@mutation(GRANTS)
async def grant_level(info: Info, input: GrantLevelInput) -> GrantLevelPayload:
    """Grant a member a level for a time. The same grant again changes nothing."""
    command = tiers.GrantLevel(
        member=input.member.value(field=["member"]),
        level=input.level,
        reason=input.reason,
        until=input.until,
    )
    return GrantLevelPayload(grant=view(await resolvers.grant_level(info.context, command)))


@mutation(GRANTS)
async def end_level_grant(info: Info, input: EndLevelGrantInput) -> EndLevelGrantPayload:
    """End a grant now: the member has the level that they earned."""
    grant_id = decode_uuid(input.grant_id, "LevelGrant")
    return EndLevelGrantPayload(grant=view(await resolvers.end_level_grant(info.context, grant_id)))


def _grant(value: LevelGrant) -> tiers.LevelGrant:
    grant: tiers.LevelGrant = view(value)
    return grant
