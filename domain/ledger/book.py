"""A member's account opened for posting: pure, no I/O.

A `Book` holds the locked account with its open lots and holds in memory, and collects what is to be
written: entries, new and changed lots, draws, holds. The decisions (`domain.ledger.decisions`)
apply commands to it one by one; a refused command raises before it changes anything, so the next
command of the batch finds the book as it was.

Due changes come first: lots that matured or expired, and holds that ran out, since the last posting
get their MATURE, EXPIRE and RELEASE entries, with their own effective moments, before a command is
decided.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from domain.ledger import chain
from domain.ledger.entries import (
    POINTS_MAX,
    Changes,
    Draw,
    Entry,
    EntryKind,
    Hold,
    HoldState,
    Lot,
    Source,
    Texts,
    Undone,
)
from domain.ledger.expiry import NEVER

Salt = Callable[[], bytes]

Due = tuple[datetime, int, Any]
"""Something that falls due: when, what happens, which lot (its number) or hold (its id)."""

BY_TIME = Source(kind="maturity", reference="")
"""The source of what happens by itself."""


@dataclass(slots=True, kw_only=True)
class Book:
    """An account, its lots and holds that matter, and what was decided since it was opened.

    `available`, `pending`, `held` and `debt` are the four balances, `version` the number of
    entries, `lot_count` the number of lots ever made, `head_hash` the chain's newest hash.
    `lots_complete` says that the lots which the commands may touch are loaded; of the others the
    first changes the balance at `beyond`. `merged_into` is who has the points of an account that
    was given up.
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
    frozen: bool = False
    merged_into: UUID | None = None
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[UUID, Hold] = field(default_factory=dict)
    lots_complete: bool = True
    beyond: datetime = NEVER
    entries: list[Entry] = field(default_factory=list)
    made_lots: list[Lot] = field(default_factory=list)
    touched_lots: set[int] = field(default_factory=set)
    made_holds: list[Hold] = field(default_factory=list)
    touched_holds: set[UUID] = field(default_factory=set)
    undone: list[Undone] = field(default_factory=list)
    _drawn: dict[tuple[int, int], int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The points that the member has, whether they may be spent or not."""
        return self.available + self.pending + self.held

    @property
    def draws(self) -> list[Draw]:
        """What each entry took from each lot."""
        return [
            Draw(entry_seq=entry_seq, lot_seq=lot_seq, amount=amount)
            for (entry_seq, lot_seq), amount in self._drawn.items()
        ]

    def settle(self, *, now: datetime, salt: Salt, through: Due | None = None) -> None:
        """Write what fell due until `now`, in the order in which it fell due.

        `through` is the last that is written where not everything is: what follows stays due.
        """
        if self.next_change_at > now:
            return
        assert self.lots_complete, "what is due cannot be told without the open lots"
        for due in sorted(due_changes(self, now=now)):
            if through is not None and due > through:
                break
            moment, kind, what = due
            if kind == MATURES:
                self.mature(self.lots[what], at=moment, now=now, salt=salt)
            elif kind == RUNS_OUT:
                self.run_out(self.holds[what], now=now, salt=salt)
            else:
                self.expire(self.lots[what], at=moment, now=now, salt=salt)
        self.plan_next_change()

    def mature(
        self, lot: Lot, *, at: datetime, now: datetime, salt: Salt, source: Source = BY_TIME
    ) -> Entry:
        """Make a pending lot spendable; debt takes its share."""
        entry = self.write(
            EntryKind.MATURE,
            amount=lot.remaining,
            changes=self.made_available(lot.remaining, pending=-lot.remaining),
            effective_at=at,
            now=now,
            source_kind=source.kind,
            texts=Texts(reference=source.reference or None),
            salt=salt,
        )
        lot.pending = False
        self.touched_lots.add(lot.lot_seq)
        self.net([lot], entry=entry)
        return entry

    def expire(self, lot: Lot, *, at: datetime, now: datetime, salt: Salt) -> None:
        """Take what is left of a lot and not pinned."""
        amount = lot.free
        if amount == 0:
            return  # Netted against debt, spent or pinned meanwhile: nothing is left to expire.
        changes = Changes(pending=-amount) if lot.pending else Changes(available=-amount)
        entry = self.write(
            EntryKind.EXPIRE,
            amount=-amount,
            changes=changes,
            effective_at=at,
            now=now,
            source_kind="expiry",
            texts=Texts(),
            salt=salt,
        )
        self.draw(lot, entry=entry, amount=amount)

    def run_out(self, hold: Hold, *, now: datetime, salt: Salt) -> None:
        """Release a hold whose time is over."""
        source = Source(kind="hold-expiry", reference=hold.reference)
        self.release(hold, HoldState.EXPIRED, at=hold.expires_at, now=now, salt=salt, source=source)

    def release(
        self,
        hold: Hold,
        state: HoldState,
        *,
        at: datetime,
        now: datetime,
        salt: Salt,
        source: Source,
    ) -> Entry:
        """Give an open hold back. Debt takes its share; what expired while held expires now."""
        entry = self.write(
            EntryKind.RELEASE,
            amount=hold.amount,
            changes=self.made_available(hold.amount, held=-hold.amount),
            effective_at=at,
            now=now,
            source_kind=source.kind,
            texts=Texts(reference=source.reference),
            salt=salt,
        )
        freed = self.close_hold(hold, state, captured=0)
        self.net(freed, entry=entry)
        self.expire_late(freed, at=at, now=now, salt=salt)
        return entry

    def close_hold(self, hold: Hold, state: HoldState, *, captured: int) -> list[Lot]:
        """Unpin what the hold pinned; returns its lots in the order of spending."""
        freed = spend_order(self.lots[lot_seq] for lot_seq in hold.pins)
        for lot in freed:
            lot.pinned -= hold.pins[lot.lot_seq]
            self.touched_lots.add(lot.lot_seq)
        hold.state, hold.captured, hold.pins = state, captured, {}
        self.touched_holds.add(hold.hold_id)
        return freed

    def expire_late(self, lots: Iterable[Lot], *, at: datetime, now: datetime, salt: Salt) -> None:
        """Expire, as of `at`, those of the lots whose expiry a hold had put off."""
        for lot in lots:
            if lot.expires_at <= at:
                self.expire(lot, at=at, now=now, salt=salt)

    def made_available(self, points: int, *, pending: int = 0, held: int = 0) -> Changes:
        """What changes when points become available: debt takes its share first (see `net`).

        `pending` and `held` are what these balances change by, where the points come from there.
        """
        netted = min(points, self.debt)
        return Changes(available=points - netted, pending=pending, held=held, debt=-netted)

    def net(self, lots: Iterable[Lot], *, entry: Entry) -> None:
        """Let the lots that the entry made available pay the debt it took off, in their order."""
        owed = -entry.changes.debt
        for lot in lots:
            paid = min(lot.free, owed)
            self.draw(lot, entry=entry, amount=paid)
            owed -= paid
        assert owed == 0, "what became available covers the debt that was netted"

    def make_lot(
        self,
        *,
        entry: Entry,
        points: int,
        earned_at: datetime,
        matures_at: datetime,
        expires_at: datetime,
        pending: bool = False,
        parent_lot: int | None = None,
    ) -> Lot:
        """Add a lot that `entry` made."""
        self.lot_count += 1
        lot = Lot(
            lot_seq=self.lot_count,
            entry_seq=entry.seq,
            earned=points,
            remaining=points,
            pinned=0,
            pending=pending,
            earned_at=earned_at,
            matures_at=matures_at,
            expires_at=expires_at,
            parent_lot=parent_lot,
        )
        self.lots[lot.lot_seq] = lot
        self.made_lots.append(lot)
        return lot

    def draw(self, lot: Lot, *, entry: Entry, amount: int) -> None:
        """Take from what is free of a lot; an entry's draws on one lot are one row."""
        if amount == 0:
            return
        assert 0 < amount <= lot.free, "a draw never takes more than its lot has free"
        lot.remaining -= amount
        self.touched_lots.add(lot.lot_seq)
        place = (entry.seq, lot.lot_seq)
        self._drawn[place] = self._drawn.get(place, 0) + amount

    def plan_next_change(self) -> None:
        """Find the next moment at which the balance changes without a write."""
        lots = map(next_change_of, self.lots.values())
        holds = (hold.expires_at for hold in self.holds.values() if hold.state is HoldState.OPEN)
        self.next_change_at = min((self.beyond, *lots, *holds))

    def move(self, changes: Changes) -> None:
        """Apply an entry's changes to the balances."""
        self.available += changes.available
        self.pending += changes.pending
        self.held += changes.held
        self.debt += changes.debt
        assert min(self.available, self.pending, self.held, self.debt) >= 0, "no negative balance"
        assert self.available == 0 or self.debt == 0, "debt is netted before points are available"
        assert self.total <= POINTS_MAX, "decisions refuse what leaves the range"
        self.version += 1

    def write(
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
        reverses: int | None = None,
    ) -> Entry:
        """Apply the changes to the balances and append the entry to the journal, sealed."""
        self.move(changes)
        # Workers' clocks may differ by microseconds; a journal's recording times never go back.
        self.recorded_at = max(self.recorded_at, now)
        entry = self.sealed(
            Entry(
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
                reverses=reverses,
            ),
            salt=salt,
        )
        self.entries.append(entry)
        return entry

    def sealed(self, entry: Entry, *, salt: Salt) -> Entry:
        """The entry with its place in the hash chain, as the chain's new head."""
        seal = salt()
        commitment = chain.text_commitment(entry.texts, salt=seal)
        content_hash = hashlib.sha256(
            chain.canonical_content(
                member_id=entry.member_id,
                seq=entry.seq,
                kind=entry.kind,
                amount=entry.amount,
                changes=entry.changes,
                balance_after=entry.balance_after,
                effective_at=entry.effective_at,
                recorded_at=entry.recorded_at,
                source_kind=entry.source_kind,
                reverses=entry.reverses,
                commitment=commitment,
            )
        ).digest()
        self.head_hash = chain.link(self.head_hash, content_hash=content_hash)
        return replace(
            entry,
            salt=seal,
            text_commitment=commitment,
            content_hash=content_hash,
            hash=self.head_hash,
        )


Books: TypeAlias = Mapping[UUID, Book]
"""The books of some members."""

MATURES, RUNS_OUT, EXPIRES = 0, 1, 2
"""What falls due, in the order in which it happens at one moment."""


def spend_order(lots: Iterable[Lot]) -> list[Lot]:
    """Those that expire soonest first, ties by lot."""
    return sorted(lots, key=lambda lot: (lot.expires_at, lot.lot_seq))


def allocate(lots: Iterable[Lot], *, points: int) -> list[tuple[Lot, int]]:
    """Which lots pay, in the order of spending. They must cover `points`."""
    left = points
    allocation: list[tuple[Lot, int]] = []
    for lot in spend_order(lot for lot in lots if not lot.pending and lot.free > 0):
        taken = min(lot.free, left)
        allocation.append((lot, taken))
        left -= taken
        if left == 0:
            break
    assert left == 0, "matured lots cover what is available"
    return allocation


def due_changes(book: Book, *, now: datetime) -> list[Due]:
    """What fell due until `now`.

    A lot that matures and expires at one moment matures first. A lot that is pinned is listed too:
    a hold that runs out before its expiry frees it.
    """
    due: list[Due] = []
    for lot in book.lots.values():
        if lot.remaining == 0:
            continue
        if lot.pending and lot.matures_at <= min(now, lot.expires_at):
            due.append((lot.matures_at, MATURES, lot.lot_seq))
        if lot.expires_at <= now:
            due.append((lot.expires_at, EXPIRES, lot.lot_seq))
    due += [
        (hold.expires_at, RUNS_OUT, hold.hold_id)
        for hold in book.holds.values()
        if hold.state is HoldState.OPEN and hold.expires_at <= now
    ]
    return due


def next_change_of(lot: Lot) -> datetime:
    """When the lot changes the balance by itself; NEVER where a hold has all of it, or nobody."""
    if lot.free == 0:
        return NEVER
    return min(lot.matures_at, lot.expires_at) if lot.pending else lot.expires_at
