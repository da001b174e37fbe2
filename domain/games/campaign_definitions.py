"""Setting campaigns up: by staff, whose changes are recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.errors import (
    BudgetSpent,
    DefinitionChanged,
    DisclosureFrozen,
    GameCampaignExists,
    GameCampaignUnknown,
    InvalidInput,
)
from domain.games.campaigns import GameCampaign, Prize, campaigns_by_ids, prizes_to_json
from domain.games.partners import known_partner
from domain.ledger import POINTS_MAX, AfterMonths, ExpiryPolicy, policy_to_json
from domain.storage import Table, execute, fetch_one, transaction
from domain.texts import clean_code, clean_text

TITLE_CHARACTERS_MAX: Final = 100
PRIZES_MAX: Final = 100
COUNT_MAX: Final = 2**31 - 1
MATURES_DAYS_MAX: Final = 365
_CERTAIN: Final = 1_000_000
EXPIRY: Final = AfterMonths(24)
"""When points of a campaign expire that does not say so itself."""

CHANGEABLE_OF_CAMPAIGN: Final = frozenset(
    [
        "title_zh",
        "title_en",
        "opens_at",
        "closes_at",
        "budget",
        "points_per_item",
        "points_per_member_day",
    ]
)
"""What may change of a campaign. What was granted stays as it is."""

_ROWS: Final = Table(
    "game_campaign",
    id="uuid",
    partner_id="uuid",
    code="text",
    title_zh="text",
    title_en="text",
    opens_at="timestamptz",
    closes_at="timestamptz",
    budget="bigint",
    points_per_item="bigint",
    points_per_member_day="bigint",
    draws_prizes="boolean",
    expiry="jsonb",
    matures_after_days="int",
    version="int",
    created_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineGameCampaign:
    """Make a campaign of the partner with this code. `points_*` None are no limits."""

    partner_code: str
    code: str
    title_zh: str
    title_en: str
    opens_at: datetime
    closes_at: datetime
    budget: int
    points_per_item: int | None = None
    points_per_member_day: int | None = None
    draws_prizes: bool = False
    expiry: ExpiryPolicy = EXPIRY
    matures_after_days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeGameCampaign:
    """Change what is named of a campaign that stands at `version`."""

    campaign_id: UUID
    version: int
    changes: Mapping[str, Any]


async def define_game_campaign(
    command: DefineGameCampaign, *, by: Actor, now: datetime
) -> GameCampaign:
    """Make a campaign. The same definition again is answered with the campaign that it made.

    Refused: PartnerUnknown, InvalidInput, GameCampaignExists (another one has the code).
    """

    async def work() -> GameCampaign:
        partner = await known_partner(command.partner_code, field=("partner_code",))
        names = set(DefineGameCampaign.__slots__) - {"partner_code"}
        values = {name: getattr(command, name) for name in names}
        for name in ("points_per_item", "points_per_member_day"):
            values[name] = POINTS_MAX if values[name] is None else values[name]
        wanted = GameCampaign(
            id=uuid7(),
            partner_id=partner.account_id,
            partner_code=partner.code,
            partner_name_zh=partner.name_zh,
            partner_name_en=partner.name_en,
            spent=0,
            version=1,
            **values,
        )
        _check(wanted)
        row = await fetch_one(
            "SELECT id FROM game_campaign WHERE partner_id = $1 AND code = $2",
            *(partner.account_id, command.code),
        )
        if row is not None:
            known = await _known(row["id"])
            if replace(wanted, id=known.id) != known:
                raise GameCampaignExists(field=("code",), campaign=command.code)
            after = {"version": known.version}
            _record(by, "game_campaign.define", known, after=after, now=now)
            return known
        await _ROWS.insert([_row(wanted) | {"created_at": now}])
        _record(by, "game_campaign.define", wanted, after=_facts(wanted), now=now)
        return wanted

    return await transaction(work)


async def change_game_campaign(
    command: ChangeGameCampaign, *, by: Actor, now: datetime
) -> GameCampaign:
    """Change a campaign; its budget never below what is spent of it.

    Refused: GameCampaignUnknown, DefinitionChanged (somebody was faster), BudgetSpent,
    DisclosureFrozen (its opening is to move, and it has opened with a disclosure), InvalidInput.
    """
    assert command.changes.keys() <= CHANGEABLE_OF_CAMPAIGN, "the rest is for ever"

    async def work() -> GameCampaign:
        before = await _locked(command.campaign_id)
        if before.version != command.version:
            raise DefinitionChanged(version=before.version, field=("version",))
        after = replace(before, **command.changes)
        _check(after)
        if after.budget < before.spent:
            raise BudgetSpent(spent=before.spent, field=("budget",))
        if after.opens_at != before.opens_at and before.is_disclosed(now):
            raise DisclosureFrozen(field=("opens_at",))
        was, is_now = _facts(before), _facts(after)
        differing = [name for name in was if was[name] != is_now[name]]
        if differing:
            after = replace(after, version=before.version + 1)
            await _ROWS.update([_row(after)], key=("id",))
        _record(
            by,
            "game_campaign.change",
            after,
            before={name: was[name] for name in differing} | {"version": before.version},
            after={name: is_now[name] for name in differing} | {"version": after.version},
            now=now,
        )
        return after

    return await transaction(work)


async def freeze_disclosure(
    campaign_id: UUID, prizes: Sequence[Prize], *, by: Actor, now: datetime
) -> GameCampaign:
    """Tell what may be won, for good: a new version until the campaign opens, none after that.

    A campaign that draws prizes does not open without. The same prizes again change nothing.
    Refused: GameCampaignUnknown, InvalidInput, DisclosureFrozen.
    """
    _check_prizes(prizes)

    async def work() -> GameCampaign:
        campaign = await _locked(campaign_id)
        if not campaign.draws_prizes:
            raise InvalidInput(field=("campaign_id",), rule="a campaign that draws prizes")
        known = campaign.disclosure
        kept = prizes_to_json(prizes)
        if known is not None and prizes_to_json(known.prizes) == kept:
            after = {"disclosure": known.version}
            _record(by, "game_campaign.freeze", campaign, after=after, now=now)
            return campaign
        if campaign.is_disclosed(now):
            raise DisclosureFrozen(field=("campaign_id",))
        version = 1 if known is None else known.version + 1
        await execute(
            "INSERT INTO game_disclosure (campaign_id, version, prizes, frozen_at)"
            " VALUES ($1, $2, $3, $4)",
            *(campaign_id, version, kept, now),
        )
        after = {"disclosure": version, "prizes": orjson.loads(kept)}
        _record(by, "game_campaign.freeze", campaign, after=after, now=now)
        return await _known(campaign_id)

    return await transaction(work)


async def _known(campaign_id: UUID) -> GameCampaign:
    found = (await campaigns_by_ids([campaign_id])).get(campaign_id)
    if found is None:
        raise GameCampaignUnknown(field=("campaign_id",))
    return found


async def _locked(campaign_id: UUID) -> GameCampaign:
    """The campaign, whose budget nobody spends from until the commit."""
    await fetch_one("SELECT id FROM game_campaign WHERE id = $1 FOR NO KEY UPDATE", campaign_id)
    return await _known(campaign_id)


def _row(campaign: GameCampaign) -> dict[str, Any]:
    """As it is written: what is spent, pushes alone write."""
    row = {name: getattr(campaign, name) for name in _WRITTEN}
    return row | {"expiry": orjson.dumps(policy_to_json(campaign.expiry)).decode()}


_WRITTEN: Final = (
    *("id", "partner_id", "code", "title_zh", "title_en", "opens_at", "closes_at", "budget"),
    *("points_per_item", "points_per_member_day", "draws_prizes", "expiry"),
    *("matures_after_days", "version"),
)


def _facts(campaign: GameCampaign) -> dict[str, Any]:
    """What the audit log tells of a campaign."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in _row(campaign).items()
        if name not in {"id", "partner_id", "version"}
    }


