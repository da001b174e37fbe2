"""What happens in games, as partners tell it: visits, plays, finishes and shares.

Lock, replay, read, decide, write: one transaction, and so many statements as there are campaigns,
however many events. Batches of one campaign come one after the other: its counts are locked, after
the members who are named. Nobody is known by an event alone: a visitor is a name of the partner's
own, kept under a key that is not in the database, another one for each partner (decisions/0016).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from domain import idempotency
from domain.errors import (
    CampaignClosed,
    FutureDated,
    IdempotencyConflict,
    InvalidInput,
    MemberNotFound,
    NotBound,
    TooOld,
)
from domain.games.campaigns import GameCampaign, campaigns_by_ids
from domain.games.naming import lock_visitors
from domain.games.partners import Partner
from domain.games.reward_items import AGE_MAX, AHEAD_MAX
from domain.games.visitors import Sighting, count_visitors, lock_counts
from domain.members import MemberRef, as_named, phone_vault
from domain.storage import Table, execute, fetch_all, transaction
from domain.texts import clean_text

EVENTS_MAX: Final = 500
VISITOR_CHARACTERS_MAX: Final = 64
EXTERNAL_ID_CHARACTERS_MAX: Final = 128
BATCH_ID_CHARACTERS_MAX: Final = 128
EVENTS_KEPT: Final = AGE_MAX + timedelta(days=10)
"""For so long events are kept, so that one that is sent again is known; later it is too old."""

FORGOTTEN_AT_ONCE: Final = 5_000

_PURPOSE: Final = b"game-visitors"

_EVENTS: Final = Table(
    "game_event",
    partner_id="uuid",
    external_id="text",
    campaign_id="uuid",
    kind="text",
    visitor="uuid",
    at="timestamptz",
    recorded_at="timestamptz",
)


class GameEventKind(StrEnum):
    """What somebody did."""

    VISIT = "VISIT"
    """They opened the game's page."""
    PLAY = "PLAY"
    """They began to play."""
    FINISH = "FINISH"
    """They played to the end."""
    SHARE = "SHARE"
    """They told others of it."""


_PLAYS: Final = frozenset({GameEventKind.PLAY, GameEventKind.FINISH})


@dataclass(frozen=True, slots=True, kw_only=True)
class GameEvent:
    """Something that a visitor did. `campaign_id` is None where `campaign` is no id.

    `external_id` is the partner's own, by which an event that is sent twice is one. `member` is who
    the visitor is, where they allow the partner.
    """

    external_id: str
    campaign: str
    campaign_id: UUID | None
    kind: GameEventKind
    visitor: str
    at: datetime
    member: MemberRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordGameEvents:
    """Keep the events of one batch of the partner."""

    partner: Partner
    batch_id: str
    events: Sequence[GameEvent]


@dataclass(frozen=True, slots=True, kw_only=True)
class GameEventsRecorded:
    """How many events of a batch were new, and how many were kept before or stand in it twice."""

    accepted: int
    duplicates: int


async def record_game_events(command: RecordGameEvents, *, now: datetime) -> GameEventsRecorded:
    """Keep a batch of 1 to 500 events, all or none; what is there already stays as it is.

    A batch id that was used before gives its answer again. Refused whole, by the field of the first
    event that breaks a rule: InvalidInput, IdempotencyConflict (the batch id came with other
    events), CampaignClosed (none of the partner's, or not open then), FutureDated, TooOld,
    MemberNotFound, NotBound.
    """
    _check(command)
    partner_id = command.partner.account_id
    visitors = [visitor_id(partner_id, one.visitor) for one in command.events]
    digests = idempotency.digests({"events": _contents(command.events, visitors)})

    async def work() -> GameEventsRecorded:
        naming = [place for place, one in enumerate(command.events) if one.member is not None]
        references = [one.member for one in command.events if one.member is not None]
        found, standings = await lock_visitors(partner_id, references, now=now)
        earlier = await _recall(command, digests)
        if earlier is not None:
            return earlier
        campaigns = await campaigns_by_ids(
            {one.campaign_id for one in command.events if one.campaign_id is not None}
        )
        for place, event in enumerate(command.events):
            _check_moment(event, campaigns, partner_id=partner_id, place=place, now=now)
        members: dict[int, UUID] = {}
        for place, member_id in zip(naming, found, strict=True):
            path = ("events", str(place), "member")
            if member_id is None:
                raise MemberNotFound(field=path)
            if member_id not in standings or not standings[member_id].is_bound:
                raise NotBound(field=path)
            members[place] = member_id
        counts = await lock_counts(campaigns)
        fresh = await _fresh(partner_id, command.events)
        await _EVENTS.insert(
            _row(partner_id, command.events[place], visitors[place], now=now) for place in fresh
        )
        sightings = [
            _sighting(command.events[place], visitors[place], members.get(place)) for place in fresh
        ]
        await count_visitors(sightings, campaigns=campaigns, counts=counts)
        recorded = GameEventsRecorded(
            accepted=len(fresh), duplicates=len(command.events) - len(fresh)
        )
        answer = {"accepted": recorded.accepted, "duplicates": recorded.duplicates}
        await idempotency.remember(
            _scope(partner_id), {command.batch_id: (digests, answer)}, now=now
        )
        return recorded

    return await transaction(work)


