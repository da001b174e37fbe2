"""Campaigns of games, rewards that partners push, and what members won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from domain import games
from domain.access import CallerKind
from domain.errors import PartnerUnknown
from domain.games import ChangeGameCampaign, DefineGameCampaign, GameCampaign, Partner, Prize
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def asking_partner(context: RequestContext) -> Partner | None:
    """The partner who asks, read once per request; None for an account that is no partner yet."""
    account_id = context.require_account(CallerKind.PARTNER).id
    if context.guard is not None:
        return context.guard.partner
    return await context.once.read("partner", lambda: games.partner_of(account_id))


async def push_rewards(
    context: RequestContext, *, batch_id: str, items: Sequence[games.RewardItem]
) -> games.RewardBatch:
    """Apply a batch of the partner who asks."""
    partner = await asking_partner(context)
    if partner is None:
        raise PartnerUnknown
    command = games.PushRewards(partner=partner, batch_id=batch_id, items=items)
    return await games.push_rewards(command, keys=context.services.tokens.keys, now=context.now)


async def batch(context: RequestContext, batch_id: str) -> games.BatchSummary | None:
    """The partner's batch with this id."""
    return await games.reward_batch(context.require_account(CallerKind.PARTNER).id, batch_id)


async def receipts(
    context: RequestContext, external_ids: Sequence[str]
) -> Sequence[games.StandingReceipt]:
    """How the partner's items with these ids stand now."""
    account = context.require_account(CallerKind.PARTNER)
    keys = context.services.tokens.keys
    return await games.standing_receipts(account.id, external_ids, partner=account.code, keys=keys)


async def partner_ledger(context: RequestContext, page: PageRequest) -> Page[games.LedgerLine]:
    """A page of what the partner pushed."""
    return await games.partner_ledger(context.require_account(CallerKind.PARTNER).id, page)


async def partner_campaigns(context: RequestContext, page: PageRequest) -> Page[GameCampaign]:
    """A page of the partner's campaigns."""
    return await games.campaigns_of(context.require_account(CallerKind.PARTNER).id, page)


async def campaigns_of(partner_code: str, page: PageRequest) -> Page[GameCampaign]:
    """A page of the campaigns of the partner with this code, for staff."""
    partner = await games.find_partner(partner_code)
    if partner is None:
        return Page(items=[], keys=[], has_next=False)
    return await games.campaigns_of(partner.account_id, page)


async def game_campaigns(context: RequestContext, page: PageRequest) -> Page[GameCampaign]:
    """A page of what members may play for now or soon."""
    return await games.game_campaigns(page, now=context.now)


async def game_rewards(member_id: UUID, page: PageRequest) -> Page[games.GameReward]:
    """A page of what the member won, newest first."""
    return await games.game_rewards(member_id, page)


async def game_reward_node(context: RequestContext, reward_id: UUID) -> games.GameReward | None:
    """The reward with this id, when it is the caller's own."""
    # A reward goes over with its member's record.
    mine = context.member_id
    return None if mine is None else await games.game_reward(mine, reward_id=reward_id)


async def define_campaign(context: RequestContext, command: DefineGameCampaign) -> GameCampaign:
    """Make a campaign, by the member of staff who asks."""
    return await games.define_game_campaign(command, by=context.actor(), now=context.now)


async def change_campaign(
    context: RequestContext, campaign_id: UUID, *, version: int, changes: Mapping[str, Any]
) -> GameCampaign:
    """Change a campaign, by the member of staff who asks."""
    command = ChangeGameCampaign(campaign_id=campaign_id, version=version, changes=changes)
    return await games.change_game_campaign(command, by=context.actor(), now=context.now)


async def freeze_disclosure(
    context: RequestContext, campaign_id: UUID, prizes: Sequence[Prize]
) -> GameCampaign:
    """Tell what may be won under a campaign, by the member of staff who asks."""
    return await games.freeze_disclosure(campaign_id, prizes, by=context.actor(), now=context.now)
