"""The root of shops and partners."""

from __future__ import annotations

from resolvers import partners as resolvers
from schema.fields import Info, computed, object_type, view
from schema.policies import CLIENT


@object_type(policy=CLIENT)
class Partner:
    """The shop or partner platform that asks."""

    code: str
    """Its code in this programme, for ever."""

    name: str
    """What people call it."""

    @computed(CLIENT)
    def scopes(self, info: Info) -> list[str]:
        """What the token that asks may do, in alphabetical order."""
        caller = info.context.caller
        return sorted(caller.scopes) if caller else []


async def partner(info: Info) -> Partner | None:
    """The shop or partner that asks."""
    account: Partner = view(await resolvers.partner(info.context))
    return account
