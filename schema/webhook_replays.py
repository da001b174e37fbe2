"""Webhooks that staff sends again, and addresses that it takes up again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain.errors import InvalidInput
from resolvers import webhooks as resolvers
from schema.fields import Info, input_type, object_type, view
from schema.game_partners import TAKES_IN, GamePartner, PartnerCodeInput
from schema.mutations import Payload, mutation
from schema.node import parse_uuid


@input_type()
class ReplayWebhooksInput:
    """Which webhooks of a partner to send again: those since a moment, or some by their ids."""

    code: str
    """Which partner."""

    since: datetime | None = None
    """What was made then or later, 10,000 at a time, the oldest first; again, while these wait, it
    goes on with the others."""

    ids: list[strawberry.ID] | None = None
    """These, 500 at the most."""


@object_type(policy=TAKES_IN)
class ReplayWebhooksPayload(Payload):
    """What sending webhooks again led to."""

    count: int | None = None
    """How many are sent again; null when it was refused."""


@object_type(policy=TAKES_IN)
class EnableWebhooksPayload(Payload):
    """What taking an address up again led to."""

    partner: GamePartner | None = None
    """The partner; null when it was refused."""


@mutation(TAKES_IN)
async def replay_webhooks(info: Info, input: ReplayWebhooksInput) -> ReplayWebhooksPayload:
    """Send webhooks of a partner again, under their ids, whatever became of them."""
    ids = None if input.ids is None else [_delivery_id(one) for one in input.ids]
    count = await resolvers.replay_webhooks(info.context, input.code, since=input.since, ids=ids)
    return ReplayWebhooksPayload(count=count)


@mutation(TAKES_IN)
async def enable_webhooks(info: Info, input: PartnerCodeInput) -> EnableWebhooksPayload:
    """Send to the partner's address again after it said that it is gone; what waits goes now."""
    made = await resolvers.enable_webhooks(info.context, input.code)
    return EnableWebhooksPayload(partner=view(made))


def _delivery_id(text: str) -> UUID:
    try:
        return parse_uuid(text.removeprefix("msg_"))
    except ValueError:
        raise InvalidInput(field=("ids",), rule="ids of webhooks, msg_…") from None
