"""What happens in games, as partners tell it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import games
from domain.games import GameEventKind
from resolvers import game_events as resolvers
from schema.cost import MUTATION_COST, Cost
from schema.faults import CodedError
from schema.fields import Info, enum_type, input_type, object_type
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_uuid
from schema.pushed_rewards import WRITES_REWARDS

enum_type(GameEventKind)


@input_type()
class GameEventInput:
    """Something that a visitor did."""

    external_id: strawberry.ID
    """The partner's own id of the event, at most 128 characters: sent again, it counts once."""

    campaign_id: strawberry.ID
    """In which campaign of the partner; it was open then."""

    kind: GameEventKind
    """What they did."""

    visitor: str
    """The partner's own name of who did it, at most 64 characters, the same each time."""

    member: MemberReference | None = None
    """Who it is, where they allow this partner."""

    at: datetime
    """When: at most 30 days ago, and 5 minutes ahead."""


@input_type()
class RecordGameEventsInput:
    """A batch of events."""

    batch_id: strawberry.ID
    """The partner's own id of the batch: sent again, it gives the same answer."""

    events: list[GameEventInput]
    """1 to 500 events."""


@object_type(policy=WRITES_REWARDS)
class RecordGameEventsPayload(Payload):
    """What telling a batch led to. It is kept whole, or refused whole."""

    accepted: int | None = None
    """How many events were new; null when the batch was refused."""

    duplicates: int | None = None
    """How many were told before, or stand in it twice; null when the batch was refused."""


@mutation(WRITES_REWARDS, cost=Cost(own=MUTATION_COST, items="input.events", each=1))
async def record_game_events(info: Info, input: RecordGameEventsInput) -> RecordGameEventsPayload:
    """Tell what happened in games, for the funnels of their campaigns. All or nothing."""
    events = [_event(event, place) for place, event in enumerate(input.events)]
    recorded = await resolvers.record_events(info.context, batch_id=input.batch_id, events=events)
    return RecordGameEventsPayload(accepted=recorded.accepted, duplicates=recorded.duplicates)


def _event(event: GameEventInput, place: int) -> games.GameEvent:
    member = event.member
    return games.GameEvent(
        external_id=event.external_id,
        campaign=event.campaign_id,
        campaign_id=_campaign_id(event.campaign_id),
        kind=event.kind,
        visitor=event.visitor,
        at=event.at,
        member=None if member is None else member.value(field=("events", place, "member")),
    )


def _campaign_id(global_id: str) -> UUID | None:
    """The id of the campaign; None for what is no id of one, which is like an unknown one."""
    try:
        return decode_uuid(global_id, "GameCampaign")
    except CodedError:
        return None