def _record(
    by: Actor,
    action: str,
    campaign: GameCampaign,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    now: datetime,
) -> None:
    target = Target(kind="game_campaign", id=f"{campaign.partner_code}:{campaign.code}")
    audit.record(by, action, target=target, before=before, after=after, now=now)


def _check(campaign: GameCampaign) -> None:
    """Refuse InvalidInput with the field that breaks a rule."""
    clean_code(campaign.code, field=("code",), characters_max=64)
    for name in ("title_zh", "title_en"):
        clean_text(
            getattr(campaign, name),
            field=(name,),
            characters_min=1,
            characters_max=TITLE_CHARACTERS_MAX,
        )
    if campaign.opens_at >= campaign.closes_at:
        raise InvalidInput(field=("closes_at",), rule="after the opening")
    for name in ("budget", "points_per_item", "points_per_member_day"):
        if not 1 <= getattr(campaign, name) <= POINTS_MAX:
            raise InvalidInput(field=(name,), rule=f"1 to {POINTS_MAX}")
    if not 0 <= campaign.matures_after_days <= MATURES_DAYS_MAX:
        raise InvalidInput(field=("matures_after_days",), rule=f"0 to {MATURES_DAYS_MAX}")


def _check_prizes(prizes: Sequence[Prize]) -> None:
    if not 1 <= len(prizes) <= PRIZES_MAX:
        raise InvalidInput(field=("prizes",), rule=f"1 to {PRIZES_MAX} prizes")
    for place, prize in enumerate(prizes):
        at = ("prizes", str(place))
        clean_code(prize.code, field=(*at, "code"), characters_max=64)
        for name in ("title_zh", "title_en"):
            title = getattr(prize, name)
            clean_text(title, field=(*at, name), characters_min=1, characters_max=100)
        if not 1 <= prize.count <= COUNT_MAX:
            raise InvalidInput(field=(*at, "count"), rule=f"1 to {COUNT_MAX}")
        if not 1 <= prize.odds_ppm <= _CERTAIN:
            raise InvalidInput(field=(*at, "odds"), rule=f"1 to {_CERTAIN}")
    if len({prize.code for prize in prizes}) < len(prizes):
        raise InvalidInput(field=("prizes",), rule="each code once")
    if sum(prize.odds_ppm for prize in prizes) > _CERTAIN:
        raise InvalidInput(field=("prizes",), rule="odds that add up to 1 at most")
