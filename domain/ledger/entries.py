"""The words of the ledger as values: what an entry, a lot and a hold are.

Points are integers within 0..2^53−1; moments are aware UTC datetimes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

POINTS_MAX = 2**53 - 1


class EntryKind(StrEnum):
    """What an entry of the journal does."""

    EARN = "EARN"
    MATURE = "MATURE"
    REDEEM = "REDEEM"
    EXPIRE = "EXPIRE"
    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    REVERSAL = "REVERSAL"
    TRANSFER_IN = "TRANSFER_IN"
    TRANSFER_OUT = "TRANSFER_OUT"
    ADJUST = "ADJUST"
    MERGE_IN = "MERGE_IN"
    MERGE_OUT = "MERGE_OUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an entry comes from: its kind (`purchase`) and the business's own reference."""

    kind: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an entry adds to each of the four balances."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0

    @property
    def net(self) -> int:
        """The change of what the member owns: available + pending + held − debt."""
        return self.available + self.pending + self.held - self.debt


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The words of an entry. They live in a side table, so that they can be erased."""

    reason: str | None = None
    note: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a member's journal. Salt, commitment and hashes are empty until it is sealed."""

    member_id: UUID
    seq: int
    kind: EntryKind
    amount: int
    changes: Changes
    balance_after: int
    effective_at: datetime
    recorded_at: datetime
    source_kind: str
    texts: Texts
    reverses: int | None
    salt: bytes = b""
    text_commitment: bytes = b""
    content_hash: bytes = b""
    hash: bytes = b""


@dataclass(slots=True, kw_only=True)
class Lot:
    """Points earned together. Mutable: a book counts `remaining` and `pinned` down."""

    lot_seq: int
    entry_seq: int
    earned: int
    remaining: int
    pinned: int
    pending: bool
    earned_at: datetime
    matures_at: datetime
    expires_at: datetime
    parent_lot: int | None = None

    @property
    def free(self) -> int:
        """What no hold reserves."""
        return self.remaining - self.pinned


class HoldState(StrEnum):
    """Where a hold stands; only an open one can be captured or released, and only once."""

    OPEN = "OPEN"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(slots=True, kw_only=True)
class Hold:
    """Points set aside by `owner`, an API client's code or `member`, with the entry `entry_seq`.

    `pins` says how much of which lot; empty once it is not open.
    """

    hold_id: UUID
    owner: str
    entry_seq: int
    amount: int
    state: HoldState
    captured: int
    expires_at: datetime
    reference: str
    pins: dict[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An entry that a command undoes: what of it was undone before, and which lots it knows.

    `lots` are the lots that it made, `drawn` what it took from lots in the order of the taking,
    `causes` the references of earlier reversals.
    """

    seq: int
    kind: EntryKind
    amount: int
    reversed: int
    lots: tuple[int, ...] = ()
    drawn: tuple[tuple[int, int], ...] = ()
    causes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A reversal: `points` of the entry `entry_seq`, of `whole` in all, undone by entry `seq`."""

    entry_seq: int
    whole: int
    points: int
    cause: str
    seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What one entry took from one lot."""

    entry_seq: int
    lot_seq: int
    amount: int
