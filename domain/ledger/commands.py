"""What may be asked of the ledger, as values: whom a command concerns, what it needs, its answer.

A new command is a class here, a member of `Command`, and a decision in `domain.ledger.deciding`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from domain.ledger.entries import EntryKind, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An idempotency key within the scope of who uses it for what."""

    scope: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Earn:
    """Add `points` as one lot, effective at `effective_at`.

    The lot matures at `matures_at`; None, or a moment not after `effective_at`, matures it at once.
    It expires at `expires_at` (`expiry.NEVER` for never). `key` may be None only when the caller
    remembers a key of its own in the same transaction.
    """

    member_id: UUID
    points: int
    source: Source
    effective_at: datetime
    expires_at: datetime
    matures_at: datetime | None = None
    reason: str | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """Spend `points` of the lots that expire soonest, as of now. For `key` see Earn."""

    member_id: UUID
    points: int
    source: Source
    reason: str | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mature:
    """Let the lots of one pending earning mature now: by an action, not by time."""

    member_id: UUID
    entry_seq: int
    source: Source
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Hold `points` of the lots that expire soonest until captured, released or `expires_at`."""

    member_id: UUID
    hold_id: UUID
    owner: str
    points: int
    expires_at: datetime
    source: Source
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Spend `points` of an open hold, all of it when None; the rest is released."""

    member_id: UUID
    hold_id: UUID
    source: Source
    points: int | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give an open hold back."""

    member_id: UUID
    hold_id: UUID
    source: Source
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Undo `points` of an earning: from its own lot, then from others, then as debt.

    `source.reference` names the cause, for example the refund; a cause takes back once.
    """

    member_id: UUID
    entry_seq: int
    points: int
    source: Source
    reason: str | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """Undo `points` of a redemption or capture as new lots with the expiry of those they paid.

    Of a lot that expired meanwhile they come back until `grace_until`.
    """

    member_id: UUID
    entry_seq: int
    points: int
    grace_until: datetime
    source: Source
    reason: str | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Move `points` to another member; each lot keeps its expiry."""

    member_id: UUID
    to_member_id: UUID
    points: int
    source: Source
    note: str | None = None
    key: Key | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """Correct a balance by `points`, positive or negative; what is added expires as it says."""

    member_id: UUID
    points: int
    reason: str
    source: Source
    expires_at: datetime
    key: Key | None = None


Command = (
    Earn | Mature | Redeem | SetAside | Capture | Release | TakeBack | GiveBack | Transfer | Adjust
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A command that took effect: its entry, and the available balance after it.

    `replayed` tells that the effect happened earlier, under the same key.
    """

    member_id: UUID
    seq: int
    kind: EntryKind
    amount: int
    balance_after: int
    replayed: bool = False


Place: TypeAlias = tuple[UUID, int]
"""An entry: its member and its number."""


def members_of(command: Command) -> tuple[UUID, ...]:
    """Whose accounts the command moves: the one it is about first."""
    if isinstance(command, Transfer):
        return command.member_id, command.to_member_id
    return (command.member_id,)


def past_of(command: Command) -> Place | None:
    """The entry that the command is about, where it is about one."""
    if isinstance(command, Mature | TakeBack | GiveBack):
        return command.member_id, command.entry_seq
    return None


def spent_by(commands: Iterable[Command]) -> dict[UUID, int]:
    """How much the commands may take together from the lots of each member that come first."""
    spent: dict[UUID, int] = {}
    for command in commands:
        points = 0
        if isinstance(command, Redeem | SetAside | Transfer | TakeBack):
            points = command.points
        elif isinstance(command, Adjust):
            points = -command.points
        if points > 0:
            spent[command.member_id] = spent.get(command.member_id, 0) + points
    return spent


def hold_ids_of(commands: Iterable[Command]) -> list[UUID]:
    """The holds that the commands close."""
    return [one.hold_id for one in commands if isinstance(one, Capture | Release)]
