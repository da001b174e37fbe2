"""What members look at, told by their clients."""

from __future__ import annotations

from datetime import datetime

import strawberry

from domain.recommendations import BehaviorEvent
from resolvers import behavior as resolvers
from schema.cost import MUTATION_COST, Cost
from schema.fields import Info, input_type, object_type
from schema.mutations import Payload, mutation
from schema.node import decode_uuid
from schema.policies import OWNER


@input_type()
class BehaviorEventInput:
    """Something that the member looked at or did."""

    kind: str
    """A code of the client's, for example `view` or `search`, at most 32 characters."""

    product_id: strawberry.ID | None = None
    """The product that it was about."""

    theme: str | None = None
    """The code of the theme that it was about."""

    at: datetime
    """When it was: not older than 30 days, and not in the future."""

    event_id: strawberry.ID
    """The client's own id, at most 64 characters: sent again, the event is kept once."""


@input_type()
class TrackBehaviorInput:
    """What the member looked at."""

    events: list[BehaviorEventInput]
    """At most 200 events."""


@object_type(policy=OWNER)
class TrackBehaviorPayload(Payload):
    """What telling it led to."""

    accepted: int | None = None
    """How many of the events are kept now, also where they were told before; 0 while the member
    does not agree to `behavior_tracking`."""


@mutation(OWNER, cost=Cost(own=MUTATION_COST, items="input.events", each=0))
async def track_behavior(info: Info, input: TrackBehaviorInput) -> TrackBehaviorPayload:
    """Tell what the member looked at. Nothing is kept without their consent."""
    events = [_event(event) for event in input.events]
    return TrackBehaviorPayload(accepted=await resolvers.track_behavior(info.context, events))


def _event(event: BehaviorEventInput) -> BehaviorEvent:
    return BehaviorEvent(
        event_id=event.event_id,
        kind=event.kind,
        product_id=decode_uuid(event.product_id, "Product") if event.product_id else None,
        theme=event.theme,
        at=event.at,
    )
