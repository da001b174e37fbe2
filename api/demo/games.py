"""The demo's partner platform: its key, its wheel of prizes, and the members who allow it.

Every start sees to it, so that a database that was seeded by an older version has it too. What
exists already stays.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from api.cli.operators import operator
from domain import games, storage
from domain.access import Scope
from domain.audit import Actor
from domain.games import (
    AddPartnerKey,
    DefineGameCampaign,
    GameCampaign,
    KeyKind,
    Partner,
    Prize,
    RegisterPartner,
)
from domain.paging import PageRequest

PARTNER_CODE: Final = "demo-games"
CAMPAIGN_CODE: Final = "lucky-wheel"
CONSENT_VERSION: Final = "1"
"""Of the words that the demo's members agreed to (`consents`)."""

_POINTS_PER_DAY: Final = 1_000_000
_POINTS_PER_MEMBER_DAY: Final = 100_000
_BUDGET: Final = 100_000_000
_SINCE: Final = timedelta(days=60)
_FOR: Final = timedelta(days=365)

PRIZES: Final = tuple(
    Prize(code=code, title_zh=zh, title_en=en, count=count, odds_ppm=ppm)
    for code, zh, en, count, ppm in (
        ("points-5", "5 积分", "5 points", 1_000_000, 500_000),
        ("points-20", "20 积分", "20 points", 500_000, 250_000),
        ("points-50", "50 积分", "50 points", 100_000, 40_000),
        ("points-200", "200 积分", "200 points", 10_000, 10_000),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoGames:
    """What the demo tells of its partner. `signing_secret` is `whsec_` and base64."""

    signing_secret: str = field(repr=False)
    campaign_id: UUID


async def open_games(member_ids: Sequence[UUID], *, now: datetime) -> DemoGames:
    """Take the demo's partner in with a key and a campaign, and let the members allow it."""

    async def work() -> DemoGames:
        by = operator()
        partner = await games.find_partner(PARTNER_CODE)
        if partner is None:
            partner = await _take_in(member_ids, by=by, now=now)
        secret = await _signing_secret(partner, by=by, now=now)
        campaign = await _campaign(partner, by=by, now=now)
        return DemoGames(
            signing_secret=f"whsec_{base64.b64encode(secret).decode()}", campaign_id=campaign.id
        )

    return await storage.transaction(work)


async def _take_in(member_ids: Sequence[UUID], *, by: Actor, now: datetime) -> Partner:
    wanted = RegisterPartner(
        code=PARTNER_CODE,
        name_zh="演示游戏平台",
        name_en="Demo games",
        scopes=frozenset({Scope.REWARDS_WRITE, Scope.REWARDS_READ}),
        points_per_day=_POINTS_PER_DAY,
        points_per_member_day=_POINTS_PER_MEMBER_DAY,
    )
    partner = await games.register_partner(wanted, by=by, now=now)
    for member_id in member_ids:
        await games.bind_member(
            partner.account_id, member_id, consent_version=CONSENT_VERSION, now=now
        )
    return partner


async def _signing_secret(partner: Partner, *, by: Actor, now: datetime) -> bytes:
    """The newest shared secret that counts; one is made where there is none."""
    found = [
        one
        for one in await games.keys_of(partner.account_id)
        if one.kind is KeyKind.HMAC and one.counts(now)
    ]
    if found:
        return found[-1].secret()
    added = await games.add_partner_key(
        AddPartnerKey(code=partner.code, kind=KeyKind.HMAC), by=by, now=now
    )
    return added.key.secret()


async def _campaign(partner: Partner, *, by: Actor, now: datetime) -> GameCampaign:
    page = await games.campaigns_of(partner.account_id, PageRequest(first=100))
    known = next((one for one in page.items if one.code == CAMPAIGN_CODE), None)
    if known is None:
        wheel = DefineGameCampaign(
            partner_code=partner.code,
            code=CAMPAIGN_CODE,
            title_zh="幸运大转盘",
            title_en="Lucky wheel",
            opens_at=now - _SINCE,
            closes_at=now + _FOR,
            budget=_BUDGET,
            draws_prizes=True,
        )
        known = await games.define_game_campaign(wheel, by=by, now=now)
    if known.disclosure is None:
        # As if it had been told before the opening, so that events of the last days count.
        return await games.freeze_disclosure(known.id, PRIZES, by=by, now=known.opens_at)
    return known
