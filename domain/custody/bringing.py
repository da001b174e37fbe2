"""Bringing members from another system: who they are, their points lot by lot, and their level.

A member comes with all that is theirs, or not at all. What they bring is brought once: each
external id is remembered, as a hash, with digests of points and level, so that the same file may be
imported any number of times, and does not bring back a person who was erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeAlias
from uuid import UUID

from domain import catalogue, idempotency, ledger, members, tiers
from domain.errors import IdempotencyConflict, InvalidInput, PointsOutOfRange, Refusal
from domain.idempotency import Digests
from domain.ledger import Earn, Source
from domain.members import Arrived, BroughtMember
from domain.program import program
from domain.storage import inside_transaction, transaction
from domain.tiers import OpeningLevel

NEWCOMERS_MAX: Final = 500
OPENING_LOTS_MAX: Final = 10_000
"""Lots that one member may bring."""

LEVEL_KEPT_MAX: Final = timedelta(days=36_525)
"""A hundred years: whoever keeps a level for longer is outlived by it."""

_SCOPE: Final = "import.members"
_EARNED_AT_MIN: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningLot:
    """Points that were earned together elsewhere, at `earned_at`; None: they count as from now.

    They may be spent from `matures_at` (None: at once) until `expires_at`, exclusive.
    """

    points: int
    expires_at: datetime
    earned_at: datetime | None = None
    matures_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A member with what they bring. `level_keep_until` is exclusive; see tiers.OpeningLevel."""

    member: BroughtMember
    lots: tuple[OpeningLot, ...] = ()
    level: str | None = None
    level_since: datetime | None = None
    level_keep_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of a newcomer: `replayed` where they were brought before."""

    member_id: UUID
    is_new: bool
    points: int
    replayed: bool = False


Outcome: TypeAlias = Brought | Refusal


async def bring_members(newcomers: Sequence[Newcomer], *, now: datetime) -> list[Outcome]:
    """Bring up to 500 members, no two with one external id; returns an outcome for each, in order.

    One transaction for all who are not refused, in a fixed number of statements. Refused with
    InvalidInput is what breaks a rule of its field, an unknown theme or level, and who cannot be
    one member (`members.bring_profiles`); with IdempotencyConflict who was brought before with
    other points or another level; with PointsOutOfRange and AccountFrozen who cannot take them.
    """
    assert not inside_transaction(), "who is refused late is left out of the next try"
    assert len(newcomers) <= NEWCOMERS_MAX, "the caller splits larger batches"
    outcomes: dict[int, Outcome] = {}
    sound: dict[int, Newcomer] = {}
    for index, newcomer in enumerate(newcomers):
        try:
            _check(newcomer, now=now)
        except Refusal as refusal:
            outcomes[index] = refusal
        else:
            sound[index] = newcomer
    # Each further try is for the fewer who are left.
    while sound:
        try:
            brought = await transaction(partial(_bring, sound, now=now))
        except _NotTakenError as found:
            outcomes |= found.refusals
            sound = {index: one for index, one in sound.items() if index not in found.refusals}
        else:
            outcomes |= brought
            break
    return [outcomes[index] for index in range(len(newcomers))]


class _NotTakenError(Exception):
    """The ledger refused points of these newcomers: nothing of theirs may be written."""

    def __init__(self, refusals: Mapping[int, Refusal]) -> None:
        self.refusals = refusals


async def _bring(newcomers: Mapping[int, Newcomer], *, now: datetime) -> dict[int, Outcome]:
    outcomes: dict[int, Outcome] = await _recall(newcomers)
    outcomes |= await _unknown_words(_rest(newcomers, outcomes))
    coming = _rest(newcomers, outcomes)
    arrivals = await members.bring_profiles([one.member for one in coming.values()], now=now)
    arrived: dict[int, Arrived] = {}
    for index, arrival in zip(coming, arrivals, strict=True):
        if isinstance(arrival, Arrived):
            arrived[index] = arrival
        else:
            outcomes[index] = arrival
    # Points and levels are decided under the accounts' locks, which the ledger takes of the others.
    await ledger.lock_accounts(one.member_id for one in arrived.values() if not one.is_new)
    await _post_lots({index: coming[index] for index in arrived}, arrived, now=now)
    await _grant_levels([(coming[index], arrived[index]) for index in arrived], now=now)
    brought = {
        index: Brought(
            member_id=arrived[index].member_id,
            is_new=arrived[index].is_new,
            points=sum(lot.points for lot in coming[index].lots),
        )
        for index in arrived
    }
    await idempotency.remember(
        _SCOPE,
        {
            _key(coming[index]): (
                _digests(coming[index]),
                {"member_id": str(one.member_id), "points": one.points},
            )
            for index, one in brought.items()
        },
        now=now,
    )
    return {**outcomes, **brought}


def _rest(newcomers: Mapping[int, Newcomer], outcomes: Mapping[int, Any]) -> dict[int, Newcomer]:
    return {index: one for index, one in newcomers.items() if index not in outcomes}


async def _recall(newcomers: Mapping[int, Newcomer]) -> dict[int, Outcome]:
    """Those who were brought before."""
    keys = {index: _key(one) for index, one in newcomers.items()}
    inputs = {keys[index]: _digests(one) for index, one in newcomers.items()}
    known = await idempotency.recall(_SCOPE, inputs)
    outcomes: dict[int, Outcome] = {}
    for index, key in keys.items():
        recalled = known.get(key)
        if recalled is None:
            continue
        if recalled.differing:
            outcomes[index] = IdempotencyConflict(key=key, differing=recalled.differing)
            continue
        outcomes[index] = Brought(
            member_id=UUID(recalled.result["member_id"]),
            is_new=False,
            points=recalled.result["points"],
            replayed=True,
        )
    return outcomes


async def _unknown_words(newcomers: Mapping[int, Newcomer]) -> dict[int, Refusal]:
    """Those who name a theme or a level that the programme does not have."""
    themes = {theme for one in newcomers.values() for theme in one.member.themes}
    missing = set(await catalogue.missing_themes(themes)) if themes else set()
    levels: set[str] = set()
    if any(one.level for one in newcomers.values()):
        levels = {level.code for level in await tiers.read_levels()}
    refusals: dict[int, Refusal] = {}
    for index, one in newcomers.items():
        unknown = next((theme for theme in one.member.themes if theme in missing), None)
        if unknown is not None:
            refusals[index] = InvalidInput(field=("themes",), rule=f"there is no theme {unknown!r}")
        elif one.level is not None and one.level not in levels:
            refusals[index] = InvalidInput(
                field=("level",), rule=f"there is no level {one.level!r}"
            )
    return refusals


async def _post_lots(
    newcomers: Mapping[int, Newcomer], arrived: Mapping[int, Arrived], *, now: datetime
) -> None:
    """Post each newcomer's lots; raises _NotTakenError for those of whom the ledger refuses any."""
    commands = [
        (index, command)
        for index, one in newcomers.items()
        for command in _earnings(one, arrived[index].member_id, now=now)
    ]
    refusals: dict[int, Refusal] = {}
    for begin in range(0, len(commands), ledger.BATCH_MAX):
        batch = commands[begin : begin + ledger.BATCH_MAX]
        posted = await ledger.post([command for _, command in batch], now=now)
        for (index, _), outcome in zip(batch, posted, strict=True):
            if isinstance(outcome, Refusal):
                refusals.setdefault(index, outcome)
    if refusals:
        raise _NotTakenError(refusals)


