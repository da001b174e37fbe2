"""Campaigns of games, and what members won there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import games
from domain.games import GameRewardStatus
from resolvers import games as resolvers
from schema.connections import After, Connection, First, KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, field, object_type, view
from schema.language import spoken
from schema.node import Node, encode_global_id, node_type
from schema.policies import OWNER, PUBLIC
from schema.scalars import Points

CAMPAIGNS = KeysetList("gameCampaigns", (datetime, UUID))
GAME_REWARDS = KeysetList("gameRewards", (datetime, UUID))

PRIZES_LIKELY = 10
"""Prizes that most campaigns do not exceed."""

enum_type(GameRewardStatus)


@object_type(policy=PUBLIC)
class GameHost:
    """The partner platform that a game is played on."""

    code: str
    """Its code in this programme, for ever."""

    name: str
    """What it is called."""


@object_type(policy=PUBLIC)
class DisclosedPrize:
    """What may be won, as it was told before the first draw."""

    code: str
    """Its code within the campaign."""

    count: int
    """How many there are."""

    odds: float
    """The odds of one draw, 0 to 1."""

    @computed(PUBLIC)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(self, "title", info)


@object_type(policy=PUBLIC)
class GameDisclosure:
    """The prizes of a campaign with their odds, frozen before it opened."""

    frozen_at: datetime
    """When they were told, for good."""

    prizes: list[DisclosedPrize] = field(PUBLIC, cost=Cost(items=PRIZES_LIKELY))
    """What may be won."""

    @computed(PUBLIC)
    def version(self) -> str:
        """Which of the disclosures of the campaign it is."""
        disclosure: games.Disclosure = view(self)
        return str(disclosure.version)


@object_type(policy=PUBLIC)
class GameCampaign:
    """A campaign of a partner: play, and win points."""

    opens_at: datetime
    """From when on one can win."""

    closes_at: datetime
    """The first moment at which one no longer can."""

    @computed(PUBLIC)
    def id(self) -> strawberry.ID:
        """The id, opaque, for `pushRewards`."""
        return encode_global_id("GameCampaign", _campaign(self).id)

    @computed(PUBLIC)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(self, "title", info)

    @computed(PUBLIC)
    def partner(self, info: Info) -> GameHost:
        """On whose platform it is played."""
        campaign = _campaign(self)
        return GameHost(code=campaign.partner_code, name=spoken(self, "partner_name", info))

    @computed(PUBLIC)
    def disclosure(self) -> GameDisclosure | None:
        """What may be won; null where no prizes are drawn."""
        disclosure: GameDisclosure | None = view(_campaign(self).disclosure)
        return disclosure


@object_type(policy=OWNER)
class GamePrize:
    """A prize that was drawn, by the disclosure that held then."""

    code: str
    """Its code within the campaign."""

    title: str
    """What it is called."""

    odds: float
    """What the odds of one draw were, 0 to 1."""

    disclosure_version: str
    """Under which disclosure of the campaign it was drawn."""


@node_type(policy=OWNER, key="id", load=resolvers.game_reward_node, reads=games.GameReward)
class GameReward(Node):
    """What a member won in a game."""

    occurred_at: datetime
    """When it was won."""

    status: GameRewardStatus
    """How it stands."""

    @computed(OWNER)
    def points(self) -> Points:
        """What it is worth."""
        return Points(_reward(self).points)

    @computed(OWNER)
    def campaign(self) -> GameCampaign:
        """Under which campaign."""
        campaign: GameCampaign = view(_reward(self).campaign)
        return campaign

    @computed(OWNER)
    def prize(self, info: Info) -> GamePrize | None:
        """The prize, where one was drawn."""
        reward = _reward(self)
        if reward.prize is None:
            return None
        return GamePrize(
            code=reward.prize.code,
            title=spoken(reward.prize, "title", info),
            odds=reward.prize.odds,
            disclosure_version=str(reward.disclosure_version),
        )


async def list_game_campaigns(
    info: Info, first: First = 20, after: After = None
) -> Connection[GameCampaign] | None:
    """What can be played for now or soon, the first to close first."""
    request = CAMPAIGNS.request(first=first, after=after)
    page = await resolvers.game_campaigns(info.context, request)
    return CAMPAIGNS.connection(page, request)


def _campaign(value: object) -> games.GameCampaign:
    campaign: games.GameCampaign = view(value)
    return campaign


def _reward(value: object) -> games.GameReward:
    reward: games.GameReward = view(value)
    return reward
