"""An arcade: partners with campaigns, members who allow them, and batches that they push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain import games, ledger, members
from domain.access import KeyRing, Scope
from domain.audit import Actor
from domain.games import (
    DefineGameCampaign,
    GameCampaign,
    Partner,
    PushRewards,
    RegisterPartner,
    RewardBatch,
    RewardItem,
    RewardItemKind,
    RewardReceipt,
    push_rewards,
)
from domain.members import ByExternalReference, ById
from domain.storage import fetch_all

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CLERK = Actor(name="staff:clerk", account_id=UUID(int=7), request_id="0199c0ffee")
PLENTY = 10**12

Told = tuple[str, str | None, str | None]
"""A receipt: its status, the status of the first, its code."""


@dataclass(slots=True)
class Arcade:
    """A partner with a campaign, and members by name."""

    partner: Partner
    campaign: GameCampaign
    keys: KeyRing
    people: dict[str, UUID]
    refs: dict[str, str] = field(default_factory=dict)

    def item(
        self, external_id: str, who: str = "alice", points: int = 10, **other: Any
    ) -> RewardItem:
        """A grant of an hour ago; with what is changed."""
        values: dict[str, Any] = {
            "external_id": external_id,
            "member": ById(self.people[who]) if who in self.people else ById(UUID(int=1)),
            "campaign": str(self.campaign.id),
            "campaign_id": self.campaign.id,
            "points": points,
            "occurred_at": NOW - timedelta(hours=1),
            **other,
        }
        return RewardItem(**values)

    def back(self, external_id: str, grant: str, **other: Any) -> RewardItem:
        """A reversal of the grant."""
        return self.item(external_id, kind=RewardItemKind.REVERSAL, reverses=grant, **other)

    async def push(self, batch_id: str, *items: RewardItem, now: datetime = NOW) -> RewardBatch:
        """Push a batch."""
        command = PushRewards(partner=self.partner, batch_id=batch_id, items=items)
        return await push_rewards(command, keys=self.keys, now=now)

    async def available(self, who: str) -> int:
        """The member's available points."""
        return (await ledger.balance(self.people[who], now=NOW)).available

    async def net(self, who: str) -> int:
        """What the member has, less what they owe."""
        held = await ledger.balance(self.people[who], now=NOW)
        return held.available + held.pending - held.debt

    async def spent(self) -> int:
        """What is spent of the campaign's budget."""
        return (await games.campaigns_by_ids([self.campaign.id]))[self.campaign.id].spent

    async def verify(self) -> None:
        """Every account is sound, and what is spent is what stands."""
        for member_id in self.people.values():
            assert await ledger.verify_account(member_id) == []
        [row] = await fetch_all(
            "SELECT CAST(COALESCE(SUM(CASE kind WHEN 'GRANT' THEN points ELSE -points END), 0)"
            " AS BIGINT) AS points FROM reward_item WHERE campaign_id = $1 AND status = 'APPLIED'",
            self.campaign.id,
        )
        assert row["points"] == await self.spent()


async def open_partner(code: str, **terms: Any) -> Partner:
    """A partner whose caps are out of reach."""
    values: dict[str, Any] = {"points_per_day": PLENTY, "points_per_member_day": PLENTY, **terms}
    command = RegisterPartner(
        code=code,
        name_zh="游乐园",
        name_en="Arcade",
        scopes=frozenset({Scope.REWARDS_READ, Scope.REWARDS_WRITE}),
        **values,
    )
    return await games.register_partner(command, by=CLERK, now=NOW)


async def open_campaign(partner: str, code: str = "wheel", **terms: Any) -> GameCampaign:
    """A campaign that is open at NOW, with a budget that nobody reaches."""
    values: dict[str, Any] = {
        "title_zh": "大转盘",
        "title_en": "Lucky wheel",
        "opens_at": NOW - timedelta(days=60),
        "closes_at": NOW + timedelta(days=30),
        "budget": PLENTY,
        **terms,
    }
    command = DefineGameCampaign(partner_code=partner, code=code, **values)
    return await games.define_game_campaign(command, by=CLERK, now=NOW)


async def people_of(*names: str) -> dict[str, UUID]:
    """A member for each name."""
    joined = await members.register_external_members(
        [ByExternalReference(name) for name in names], now=NOW
    )
    return dict(joined)


async def open_arcade(
    keys: KeyRing,
    *names: str,
    code: str = "arcade",
    caps: dict[str, Any] | None = None,
    **terms: Any,
) -> Arcade:
    """The partner, its campaign, and members who allow it."""
    partner = await open_partner(code, **(caps or {}))
    campaign = await open_campaign(code, **terms)
    people = await people_of(*(names or ("alice", "bob")))
    refs = {
        name: await games.bind_member(partner.account_id, member_id, now=NOW)
        for name, member_id in people.items()
    }
    return Arcade(partner=partner, campaign=campaign, keys=keys, people=people, refs=refs)


def told(batch: RewardBatch | Sequence[RewardReceipt]) -> list[Told]:
    """The receipts of a batch in short."""
    receipts = batch.receipts if isinstance(batch, RewardBatch) else batch
    return [(one.status, one.first_status, one.code) for one in receipts]
