"""The funnel of a campaign: who came, who played, who joined, who bought, and what it cost.

docs/game-rewards.md defines each number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

from domain.games.campaigns import GameCampaign
from domain.storage import fetch_all

POINT_COST_FEN: Final = Decimal(1)
"""What a point costs the programme where nothing else is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """What a campaign came to so far; `cost_fen` is what its points cost the programme."""

    visitors: int
    players: int
    new_members: int
    buyers: int
    points: int
    cost_fen: int


# Visitors are counted as they come; members are read from indexes that have none but those.
_READ: Final = """
    SELECT f.campaign_id, f.visitors, f.players,
        (SELECT COUNT(DISTINCT n.member_id) FROM game_visitor n
         WHERE n.campaign_id = f.campaign_id AND n.is_new) AS new_members,
        (SELECT COUNT(DISTINCT b.member_id) FROM game_visitor b
         WHERE b.campaign_id = f.campaign_id AND b.bought) AS buyers
    FROM game_funnel f WHERE f.campaign_id = ANY($1::uuid[])
"""


async def funnels(
    campaigns: Sequence[GameCampaign], *, point_cost_fen: Decimal
) -> Mapping[UUID, Funnel]:
    """The funnels of these campaigns, by their ids. One statement."""
    rows = await fetch_all(_READ, sorted({one.id for one in campaigns}))
    found = {row["campaign_id"]: row for row in rows}
    return {
        one.id: Funnel(
            visitors=found[one.id]["visitors"] if one.id in found else 0,
            players=found[one.id]["players"] if one.id in found else 0,
            new_members=found[one.id]["new_members"] if one.id in found else 0,
            buyers=found[one.id]["buyers"] if one.id in found else 0,
            points=one.spent,
            cost_fen=cost_of(one.spent, point_cost_fen=point_cost_fen),
        )
        for one in campaigns
    }


def cost_of(points: int, *, point_cost_fen: Decimal) -> int:
    """What so many points cost, in whole fen; half a fen is one."""
    return int((points * point_cost_fen).to_integral_value(rounding=ROUND_HALF_UP))
