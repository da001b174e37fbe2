"""What is announced of rewards, for webhooks and for whoever follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from domain.games.partners import Partner
from domain.games.reward_items import KeptItem
from domain.outbox import Event


def told_effects(
    grants: Iterable[KeptItem],
    reversals: Iterable[tuple[KeptItem, KeptItem]],
    *,
    partner: Partner,
) -> list[Event]:
    """What took effect, to each member their own; reversals come with their grants."""
    granted = [
        Event(kind="RewardGranted", member_id=one.member_id, facts=_facts(one, one, partner))
        for one in grants
    ]
    reversed_ = [
        Event(kind="RewardReversed", member_id=one.member_id, facts=_facts(one, grant, partner))
        for one, grant in reversals
    ]
    return [*granted, *reversed_]


def told_rejections(refused: Sequence[KeptItem], *, partner: Partner) -> list[Event]:
    """What was refused, as one event: it is told to the partner, and concerns no member."""
    if not refused or partner.webhook_url is None:
        return []
    facts = {
        "partner_id": str(partner.account_id),
        "partner": partner.code,
        "external_ids": [one.external_id for one in refused],
    }
    return [Event(kind="RewardsRejected", member_id=partner.account_id, facts=facts)]


def _facts(one: KeptItem, grant: KeptItem, partner: Partner) -> dict[str, Any]:
    return {
        "partner_id": str(one.partner_id),
        "partner": partner.code,
        "external_id": one.external_id,
        "reward_id": str(one.id),
        "grant_id": str(grant.id),
        "campaign_id": str(one.campaign_id),
        "points": one.points,
        "occurred_at": one.occurred_at.isoformat(),
    }
