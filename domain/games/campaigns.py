"""Campaigns of partners: what may be granted when, out of which budget, under which disclosure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from domain import access
from domain.access import CallerKind
from domain.ledger import ExpiryPolicy, expires_at, policy_from_json
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Prize:
    """What may be won: how many there are, and the odds of one draw, in millionths."""

    code: str
    title_zh: str
    title_en: str
    count: int
    odds_ppm: int

    @property
    def odds(self) -> float:
        """The odds of one draw, 0 to 1."""
        return self.odds_ppm / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """The prizes of a campaign as they were told before its first draw."""

    campaign_id: UUID
    version: int
    prizes: Sequence[Prize]
    frozen_at: datetime

    def prize(self, code: str) -> Prize | None:
        """The prize of this code."""
        return next((one for one in self.prizes if one.code == code), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GameCampaign:
    """A campaign of a partner, open from `opens_at` until `closes_at`, which is exclusive.

    `budget` is what its grants may add up to; `spent` is what they do, less what was taken back.
    One that draws prizes is closed until its disclosure is frozen: nothing was drawn under it
    before. What it grants matures that many
    days after the event, at once for none, and expires by `expiry`.
    """

    id: UUID
    partner_id: UUID
    partner_code: str
    partner_name_zh: str = field(compare=False)
    partner_name_en: str = field(compare=False)
    code: str
    title_zh: str
    title_en: str
    opens_at: datetime
    closes_at: datetime
    budget: int
    spent: int = field(compare=False)
    points_per_item: int
    points_per_member_day: int
    draws_prizes: bool
    expiry: ExpiryPolicy
    matures_after_days: int
    version: int
    disclosure: Disclosure | None = field(default=None, compare=False)

    @property
    def left(self) -> int:
        """What is left of the budget."""
        return self.budget - self.spent

    def is_open(self, moment: datetime) -> bool:
        """Whether an event of this moment may be rewarded."""
        opens_at = self.opens_at
        if self.draws_prizes:
            if self.disclosure is None:
                return False
            opens_at = max(opens_at, self.disclosure.frozen_at)
        return opens_at <= moment < self.closes_at

    def is_disclosed(self, now: datetime) -> bool:
        """Whether it has opened with its disclosure, under which something may have been won."""
        return self.disclosure is not None and now >= self.opens_at

    def lifetime(self, earned_at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When points of an event mature, and when they expire.

        Points that would expire before they mature mature as they expire.
        """
        ends = expires_at(self.expiry, earned_at=earned_at, zone=zone)
        return min(earned_at + timedelta(days=self.matures_after_days), ends), ends


_CAMPAIGNS: Final = """
    SELECT c.*, p.code AS partner_code, p.name_zh AS partner_name_zh,
           p.name_en AS partner_name_en, d.version AS disclosure_version, d.prizes, d.frozen_at
    FROM game_campaign c
    JOIN partner p ON p.account_id = c.partner_id
    LEFT JOIN game_disclosure d ON d.campaign_id = c.id AND d.version = (
        SELECT MAX(l.version) FROM game_disclosure l WHERE l.campaign_id = c.id
    )
"""


async def campaigns_by_ids(campaign_ids: Collection[UUID]) -> Mapping[UUID, GameCampaign]:
    """Campaigns by their ids, open or not; what is unknown is left out. One statement."""
    rows = await fetch_all(f"{_CAMPAIGNS} WHERE c.id = ANY($1::uuid[])", sorted(set(campaign_ids)))
    return {row["id"]: campaign_of(row) for row in rows}


async def campaigns_of(partner_id: UUID, page: PageRequest) -> Page[GameCampaign]:
    """A page of a partner's campaigns, closed ones too, by the key (closes_at, id)."""
    return await _page("c.partner_id = $4 AND $5 >= 0", page, partner_id, 0)


async def game_campaigns(page: PageRequest, *, now: datetime) -> Page[GameCampaign]:
    """A page of what members may play for now or soon, the first to close first.

    Those of partners who try things out or are disabled are left out, and those whose prizes are
    not told yet.
    """
    partners = await access.accounts({CallerKind.PARTNER})
    disabled = [one.id for one in partners if one.disabled_at is not None]
    condition = "c.closes_at > $4 AND (d.version IS NOT NULL OR NOT c.draws_prizes)"
    condition += " AND p.sandbox = $5 AND NOT c.partner_id = ANY($6::uuid[])"
    return await _page(condition, page, now, False, disabled)


async def _page(condition: str, page: PageRequest, *values: object) -> Page[GameCampaign]:
    after, after_id = page.after or (_BEGINNING, UUID(int=0))
    rows = await fetch_all(
        f"{_CAMPAIGNS} WHERE (c.closes_at > $1 OR c.closes_at = $1 AND c.id > $2)"
        f" AND {condition} ORDER BY c.closes_at, c.id LIMIT $3",
        *(after, after_id, page.limit, *values),
    )
    found = [campaign_of(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.closes_at, one.id))


_BEGINNING: Final = datetime.fromisoformat("0001-01-02T00:00:00+00:00")


def campaign_of(row: Row) -> GameCampaign:
    """The campaign in a row of `game_campaign`, with its partner's code and its disclosure."""
    disclosure = None
    if row["disclosure_version"] is not None:
        disclosure = Disclosure(
            campaign_id=row["id"],
            version=row["disclosure_version"],
            prizes=prizes_from_json(row["prizes"]),
            frozen_at=row["frozen_at"],
        )
    return GameCampaign(
        id=row["id"],
        partner_id=row["partner_id"],
        partner_code=row["partner_code"],
        partner_name_zh=row["partner_name_zh"],
        partner_name_en=row["partner_name_en"],
        code=row["code"],
        title_zh=row["title_zh"],
        title_en=row["title_en"],
        opens_at=row["opens_at"],
        closes_at=row["closes_at"],
        budget=row["budget"],
        spent=row["spent"],
        points_per_item=row["points_per_item"],
        points_per_member_day=row["points_per_member_day"],
        draws_prizes=row["draws_prizes"],
        expiry=policy_from_json(orjson.loads(row["expiry"])),
        matures_after_days=row["matures_after_days"],
        version=row["version"],
        disclosure=disclosure,
    )


def prizes_to_json(prizes: Sequence[Prize]) -> str:
    """The prizes as they are kept."""
    return orjson.dumps([_prize_facts(one) for one in prizes]).decode()


def prizes_from_json(kept: str) -> Sequence[Prize]:
    """The prizes that `prizes_to_json` wrote."""
    return [Prize(**facts) for facts in orjson.loads(kept)]


def _prize_facts(prize: Prize) -> dict[str, Any]:
    names = ("code", "title_zh", "title_en", "count", "odds_ppm")
    return {name: getattr(prize, name) for name in names}
