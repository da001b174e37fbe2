"""What partners are told of what happened, as they and staff see it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import games
from domain.games import WebhookState
from schema.connections import KeysetList
from schema.fields import computed, enum_type, object_type, view
from schema.policies import SEES_PARTNERS
from schema.pushed_rewards import READS_REWARDS

DELIVERIES = KeysetList("webhookDeliveries", (UUID,))
SEES_WEBHOOKS = READS_REWARDS | SEES_PARTNERS

enum_type(WebhookState)


@object_type(policy=SEES_WEBHOOKS)
class WebhookDelivery:
    """A message to a partner's address for webhooks, and what became of it."""

    type: str
    """What it tells, such as `reward.applied`."""

    state: WebhookState
    """How it stands."""

    attempts: int
    """How often it was sent, since it was made or last replayed."""

    created_at: datetime
    """When what it tells happened."""

    next_at: datetime | None
    """When it is sent next, at the earliest; null unless it waits."""

    last_at: datetime | None
    """When it was last sent; null before the first attempt."""

    last_status: int | None
    """The status of the last answer; null where there was none."""

    last_error: str | None
    """Why it was not taken the last time; null where it was."""

    delivered_at: datetime | None
    """When it was taken; null while it was not."""

    @computed(SEES_WEBHOOKS)
    def id(self) -> strawberry.ID:
        """Its `webhook-id`, the same at every attempt."""
        delivery: games.WebhookDelivery = view(self)
        return strawberry.ID(delivery.message_id)
