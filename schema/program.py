"""The programme."""

from __future__ import annotations

from domain.program import Programme
from resolvers import program as resolvers
from schema.fields import Info, computed, object_type, view
from schema.language import spoken
from schema.policies import PUBLIC


@object_type(policy=PUBLIC)
class Program:
    """The loyalty programme of the merchant."""

    currency: str
    """The currency of prices and purchases, ISO 4217."""

    @computed(PUBLIC)
    def name(self, info: Info) -> str:
        """What the programme is called."""
        return spoken(self, "name", info)

    @computed(PUBLIC)
    def time_zone(self) -> str:
        """The time zone whose midnights end days: expiry, levels and quotas follow it."""
        programme: Programme = view(self)
        return programme.zone.key


async def program(info: Info) -> Program:
    """The loyalty programme."""
    programme: Program = view(await resolvers.program(info.context))
    return programme
