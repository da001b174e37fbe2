"""A member's account opened for posting: pure decisions, no I/O.

A `Book` holds the locked account and its open lots in memory, applies commands to them one by one,
and collects what is to be written: entries, new and changed lots, draws. A refused command raises
before it changes anything, so the next command of the batch finds the book as it was.

Due changes come first: lots that matured or expired since the last posting get their MATURE and
EXPIRE entries, with their own effective moments, before a command is decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from domain.errors import InsufficientPoints, PointsOutOfRange
from domain.ledger import chain
from domain.ledger.entries import (
    POINTS_MAX,
    Changes,
    Draw,
    Earn,
    Entry,
    EntryKind,
    Lot,
    Redeem,
    Texts,
)
from domain.ledger.expiry import NEVER

Salt = Callable[[], bytes]


@dataclass(slots=True, kw_only=True)
class Book:
    """An account, its lots that matter, and what was decided since it was opened.

    `available`, `pending`, `held` and `debt` are the four balances, `version` the number of
    entries, `lot_count` the number of lots ever made, `head_hash` the chain's newest hash.
    """

    member_id: UUID
    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    version: int = 0
    lot_count: int = 0
    head_hash: bytes = chain.GENESIS
    next_change_at: datetime = NEVER
    recorded_at: datetime
    lots: dict[int, Lot] = field(default_factory=dict)
    lots_complete: bool = True
    entries: list[Entry] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    made_lots: list[Lot] = field(default_factory=list)
    touched_lots: set[int] = field(default_factory=set)

    def settle(self, *, now: datetime, salt: Salt) -> None:
        """Write what fell due until `now`, in the order in which it fell due."""
        if self.next_change_at > now:
            return
        assert self.lots_complete, "what is due cannot be told without the open lots"
        due = sorted(due_changes(self.lots.values(), now=now))
        for moment, _, lot_seq in due:
            lot = self.lots[lot_seq]
            if lot.pending and moment == lot.matures_at:
                self._mature(lot, now=now, salt=salt)
            else:
                self._expire(lot, now=now, salt=salt)
        self._plan_next_change()

    def earn(self, command: Earn, *, now: datetime, salt: Salt) -> Entry:
        """Add a lot. Refused: PointsOutOfRange."""
        points = checked_points(command.points)
        if self.available + self.pending + self.held + points > POINTS_MAX:
            raise PointsOutOfRange(points=self.available + self.pending + self.held + points)
        matures_at = command.matures_at or command.effective_at
        pending = matures_at > command.effective_at
        netted = 0 if pending else min(points, self.debt)
        entry = self._write(
            EntryKind.EARN,
            amount=points,
            changes=Changes(pending=points)
            if pending
            else Changes(available=points - netted, debt=-netted),
            effective_at=command.effective_at,
            now=now,
            source_kind=command.source.kind,
            texts=Texts(reason=command.reason, reference=command.source.reference),
            salt=salt,
        )
        lot = self._make_lot(
            entry=entry, points=points, pending=pending, matures_at=matures_at, command=command
        )
        self._draw(lot, entry=entry, amount=netted)
        self.next_change_at = min(self.next_change_at, _next_change_of(lot))
        return entry

    def redeem(self, command: Redeem, *, now: datetime, salt: Salt) -> Entry:
        """Spend from the lots that expire soonest. Refused: InsufficientPoints."""
        assert self.lots_complete, "spending needs the open lots"
        points = checked_points(command.points)
        if points > self.available:
            raise InsufficientPoints(available=self.available, requested=points)
        entry = self._write(
            EntryKind.REDEEM,
            amount=-points,
            changes=Changes(available=-points),
            effective_at=now,
            now=now,
            source_kind=command.source.kind,
            texts=Texts(reason=command.reason, reference=command.source.reference),
            salt=salt,
        )
        for lot, amount in allocate(self.lots.values(), points=points):
            self._draw(lot, entry=entry, amount=amount)
        self._plan_next_change()
        return entry

    def _mature(self, lot: Lot, *, now: datetime, salt: Salt) -> None:
        netted = min(lot.remaining, self.debt)
        entry = self._write(
            EntryKind.MATURE,
            amount=lot.remaining,
            changes=Changes(available=lot.remaining - netted, pending=-lot.remaining, debt=-netted),
            effective_at=lot.matures_at,
            now=now,
            source_kind="maturity",
            texts=Texts(),
            salt=salt,
        )
        lot.pending = False
        self.touched_lots.add(lot.lot_seq)
        self._draw(lot, entry=entry, amount=netted)

    def _expire(self, lot: Lot, *, now: datetime, salt: Salt) -> None:
        amount = lot.free
        if amount == 0:
            return  # Netted against debt, spent or pinned meanwhile: nothing is left to expire.
        changes = Changes(pending=-amount) if lot.pending else Changes(available=-amount)
        entry = self._write(
            EntryKind.EXPIRE,
            amount=-amount,
            changes=changes,
            effective_at=lot.expires_at,
            now=now,
            source_kind="expiry",
            texts=Texts(),
            salt=salt,
        )
        self._draw(lot, entry=entry, amount=amount)

    def _make_lot(
        self, *, entry: Entry, points: int, pending: bool, matures_at: datetime, command: Earn
    ) -> Lot:
        self.lot_count += 1
        lot = Lot(
            lot_seq=self.lot_count,
            entry_seq=entry.seq,
            earned=points,
            remaining=points,
            pinned=0,
            pending=pending,
            earned_at=command.effective_at,
            matures_at=matures_at,
            expires_at=command.expires_at,
        )
        self.lots[lot.lot_seq] = lot
        self.made_lots.append(lot)
        return lot

    def _draw(self, lot: Lot, *, entry: Entry, amount: int) -> None:
        if amount == 0:
            return
        assert 0 < amount <= lot.free, "a draw never takes more than its lot has free"
        lot.remaining -= amount
        self.touched_lots.add(lot.lot_seq)
        self.draws.append(Draw(entry_seq=entry.seq, lot_seq=lot.lot_seq, amount=amount))

    def _plan_next_change(self) -> None:
        self.next_change_at = min(map(_next_change_of, self.lots.values()), default=NEVER)

    def _write(
        self,
        kind: EntryKind,
        *,
        amount: int,
        changes: Changes,
        effective_at: datetime,
        now: datetime,
        source_kind: str,
        texts: Texts,
        salt: Salt,
    ) -> Entry:
        """Apply the changes to the balances and append the entry to the chain."""
        self.available += changes.available
        self.pending += changes.pending
        self.held += changes.held
        self.debt += changes.debt
        assert min(self.available, self.pending, self.held, self.debt) >= 0, "no negative balance"
        assert self.available == 0 or self.debt == 0, "debt is netted before points are available"
        self.version += 1
        # Workers' clocks may differ by microseconds; a journal's recording times never go back.
        self.recorded_at = max(self.recorded_at, now)
        seal = salt()
        commitment = chain.text_commitment(texts, salt=seal)
        content_hash = hashlib.sha256(
            chain.canonical_content(
                member_id=self.member_id,
                seq=self.version,
                kind=kind,
                amount=amount,
                changes=changes,
                balance_after=self.available,
                effective_at=effective_at,
                recorded_at=self.recorded_at,
                source_kind=source_kind,
                reverses=None,
                commitment=commitment,
            )
        ).digest()
        self.head_hash = chain.link(self.head_hash, content_hash=content_hash)
        entry = Entry(
            member_id=self.member_id,
            seq=self.version,
            kind=kind,
            amount=amount,
            changes=changes,
            balance_after=self.available,
            effective_at=effective_at,
            recorded_at=self.recorded_at,
            source_kind=source_kind,
            texts=texts,
            salt=seal,
            text_commitment=commitment,
            reverses=None,
            content_hash=content_hash,
            hash=self.head_hash,
        )
        self.entries.append(entry)
        return entry


def checked_points(points: int) -> int:
    """An amount that a command may carry: 1..2^53−1; refused with PointsOutOfRange otherwise."""
    if not 1 <= points <= POINTS_MAX:
        raise PointsOutOfRange(points=points, field=("points",))
    return points


def allocate(lots: Iterable[Lot], *, points: int) -> list[tuple[Lot, int]]:
    """Which lots pay: those that expire soonest first, ties by lot. They must cover `points`."""
    left = points
    allocation: list[tuple[Lot, int]] = []
    open_lots = (lot for lot in lots if not lot.pending and lot.free > 0)
    for lot in sorted(open_lots, key=lambda lot: (lot.expires_at, lot.lot_seq)):
        taken = min(lot.free, left)
        allocation.append((lot, taken))
        left -= taken
        if left == 0:
            break
    assert left == 0, "matured lots cover what is available"
    return allocation


def due_changes(lots: Iterable[Lot], *, now: datetime) -> list[tuple[datetime, int, int]]:
    """What fell due until `now`: (moment, 0 for maturing or 1 for expiring, lot_seq).

    A lot that matures and expires at one moment matures first.
    """
    due: list[tuple[datetime, int, int]] = []
    for lot in lots:
        if lot.pending and lot.remaining > 0 and lot.matures_at <= min(now, lot.expires_at):
            due.append((lot.matures_at, 0, lot.lot_seq))
        if lot.free > 0 and lot.expires_at <= now:
            due.append((lot.expires_at, 1, lot.lot_seq))
    return due


def _next_change_of(lot: Lot) -> datetime:
    if lot.free == 0:
        return NEVER
    return min(lot.matures_at, lot.expires_at) if lot.pending else lot.expires_at
