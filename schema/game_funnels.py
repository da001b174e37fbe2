"""The funnel of a campaign of a game."""

from __future__ import annotations

from domain import games
from domain.access import Scope, StaffRole
from schema.fields import Info, computed, object_type, view
from schema.money import Money
from schema.policies import scope, staff
from schema.scalars import Fen, Points

SEES_FUNNELS = scope(Scope.REWARDS_READ) | staff(StaffRole.MARKETING)


@object_type(policy=SEES_FUNNELS)
class GameFunnel:
    """What a campaign came to so far: from those who came to those who bought."""

    visitors: int
    """Visitors who did anything, each once."""

    players: int
    """Those of them who played, or played to the end."""

    new_members: int
    """Members who joined after their first touch, before the campaign closed."""

    buyers: int
    """Members who bought after their first touch, until 30 days after the campaign closed."""

    @computed(SEES_FUNNELS)
    def points(self) -> Points:
        """What was granted, less what was taken back."""
        return Points(_funnel(self).points)

    @computed(SEES_FUNNELS)
    async def cost(self, info: Info) -> Money:
        """What these points cost the programme."""
        programme = await info.context.programme()
        return Money(amount=Fen(_funnel(self).cost_fen), currency=programme.currency)


def _funnel(value: object) -> games.Funnel:
    funnel: games.Funnel = view(value)
    return funnel
