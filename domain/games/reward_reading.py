"""Reading rewards: a partner's ledger of what it pushed, and what a member won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.games.campaigns import (
    Disclosure,
    GameCampaign,
    Prize,
    campaigns_by_ids,
    prizes_from_json,
)
from domain.games.reward_items import RewardItemKind, RewardStatus
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all, fetch_one

_BEGINNING: Final = (datetime.fromisoformat("0001-01-02T00:00:00+00:00"), UUID(int=0))
_END: Final = (datetime.fromisoformat("9999-12-30T00:00:00+00:00"), UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """An item of a partner, as it stands now."""

    external_id: str
    points: int
    kind: RewardItemKind
    occurred_at: datetime
    received_at: datetime
    status: RewardStatus


class GameRewardStatus(StrEnum):
    """How a reward stands with its member."""

    APPLIED = "APPLIED"
    """The points were given."""
    REVERSED = "REVERSED"
    """The partner took them back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GameReward:
    """What a member won: points, and the prize that they stand for, where one was drawn."""

    id: UUID
    member_id: UUID
    points: int
    campaign: GameCampaign
    occurred_at: datetime
    status: GameRewardStatus
    prize: Prize | None
    disclosure_version: int | None


async def partner_ledger(partner_id: UUID, page: PageRequest) -> Page[LedgerLine]:
    """A page of what the partner pushed, oldest first, by the key (received_at, id).

    What was refused is left out, and so is what was there before under another id. A push takes the
    place of the moment at which it came in, so lines may come to stand before others of the same
    few seconds that were read already.
    """
    after, after_id = page.after or _BEGINNING
    rows = await fetch_all(
        "SELECT * FROM reward_item WHERE partner_id = $1 AND status IN ('APPLIED', 'PENDING')"
        " AND received_at >= $2 AND (received_at, id) > ($2, $3)"
        " ORDER BY received_at, id LIMIT $4",
        *(partner_id, after, after_id, page.limit),
    )
    keys = [(row["received_at"], row["id"]) for row in rows[: page.first]]
    lines = [
        LedgerLine(
            external_id=row["external_id"],
            points=row["points"],
            kind=RewardItemKind(row["kind"]),
            occurred_at=row["occurred_at"],
            received_at=row["received_at"],
            status=RewardStatus(row["status"]),
        )
        for row in rows[: page.first]
    ]
    return Page(items=lines, keys=keys, has_next=len(rows) > page.first)


_OF_MEMBER: Final = """
    SELECT i.*, d.prizes, d.frozen_at FROM reward_item i
    LEFT JOIN game_disclosure d
      ON d.campaign_id = i.campaign_id AND d.version = i.disclosure_version
    WHERE i.kind = 'GRANT' AND i.status = 'APPLIED'
"""


async def game_rewards(member_id: UUID, page: PageRequest) -> Page[GameReward]:
    """A page of what the member won, newest first, by the key (occurred_at, id).

    Two statements.
    """
    before, before_id = page.after or _END
    rows = await fetch_all(
        f"{_OF_MEMBER} AND i.member_id = $1"
        " AND i.occurred_at <= $2 AND (i.occurred_at, i.id) < ($2, $3)"
        " ORDER BY i.occurred_at DESC, i.id DESC LIMIT $4",
        *(member_id, before, before_id, page.limit),
    )
    found = await _rewards_of(rows)
    return page_of(found, first=page.first, key=lambda one: (one.occurred_at, one.id))


async def game_reward(member_id: UUID, *, reward_id: UUID) -> GameReward | None:
    """One reward of the member, or None."""
    row = await fetch_one(f"{_OF_MEMBER} AND i.id = $1 AND i.member_id = $2", reward_id, member_id)
    return None if row is None else (await _rewards_of([row]))[0]


async def _rewards_of(rows: Sequence[Row]) -> list[GameReward]:
    campaigns = await campaigns_by_ids({row["campaign_id"] for row in rows}) if rows else {}
    return [_reward(row, campaigns[row["campaign_id"]]) for row in rows]


def _reward(row: Row, campaign: GameCampaign) -> GameReward:
    prize = None
    if row["prize_code"] is not None and row["prizes"] is not None:
        disclosure = Disclosure(
            campaign_id=campaign.id,
            version=row["disclosure_version"],
            prizes=prizes_from_json(row["prizes"]),
            frozen_at=row["frozen_at"],
        )
        prize = disclosure.prize(row["prize_code"])
    reversed_since = row["reversed_by"] is not None
    return GameReward(
        id=row["id"],
        member_id=row["member_id"],
        points=row["points"],
        campaign=campaign,
        occurred_at=row["occurred_at"],
        status=GameRewardStatus.REVERSED if reversed_since else GameRewardStatus.APPLIED,
        prize=prize,
        disclosure_version=row["disclosure_version"],
    )
