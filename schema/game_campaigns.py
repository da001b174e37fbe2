"""Campaigns of games as staff sets them up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from domain import games
from domain.access import StaffRole
from domain.errors import InvalidInput
from domain.games import CHANGEABLE_OF_CAMPAIGN
from domain.ledger import AfterMonths, Never
from resolvers import games as resolvers
from resolvers.game_events import CampaignRecord
from schema.cost import READS
from schema.fields import Info, computed, input_type, object_type, view
from schema.game_funnels import GameFunnel
from schema.games import GameCampaign
from schema.mutations import Payload, mutation
from schema.node import decode_uuid
from schema.policies import staff
from schema.scalars import Points

DEFINES_CAMPAIGNS = staff(StaffRole.MARKETING)

_MILLION = 1_000_000
_MONTHS = 24
_MONTHS_MAX = 1_200


@input_type()
class DefineGameCampaignInput:
    """A new campaign of a partner."""

    partner_code: str
    """The code of the partner."""

    code: str
    """The campaign's own code with this partner, for ever."""

    title_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    title_en: str
    """What it is called in English, 1 to 100 characters."""

    opens_at: datetime
    """From when on events are rewarded."""

    closes_at: datetime
    """The first moment whose events no longer are."""

    budget: Points
    """What its grants may add up to."""

    points_per_item: Points | None = None
    """What one grant may be worth; left out for no limit."""

    points_per_member_day: Points | None = None
    """What one member may be granted on a day; left out for no limit."""

    draws_prizes: bool | None = False
    """Whether prizes are drawn: then it is closed until `freezeDisclosure`."""

    expires_after_months: int | None = _MONTHS
    """How many months after the event the points expire; null for never."""

    matures_after_days: int | None = 0
    """How many days after the event they may be spent; 0 for at once."""


@input_type()
class ChangeGameCampaignInput:
    """What to change of a campaign: what is left out stays."""

    campaign_id: strawberry.ID
    """Which campaign."""

    version: int
    """Where it stood when it was read: whoever is second is refused."""

    title_zh: str | None = None
    """What it is called in Chinese."""

    title_en: str | None = None
    """What it is called in English."""

    opens_at: datetime | None = None
    """From when on events are rewarded."""

    closes_at: datetime | None = None
    """The first moment whose events no longer are."""

    budget: Points | None = None
    """What its grants may add up to: never less than is spent."""

    points_per_item: Points | None = None
    """What one grant may be worth."""

    points_per_member_day: Points | None = None
    """What one member may be granted on a day."""


@input_type()
class PrizeInput:
    """A prize that may be drawn."""

    code: str
    """Its code within the campaign."""

    title_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    title_en: str
    """What it is called in English, 1 to 100 characters."""

    count: int
    """How many there are."""

    odds: float
    """The odds of one draw, 0.000001 to 1; those of all prizes add up to 1 at most."""


@input_type()
class FreezeDisclosureInput:
    """What may be won under a campaign, told for good."""

    campaign_id: strawberry.ID
    """Which campaign."""

    prizes: list[PrizeInput]
    """1 to 100 prizes."""


@object_type(policy=DEFINES_CAMPAIGNS)
class StaffGameCampaign:
    """A campaign, as staff sees it."""

    code: str
    """Its code with its partner."""

    draws_prizes: bool
    """Whether prizes are drawn."""

    matures_after_days: int
    """How many days after the event the points may be spent."""

    version: int
    """Where it stands: whoever changes it says so."""

    @computed(DEFINES_CAMPAIGNS)
    def campaign(self) -> GameCampaign:
        """What members see of it."""
        campaign: GameCampaign = view(self)
        return campaign

    @computed(DEFINES_CAMPAIGNS)
    def budget(self) -> Points:
        """What its grants may add up to."""
        return Points(_campaign(self).budget)

    @computed(DEFINES_CAMPAIGNS)
    def spent(self) -> Points:
        """What they do, less what was taken back."""
        return Points(_campaign(self).spent)

    @computed(DEFINES_CAMPAIGNS)
    def points_per_item(self) -> Points:
        """What one grant may be worth."""
        return Points(_campaign(self).points_per_item)

    @computed(DEFINES_CAMPAIGNS)
    def points_per_member_day(self) -> Points:
        """What one member may be granted on a day."""
        return Points(_campaign(self).points_per_member_day)

    @computed(DEFINES_CAMPAIGNS, cost=READS)
    async def funnel(self, info: Info) -> GameFunnel | None:
        """What it came to so far: from those who came to those who bought."""
        campaign = _campaign(self)
        funnel: GameFunnel = view(await CampaignRecord(campaign, [campaign]).funnel(info.context))
        return funnel


