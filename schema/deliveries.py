"""Telling members outside of the inbox: what they allow, and what staff sees of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain.errors import InvalidInput
from domain.notifications import (
    AcceptSubscribeMessages,
    Delivery,
    DeliveryState,
    WantedDeliveries,
)
from resolvers import deliveries as resolvers
from schema.connections import KeysetList
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, field, input_type, object_type, view
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import encode_global_id
from schema.notes import SERVES
from schema.notification_kinds import Channel
from schema.policies import OWNER

DELIVERIES = KeysetList("notification-deliveries", (UUID,))
TEMPLATES = Cost(items=5)
"""A mini-program has so many templates, or a few more."""

enum_type(
    DeliveryState,
    descriptions={
        "WAITING": "It is to be sent, or sent again.",
        "SENT": "The server behind the channel has taken it.",
        "PERHAPS_SENT": "Nobody knows; it is not sent again by itself.",
        "FAILED": "It was not taken, however often it was sent.",
        "STOPPED": "It was not sent: the member does not want it, or it is there no more.",
    },
)


@object_type(policy=OWNER)
class SubscribeMessages:
    """A template of WeChat's subscribe messages, of which members allow one message at a time."""

    template_id: str
    """What `wx.requestSubscribeMessage` takes."""

    kinds: list[str]
    """The kinds of notifications that come by it."""

    remaining: int
    """How many messages the member allowed and has not been sent."""


@input_type()
class AcceptSubscribeMessagesInput:
    """What the member allowed just now in a mini-program."""

    app_id: str
    """The app id of the mini-program."""

    template_ids: list[str]
    """The templates that `wx.requestSubscribeMessage` answered `accept` for: 1 to 5, each once."""

    idempotency_key: strawberry.ID
    """A fresh key for each answer of `wx.requestSubscribeMessage`: the same key counts once."""


@object_type(policy=OWNER)
class AcceptSubscribeMessagesPayload(Payload):
    """What allowing messages led to."""

    subscribe_messages: list[SubscribeMessages] | None = field(OWNER, default=None, cost=TEMPLATES)
    """All templates of the mini-program; null when it was refused."""


@object_type(policy=SERVES)
class NotificationDelivery:
    """A notification on its way to a member by one channel. What it says stands in the inbox."""

    channel: Channel
    """By which channel."""

    state: DeliveryState
    """How it stands."""

    attempts: int
    """How often it was tried."""

    reason: str | None
    """Why the last attempt did not succeed: `unavailable`, `smtp_550`, `refused`, ..."""

    created_at: datetime
    """Since when it was to be sent."""

    next_at: datetime | None
    """When it is tried next; null when it is not."""

    sent_at: datetime | None
    """When it was sent, or perhaps was."""

    @computed(SERVES)
    def id(self) -> strawberry.ID:
        """Its id, for `replayNotificationDeliveries`."""
        delivery: Delivery = view(self)
        return strawberry.ID(str(delivery.id))

    @computed(SERVES)
    def member_id(self) -> strawberry.ID:
        """The member's global id."""
        delivery: Delivery = view(self)
        return encode_global_id("Member", str(delivery.member_id))


@input_type()
class WantedDeliveriesInput:
    """Which deliveries to look at; what is left out is not asked for."""

    member: MemberReference | None = None
    """Those to this member."""

    channel: Channel | None = None
    """Those by this channel."""

    state: DeliveryState | None = None
    """Those that stand so."""

    def value(self) -> WantedDeliveries:
        """As the domain takes it."""
        member = None if self.member is None else self.member.value(field=["of", "member"])
        return WantedDeliveries(member=member, channel=self.channel, state=self.state)


@input_type()
class ReplayNotificationDeliveriesInput:
    """Which deliveries to send again: those since a moment, or some by their ids."""

    since: datetime | None = None
    """What was made then or later, 10,000 at a time, the oldest first."""

    ids: list[strawberry.ID] | None = None
    """These, 500 at the most."""


@object_type(policy=SERVES)
class ReplayNotificationDeliveriesPayload(Payload):
    """What sending deliveries again led to."""

    count: int | None = None
    """How many are sent again: none of those that were sent; null when it was refused."""


@mutation(OWNER)
async def accept_subscribe_messages(
    info: Info, input: AcceptSubscribeMessagesInput
) -> AcceptSubscribeMessagesPayload:
    """Count what the member allowed in the mini-program: one message of each template."""
    command = AcceptSubscribeMessages(
        member_id=info.context.require_member(),
        app_id=input.app_id,
        template_ids=input.template_ids,
        idempotency_key=input.idempotency_key,
    )
    found = await resolvers.accept_subscribe_messages(info.context, command)
    return AcceptSubscribeMessagesPayload(subscribe_messages=view(found))


@mutation(SERVES)
async def replay_notification_deliveries(
    info: Info, input: ReplayNotificationDeliveriesInput
) -> ReplayNotificationDeliveriesPayload:
    """Send notifications again that were not sent, or perhaps not, whatever became of them."""
    ids = None if input.ids is None else [_delivery_id(one) for one in input.ids]
    count = await resolvers.replay(info.context, since=input.since, ids=ids)
    return ReplayNotificationDeliveriesPayload(count=count)


def _delivery_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput(field=("ids",), rule="ids of deliveries") from None
