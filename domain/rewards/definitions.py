"""Defining what points buy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from domain.rewards.models import Reward


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardDefinition:
    """A reward: `kind` GIFT, COUPON, PERK or PARTNER_PRIZE; `stock` None for unlimited."""

    id: UUID
    code: str
    title_zh: str
    title_en: str
    description_zh: str
    description_en: str
    kind: str
    points_price: int
    stock: int | None = None
    image_url: str | None = None
    level_required: str | None = None
    ends_at: datetime | None = None


async def define_rewards(rewards: Sequence[RewardDefinition], *, now: datetime) -> None:
    """Add the rewards that do not exist yet, by their codes; existing ones stay."""
    await Reward.bulk_create(
        [Reward(**asdict(reward), created_at=now) for reward in rewards], ignore_conflicts=True
    )