@object_type(policy=DEFINES_CAMPAIGNS)
class DefineGameCampaignPayload(Payload):
    """What defining a campaign led to."""

    campaign: StaffGameCampaign | None = None
    """The campaign; null when it was refused."""


@object_type(policy=DEFINES_CAMPAIGNS)
class ChangeGameCampaignPayload(Payload):
    """What changing a campaign led to."""

    campaign: StaffGameCampaign | None = None
    """The campaign as it is now; null when it was refused."""


@object_type(policy=DEFINES_CAMPAIGNS)
class FreezeDisclosurePayload(Payload):
    """What freezing a disclosure led to."""

    campaign: StaffGameCampaign | None = None
    """The campaign with its disclosure; null when it was refused."""


@mutation(DEFINES_CAMPAIGNS)
async def define_game_campaign(
    info: Info, input: DefineGameCampaignInput
) -> DefineGameCampaignPayload:
    """Make a campaign of a partner. The same definition again changes nothing."""
    months = input.expires_after_months
    if months is not None and not 1 <= months <= _MONTHS_MAX:
        raise InvalidInput(field=("expires_after_months",), rule=f"1 to {_MONTHS_MAX}")
    command = games.DefineGameCampaign(
        partner_code=input.partner_code,
        code=input.code,
        title_zh=input.title_zh,
        title_en=input.title_en,
        opens_at=input.opens_at,
        closes_at=input.closes_at,
        budget=input.budget,
        points_per_item=input.points_per_item,
        points_per_member_day=input.points_per_member_day,
        draws_prizes=bool(input.draws_prizes),
        expiry=Never() if months is None else AfterMonths(months),
        matures_after_days=input.matures_after_days or 0,
    )
    made = await resolvers.define_campaign(info.context, command)
    return DefineGameCampaignPayload(campaign=view(made))


@mutation(DEFINES_CAMPAIGNS)
async def change_game_campaign(
    info: Info, input: ChangeGameCampaignInput
) -> ChangeGameCampaignPayload:
    """Change a campaign. What was granted stays as it is."""
    said = {name: getattr(input, name) for name in CHANGEABLE_OF_CAMPAIGN}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    campaign_id = decode_uuid(input.campaign_id, "GameCampaign")
    made = await resolvers.change_campaign(
        info.context, campaign_id, version=input.version, changes=changes
    )
    return ChangeGameCampaignPayload(campaign=view(made))


@mutation(DEFINES_CAMPAIGNS)
async def freeze_disclosure(info: Info, input: FreezeDisclosureInput) -> FreezeDisclosurePayload:
    """Tell what may be won under a campaign, before it opens, for good."""
    prizes = [
        games.Prize(
            code=prize.code,
            title_zh=prize.title_zh,
            title_en=prize.title_en,
            count=prize.count,
            odds_ppm=_ppm(prize.odds, place),
        )
        for place, prize in enumerate(input.prizes)
    ]
    campaign_id = decode_uuid(input.campaign_id, "GameCampaign")
    made = await resolvers.freeze_disclosure(info.context, campaign_id, prizes)
    return FreezeDisclosurePayload(campaign=view(made))


def _ppm(odds: float, place: int) -> int:
    """The odds in millionths. Raises InvalidInput."""
    if not 0 < odds <= 1:
        raise InvalidInput(field=("prizes", str(place), "odds"), rule="0.000001 to 1")
    return round(odds * _MILLION)


def _campaign(value: object) -> games.GameCampaign:
    campaign: games.GameCampaign = view(value)
    return campaign
