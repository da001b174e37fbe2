"""What members look at in the shop, kept of those alone who agreed to be watched.

Without the consent nothing is written; with its withdrawal everything goes, in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from domain import members
from domain.catalogue import missing_themes, products_by_id
from domain.errors import InvalidInput
from domain.members import Consent, SetConsent
from domain.outbox import Announced, Consumer
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.due import mark_due
from domain.recommendations.lists import forget_rows, forget_shelves
from domain.recommendations.signals import CLOCKS_DIFFER
from domain.storage import Table, execute, fetch_all, transaction
from domain.texts import clean_code, clean_text

BEHAVIOR_TRACKING: Final = "behavior_tracking"
"""The purpose of the consent."""

EVENTS_MAX: Final = 200
EVENT_ID_CHARACTERS_MAX: Final = 64
KIND_CHARACTERS_MAX: Final = 32
AGE_MAX: Final = timedelta(days=30)

_CHANGING: Final = frozenset({"ConsentChanged", "MembersMerged", "MembersParted"})
"""After these somebody may not agree who did."""

_IDS: Final = uuid5(NAMESPACE_URL, "https://jifen.example/behavior")
_EVENTS: Final = Table(
    "behavior_event",
    member_id="uuid",
    id="uuid",
    kind="text",
    product_code="text",
    theme_code="text",
    at="timestamptz",
    recorded_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviorEvent:
    """Something that a member looked at or did: a product, a theme, both or neither of them.

    `event_id` is the client's own, by which an event that is sent twice is one. `kind` is a code,
    for example `view`.
    """

    event_id: str
    kind: str
    product_id: UUID | None
    theme: str | None
    at: datetime


async def track_behavior(member_id: UUID, events: Sequence[BehaviorEvent], *, now: datetime) -> int:
    """Keep the events of a member who agreed; returns how many of them are kept, 0 without consent.

    An event that was kept before counts again: an answer that got lost is given again.
    Refused whole: InvalidInput by the field of the first event that breaks a rule, also for more
    than 200 events and for one that is to come or older than 30 days; MemberNotFound.
    """
    _check(events, now=now)

    async def work() -> int:
        # Withdrawing takes this lock too: no event is written beside a withdrawal.
        standing = await members.lock_member(member_id)
        codes = await _product_codes(events)
        await _check_themes(events)
        if not await members.has_consented(standing, BEHAVIOR_TRACKING):
            return 0
        kept = {_id_of(standing, event): event for event in reversed(events)}
        known = await _known_before(standing, events)
        fresh = await _not_kept_yet(
            standing, {id: event for id, event in kept.items() if event.event_id not in known}
        )
        await _EVENTS.insert(
            (
                {
                    "member_id": standing,
                    "id": id,
                    "kind": event.kind,
                    "product_code": codes[event.product_id] if event.product_id else None,
                    "theme_code": event.theme,
                    "at": event.at,
                    "recorded_at": now,
                }
                for id, event in sorted(fresh.items())
            ),
            or_ignore=True,
        )
        if fresh and await members.has_consented(standing, PERSONALIZATION):
            await mark_due([standing], now=now)
        return len(kept)

    return await transaction(work)


def _id_of(record_id: UUID, event: BehaviorEvent) -> UUID:
    return uuid5(_IDS, f"{record_id}:{event.event_id}")


async def _not_kept_yet(
    member_id: UUID, events: Mapping[UUID, BehaviorEvent]
) -> Mapping[UUID, BehaviorEvent]:
    """Those of the events, by our ids, that are not kept under the record itself."""
    rows = await fetch_all(
        "SELECT id FROM behavior_event WHERE member_id = $1 AND id = ANY($2::uuid[])",
        *(member_id, sorted(events)),
    )
    kept = {row["id"] for row in rows}
    return {id: event for id, event in events.items() if id not in kept}


async def _known_before(member_id: UUID, events: Sequence[BehaviorEvent]) -> set[str]:
    """The events, by the client's ids, that came with a record that was joined to the member's."""
    others = set(await members.records_of([member_id])) - {member_id}
    if not others:
        return set()
    ids = {_id_of(other, event): event.event_id for other in others for event in events}
    rows = await fetch_all(
        "SELECT id FROM behavior_event WHERE member_id = $1 AND id = ANY($2::uuid[])",
        *(member_id, sorted(ids)),
    )
    return {ids[row["id"]] for row in rows}


async def set_consent(command: SetConsent, *, now: datetime) -> Consent:
    """As `members.set_consent`, with what follows from a withdrawal, at once.

    Of who no longer agrees to be watched, what they looked at goes, with the shelves and the
    interests that may follow from it: they are computed anew without. Of who wants no shelves of
    their own, those and the interests that were inferred.
    """

    async def work() -> Consent:
        standing = await members.lock_member(command.member_id)
        consent = await members.set_consent(replace(command, member_id=standing), now=now)
        if consent.purpose == BEHAVIOR_TRACKING and not consent.granted:
            await _forget_events(standing)
            await _forget_what_followed(standing, now=now)
        if consent.purpose == PERSONALIZATION and not consent.granted:
            await forget_shelves([standing], now=now)
        return consent

    return await transaction(work)


def behavior_consumer() -> Consumer:
    """Whoever forgets those that came not to agree by another way than `set_consent`.

    Two records that became one, of which one had withdrawn later; two that became two again, of
    which one never agreed; whatever else changes consents.
    It looks at what holds now, so that repetition and delay do no harm.
    """

    async def forget(events: Sequence[Announced]) -> None:
        # The dictionary keeps the last moment of each.
        told = {event.member_id: event.announced_at for event in events}
        for member_id, announced_at in told.items():
            await _forget_unwilling(member_id, now=announced_at)

    return Consumer("behavior", _CHANGING, forget)


async def _forget_unwilling(member_id: UUID, *, now: datetime) -> None:
    async def work() -> None:
        # As in `track_behavior`: nothing is agreed to, nor written, between the look and the deed.
        for standing in (await members.lock_members([member_id])).values():
            if await members.has_consented(standing, BEHAVIOR_TRACKING):
                continue
            if await _forget_events(standing):
                await _forget_what_followed(standing, now=now)

    await transaction(work)


async def _forget_events(member_id: UUID) -> int:
    return await execute("DELETE FROM behavior_event WHERE member_id = $1", member_id)


async def _forget_what_followed(member_id: UUID, *, now: datetime) -> None:
    """Until lists are computed anew, the member is shown what their declared themes say."""
    await forget_rows([member_id])
    await members.replace_inferred_interests({member_id: {}}, now=now)
    if await members.has_consented(member_id, PERSONALIZATION):
        await mark_due([member_id], now=now)


def _check(events: Sequence[BehaviorEvent], *, now: datetime) -> None:
    if len(events) > EVENTS_MAX:
        raise InvalidInput(field=("events",), rule=f"at most {EVENTS_MAX} events")
    for number, event in enumerate(events):
        path = ("events", str(number))
        clean_code(event.kind, field=(*path, "kind"), characters_max=KIND_CHARACTERS_MAX)
        clean_text(
            event.event_id,
            field=(*path, "event_id"),
            characters_min=1,
            characters_max=EVENT_ID_CHARACTERS_MAX,
        )
        if event.at > now + CLOCKS_DIFFER:
            raise InvalidInput(field=(*path, "at"), rule="not in the future")
        if event.at < now - AGE_MAX:
            raise InvalidInput(field=(*path, "at"), rule=f"not older than {AGE_MAX.days} days")


async def _product_codes(events: Sequence[BehaviorEvent]) -> dict[UUID, str]:
    wanted = {event.product_id for event in events if event.product_id is not None}
    known = await products_by_id(wanted)
    for number, event in enumerate(events):
        if event.product_id is not None and event.product_id not in known:
            path = ("events", str(number), "product_id")
            raise InvalidInput(field=path, rule="there is no such product")
    return {id: product.code for id, product in known.items()}


async def _check_themes(events: Sequence[BehaviorEvent]) -> None:
    missing = set(
        await missing_themes({event.theme for event in events if event.theme is not None})
    )
    for number, event in enumerate(events):
        if event.theme in missing:
            raise InvalidInput(
                field=("events", str(number), "theme"), rule="there is no such theme"
            )