async def forget_game_events(*, before: datetime) -> int:
    """Delete some of what was recorded before; how many, 0 at the end.

    Funnels have what it came to. What happened so long ago is refused as too old, and cannot count
    twice.
    """
    return await execute(
        "DELETE FROM game_event WHERE (partner_id, external_id) IN"
        " (SELECT partner_id, external_id FROM game_event WHERE recorded_at < $1 LIMIT $2)",
        *(before, FORGOTTEN_AT_ONCE),
    )


def visitor_id(partner_id: UUID, visitor: str) -> UUID:
    """What the partner's visitor is called here: the same for the same one, told by nobody."""
    key = phone_vault().derived(_PURPOSE)
    digest = hmac.new(key, partner_id.bytes + visitor.encode(), hashlib.sha256).digest()
    return UUID(bytes=digest[:16])


def _check(command: RecordGameEvents) -> None:
    """What can be said without looking; InvalidInput."""
    clean_text(
        command.batch_id,
        field=("batch_id",),
        characters_min=1,
        characters_max=BATCH_ID_CHARACTERS_MAX,
    )
    if not 1 <= len(command.events) <= EVENTS_MAX:
        raise InvalidInput(field=("events",), rule=f"1 to {EVENTS_MAX} events")
    limits = {"external_id": EXTERNAL_ID_CHARACTERS_MAX, "visitor": VISITOR_CHARACTERS_MAX}
    for place, event in enumerate(command.events):
        for name, characters_max in limits.items():
            clean_text(
                getattr(event, name),
                field=("events", str(place), name),
                characters_min=1,
                characters_max=characters_max,
            )


def _check_moment(
    event: GameEvent,
    campaigns: Mapping[UUID, GameCampaign],
    *,
    partner_id: UUID,
    place: int,
    now: datetime,
) -> None:
    path = ("events", str(place))
    if event.at > now + AHEAD_MAX:
        raise FutureDated(field=(*path, "at"))
    if event.at < now - AGE_MAX:
        raise TooOld(field=(*path, "at"))
    campaign = None if event.campaign_id is None else campaigns.get(event.campaign_id)
    is_theirs = campaign is not None and campaign.partner_id == partner_id
    if campaign is None or not is_theirs or not campaign.opens_at <= event.at < campaign.closes_at:
        raise CampaignClosed(field=(*path, "campaign_id"))


async def _recall(
    command: RecordGameEvents, digests: idempotency.Digests
) -> GameEventsRecorded | None:
    scope, key = _scope(command.partner.account_id), command.batch_id
    earlier = (await idempotency.recall(scope, {key: digests})).get(key)
    if earlier is None:
        return None
    if earlier.differing:
        raise IdempotencyConflict(field=("batch_id",), key=key, differing=earlier.differing)
    return GameEventsRecorded(**earlier.result)


async def _fresh(partner_id: UUID, events: Sequence[GameEvent]) -> list[int]:
    """The places of the events that are not kept yet, each id once, in the order of their ids."""
    places = {event.external_id: place for place, event in reversed([*enumerate(events)])}
    rows = await fetch_all(
        "SELECT external_id FROM game_event"
        " WHERE partner_id = $1 AND external_id = ANY($2::text[])",
        *(partner_id, sorted(places)),
    )
    known = {row["external_id"] for row in rows}
    return [places[one] for one in sorted(places) if one not in known]


def _sighting(event: GameEvent, visitor: UUID, member_id: UUID | None) -> Sighting:
    assert event.campaign_id is not None, "it is open"
    return Sighting(
        campaign_id=event.campaign_id,
        visitor=visitor,
        at=event.at,
        plays=event.kind in _PLAYS,
        member_id=member_id,
    )


def _row(partner_id: UUID, event: GameEvent, visitor: UUID, *, now: datetime) -> dict[str, Any]:
    return {
        "partner_id": partner_id,
        "external_id": event.external_id,
        "campaign_id": event.campaign_id,
        "kind": event.kind.value,
        "visitor": visitor,
        "at": event.at,
        "recorded_at": now,
    }


def _contents(events: Iterable[GameEvent], visitors: Sequence[UUID]) -> list[list[object]]:
    """The batch for its digest, in which nobody is told by a name that can be tried."""
    return [
        [
            event.external_id,
            event.campaign.encode("utf-8", "replace").decode(),
            event.kind.value,
            str(visitor),
            None if event.member is None else as_named(event.member),
            event.at.astimezone(UTC).isoformat(),
        ]
        for event, visitor in zip(events, visitors, strict=True)
    ]


def _scope(partner_id: UUID) -> str:
    return f"game.events:{partner_id}"
