"""What members say of themselves."""

from __future__ import annotations

from datetime import date
from typing import Any

import strawberry

from domain import members
from resolvers import profile as resolvers
from schema.cost import MUTATION_COST, Cost
from schema.fields import Info, input_type, object_type, view
from schema.members import Interest, Member
from schema.mutations import Payload, mutation
from schema.policies import OWNER
from schema.scalars import URL


@input_type()
class UpdateProfileInput:
    """What to change. What is left out stays as it is; null clears it."""

    nickname: str | None = strawberry.UNSET
    """What the member wants to be called, at most 64 characters."""

    avatar_url: URL | None = strawberry.UNSET
    """A picture."""

    birthday: date | None = strawberry.UNSET
    """The day of birth, from 1900 to today."""

    gender: str | None = strawberry.UNSET
    """`female`, `male` or `other`."""

    preferred_channel: str | None = strawberry.UNSET
    """The code of the channel by which the member wants to be reached."""


@input_type()
class SetInterestsInput:
    """The themes that the member cares for."""

    themes: list[str]
    """The codes of the themes, at most 100; they replace what was declared before."""


@object_type(policy=OWNER)
class UpdateProfilePayload(Payload):
    """What changing the profile led to."""

    member: Member | None = None
    """The member with the changes; null when they were refused."""


@object_type(policy=OWNER)
class SetInterestsPayload(Payload):
    """What declaring interests led to."""

    interests: list[Interest] | None = None
    """All interests of the member; null when the declaration was refused."""


def _change(value: Any) -> Any:
    return members.UNCHANGED if value is strawberry.UNSET else value


@mutation(OWNER)
async def update_profile(info: Info, input: UpdateProfileInput) -> UpdateProfilePayload:
    """Change what the member says of themselves."""
    command = members.UpdateProfile(
        member_id=info.context.require_member(),
        nickname=_change(input.nickname),
        avatar_url=_change(input.avatar_url),
        birthday=_change(input.birthday),
        gender=_change(input.gender),
        preferred_channel=_change(input.preferred_channel),
    )
    member: Member = view(await resolvers.update_profile(info.context, command))
    return UpdateProfilePayload(member=member)


@mutation(OWNER, cost=Cost(own=MUTATION_COST, items="input.themes", of=("interests",)))
async def set_interests(info: Info, input: SetInterestsInput) -> SetInterestsPayload:
    """Declare the themes that the member cares for."""
    interests: list[Interest] = view(await resolvers.set_interests(info.context, input.themes))
    return SetInterestsPayload(interests=interests)