def _earnings(newcomer: Newcomer, member_id: UUID, *, now: datetime) -> Iterator[Earn]:
    """Its lots as earnings, in one order whatever that of the file. None counts for a level."""
    batch = _key(newcomer)[:16]
    for number, lot in enumerate(sorted(newcomer.lots, key=_order_of), start=1):
        yield Earn(
            member_id=member_id,
            points=lot.points,
            source=Source(kind="opening", reference=f"{batch}-{number}"),
            effective_at=lot.earned_at or now,
            matures_at=lot.matures_at,
            expires_at=lot.expires_at,
        )


async def _grant_levels(comers: Iterable[tuple[Newcomer, Arrived]], *, now: datetime) -> None:
    brought = {
        arrived.member_id: OpeningLevel(
            member_id=arrived.member_id,
            code=newcomer.level,
            since=newcomer.level_since,
            keep_until=newcomer.level_keep_until,
        )
        for newcomer, arrived in comers
        if newcomer.level is not None
    }
    if brought:
        zone = (await program()).zone
        await tiers.grant_opening_levels(list(brought.values()), zone=zone, now=now)


def _check(newcomer: Newcomer, *, now: datetime) -> None:
    members.check_brought(newcomer.member, now=now)
    if len(newcomer.lots) > OPENING_LOTS_MAX:
        raise InvalidInput(field=("lots",), rule=f"at most {OPENING_LOTS_MAX} lots")
    for lot in newcomer.lots:
        _check_lot(lot, now=now)
    points = sum(lot.points for lot in newcomer.lots)
    if points > ledger.POINTS_MAX:
        raise PointsOutOfRange(points=points, field=("points",))
    since, until = newcomer.level_since, newcomer.level_keep_until
    if newcomer.level is None and (since or until):
        raise InvalidInput(field=("level",), rule="named where it has a beginning or an end")
    if since is not None and not _EARNED_AT_MIN <= since <= now:
        raise InvalidInput(field=("level_since",), rule="from 1970 until now")
    if until is not None and not now < until <= now + LEVEL_KEPT_MAX:
        raise InvalidInput(
            field=("level_keep_until",), rule="in the future, at most 100 years ahead"
        )


def _check_lot(lot: OpeningLot, *, now: datetime) -> None:
    if not 1 <= lot.points <= ledger.POINTS_MAX:
        raise PointsOutOfRange(points=lot.points, field=("points",))
    if lot.earned_at is not None and not _EARNED_AT_MIN <= lot.earned_at <= now:
        raise InvalidInput(field=("points_earned_at",), rule="from 1970 until now")
    if lot.expires_at <= (lot.earned_at or now):
        raise InvalidInput(field=("points_expires_at",), rule="after the points were earned")


def _key(newcomer: Newcomer) -> str:
    """Tells newcomers apart, and tells nobody their external id."""
    told = f"member\0{newcomer.member.external_id}"
    return hashlib.sha256(told.encode()).hexdigest()


def _digests(newcomer: Newcomer) -> Digests:
    """Of what may be brought once. Nothing of it says who it is: digests can be guessed."""
    return idempotency.digests(
        {
            "lots": sorted(map(_order_of, newcomer.lots)),
            "level": newcomer.level,
            "level_since": newcomer.level_since and _told(newcomer.level_since),
            "level_keep_until": newcomer.level_keep_until and _told(newcomer.level_keep_until),
        }
    )


def _order_of(lot: OpeningLot) -> tuple[str, str, str, int]:
    return (
        _told(lot.expires_at),
        _told(lot.earned_at) if lot.earned_at else "",
        _told(lot.matures_at) if lot.matures_at else "",
        lot.points,
    )


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
