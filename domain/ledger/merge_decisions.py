"""How the points of one account go over to another: pure decisions, checked first and changed then.

Points keep their dates, debt goes with them, and in the account that takes them what is available
pays what is owed. Each time two entries are written, MERGE_OUT and MERGE_IN, whose amounts sum to
zero. Both books are settled, and all their open lots loaded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from domain.errors import AccountFrozen, PointsOutOfRange
from domain.ledger.book import Book, Salt, allocate, spend_order
from domain.ledger.decisions import check_room
from domain.ledger.entries import (
    POINTS_MAX,
    Changes,
    Entry,
    EntryKind,
    HoldState,
    Lot,
    Source,
    Texts,
)

SOURCE_KIND: Final = "merge"
"""The source of what moves points from one account to another of the same person."""

LotPlace: TypeAlias = tuple[UUID, int]
"""A lot: its member and its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handing:
    """One pair of entries. `origins` tells which lot each lot that it made was at first."""

    out: Entry
    into: Entry
    origins: Mapping[int, LotPlace]


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came to an account with another, as the journal tells when they are parted again.

    `lots` are those that came. `for_keeper` is what of them paid the keeper's debt, by lot;
    `for_loser` what the keeper's own lots paid of the other's. `debt` is what the keeper came to
    owe by it. `origins` are those of all the lots named here that came.
    """

    lots: Sequence[Lot]
    for_keeper: Sequence[tuple[Lot, int]] = ()
    for_loser: Sequence[tuple[Lot, int]] = ()
    debt: int = 0
    origins: Mapping[int, LotPlace]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Handed:
    """Points on their way from one account to another, with the dates of their lot."""

    points: int
    lot: Lot
    origin: LotPlace


def close(
    loser: Book,
    keeper: Book,
    *,
    origins: Mapping[int, LotPlace],
    source: Source,
    now: datetime,
    salt: Salt,
) -> Handing | None:
    """Move all that the loser has and owes to the keeper; None where that is nothing.

    `origins` are those of the loser's lots that came from elsewhere themselves. Open holds of the
    loser are released first. Refused: AccountFrozen (either), PointsOutOfRange.
    """
    if loser.frozen or keeper.frozen:
        raise AccountFrozen
    check_room_for(keeper, points=loser.total, debt=loser.debt)
    for hold in [one for one in loser.holds.values() if one.state is HoldState.OPEN]:
        released = Source(kind=source.kind, reference=hold.reference)
        loser.release(hold, HoldState.RELEASED, at=now, now=now, salt=salt, source=released)
    loser.plan_next_change()
    return carry_over(loser, keeper, origins=origins, source=source, now=now, salt=salt)


def carry_over(
    giver: Book,
    taker: Book,
    *,
    origins: Mapping[int, LotPlace],
    source: Source,
    now: datetime,
    salt: Salt,
    first: Collection[int] = (),
) -> Handing | None:
    """Move all that is there and pinned by no hold; None where there is nothing.

    `origins` are those of the giver's lots that came from elsewhere themselves. Debt is taken from
    the taker's lots `first`, also from what of them is pending, then from what is available.
    """
    assert giver.held == 0, "holds are released first"
    lots = spend_order(lot for lot in giver.lots.values() if lot.remaining > 0)
    handed = [
        _Handed(
            points=lot.remaining,
            lot=lot,
            origin=origins.get(lot.lot_seq, (giver.member_id, lot.lot_seq)),
        )
        for lot in lots
    ]
    if not handed and giver.debt == 0:
        return None
    debt = giver.debt
    check_room_for(taker, points=sum(one.points for one in handed), debt=debt)
    out = giver.write(
        EntryKind.MERGE_OUT,
        amount=giver.debt - giver.total,
        changes=Changes(available=-giver.available, pending=-giver.pending, debt=-giver.debt),
        effective_at=now,
        now=now,
        source_kind=source.kind,
        texts=Texts(reference=source.reference),
        salt=salt,
    )
    for lot in lots:
        giver.draw(lot, entry=out, amount=lot.remaining)
    giver.plan_next_change()
    return _received(taker, handed, debt=debt, out=out, now=now, salt=salt, first=first)


def part(
    keeper: Book, loser: Book, came: Came, *, source: Source, now: datetime, salt: Salt
) -> Handing | None:
    """Give back what is left of what came; None where that is nothing.

    What the two accounts' debts and points paid of each other is undone. What was spent meanwhile
    stays spent, what a hold has set aside stays with it, and of the debt that came as much goes
    back as is still owed. Refused: AccountFrozen (either), PointsOutOfRange.
    """
    if loser.frozen or keeper.frozen:
        raise AccountFrozen
    back = [(lot, lot.free) for lot in spend_order(came.lots) if lot.free > 0]
    paid_keeper = sum(points for _, points in came.for_keeper)
    paid_loser = sum(points for _, points in came.for_loser)
    owed_still = min(keeper.debt, came.debt)
    handed = [
        _Handed(points=points, lot=lot, origin=came.origins[lot.lot_seq])
        for lot, points in (*back, *came.for_keeper)
    ]
    if not handed and paid_loser + owed_still == 0:
        return None
    check_room_for(loser, points=sum(one.points for one in handed), debt=paid_loser + owed_still)
    check_room(keeper, paid_loser)
    out = _given_back(
        keeper,
        back,
        again_owed=paid_keeper,
        again_owned=came.for_loser,
        no_longer_owed=owed_still,
        source=source,
        now=now,
        salt=salt,
    )
    return _received(loser, handed, debt=paid_loser + owed_still, out=out, now=now, salt=salt)


def _given_back(
    keeper: Book,
    back: Sequence[tuple[Lot, int]],
    *,
    again_owed: int,
    again_owned: Sequence[tuple[Lot, int]],
    no_longer_owed: int,
    source: Source,
    now: datetime,
    salt: Salt,
) -> Entry:
    """The keeper's entry: lots go, what paid the other's debt comes back, debts are as they were.

    `again_owed` was the keeper's own debt: it is taken from what is available, else owed again.
    """
    available = sum(points for lot, points in back if not lot.pending)
    pending = sum(points for lot, points in back if lot.pending)
    owned = sum(points for _, points in again_owned)
    taken = min(again_owed, keeper.available - available)
    left = keeper.available - available - taken
    debt = keeper.debt + again_owed - taken - no_longer_owed
    paid = min(left + owned, debt)
    if debt - paid > POINTS_MAX:
        raise PointsOutOfRange(points=debt - paid)
    entry = keeper.write(
        EntryKind.MERGE_OUT,
        amount=-(available + pending + again_owed - owned - no_longer_owed),
        changes=Changes(
            available=owned - available - taken - paid,
            pending=-pending,
            debt=again_owed - taken - no_longer_owed - paid,
        ),
        effective_at=now,
        now=now,
        source_kind=source.kind,
        texts=Texts(reference=source.reference),
        salt=salt,
    )
    for lot, points in back:
        keeper.draw(lot, entry=entry, amount=points)
    _pay(keeper, taken, entry=entry)
    for parent, points in again_owned:
        keeper.make_lot(
            entry=entry,
            points=points,
            earned_at=parent.earned_at,
            matures_at=parent.matures_at,
            expires_at=parent.expires_at,
            parent_lot=parent.lot_seq,
        )
    _pay(keeper, paid, entry=entry)
    keeper.plan_next_change()
    return entry


def _received(
    taker: Book,
    handed: Sequence[_Handed],
    *,
    debt: int,
    out: Entry,
    now: datetime,
    salt: Salt,
    first: Collection[int] = (),
) -> Handing:
    """The taker's entry: lots with the dates that they had, and the debt, netted."""
    available = sum(one.points for one in handed if not one.lot.pending)
    pending = sum(one.points for one in handed if one.lot.pending)
    own = spend_order(taker.lots[lot_seq] for lot_seq in first)
    unripe = min(debt, sum(lot.free for lot in own if lot.pending))
    paid = min(taker.available + available, taker.debt + debt - unripe)
    entry = taker.write(
        EntryKind.MERGE_IN,
        amount=available + pending - debt,
        changes=Changes(
            available=available - paid, pending=pending - unripe, debt=debt - unripe - paid
        ),
        effective_at=now,
        now=now,
        source_kind=out.source_kind,
        texts=out.texts,
        salt=salt,
    )
    origins = {}
    for one in handed:
        made = taker.make_lot(
            entry=entry,
            points=one.points,
            earned_at=one.lot.earned_at,
            matures_at=one.lot.matures_at,
            expires_at=one.lot.expires_at,
            pending=one.lot.pending,
        )
        origins[made.lot_seq] = one.origin
    _draw_from((lot for lot in own if lot.pending), unripe, book=taker, entry=entry)
    left = _draw_from((lot for lot in own if not lot.pending), paid, book=taker, entry=entry)
    _pay(taker, left, entry=entry)
    taker.plan_next_change()
    return Handing(out=out, into=entry, origins=origins)


def _draw_from(lots: Iterable[Lot], points: int, *, book: Book, entry: Entry) -> int:
    """Draw on these in their order as far as they go; what is left to draw."""
    for lot in lots:
        taken = min(lot.free, points)
        book.draw(lot, entry=entry, amount=taken)
        points -= taken
    return points


def _pay(book: Book, points: int, *, entry: Entry) -> None:
    """Draw on what is available in the order of spending."""
    if points > 0:
        for lot, taken in allocate(book.lots.values(), points=points):
            book.draw(lot, entry=entry, amount=taken)


def check_room_for(book: Book, *, points: int, debt: int) -> None:
    """Refuse what would lift what the member has, or owes, out of the range: PointsOutOfRange."""
    check_room(book, points)
    if book.debt + debt > POINTS_MAX:
        raise PointsOutOfRange(points=book.debt + debt)
