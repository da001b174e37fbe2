"""Points: balances and the journal."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

import strawberry

from domain import ledger
from domain.ledger import EntryKind
from resolvers import ledger as resolvers
from resolvers.points import PointsRecord
from schema.connections import First, KeysetList, checked_first
from schema.cost import STATEMENT_COST, Cost
from schema.faults import CodedError, FaultCode
from schema.fields import Info, argument, computed, enum_type, field, object_type, view
from schema.node import Node, encode_global_id, node_type, parse_uuid
from schema.policies import OWNER, SEES_POINTS
from schema.scalars import Points

READERS = OWNER | SEES_POINTS

STATEMENTS_OF_THE_PAST = 4
"""What looking back asks the database, with its reasons."""

LOTS_LIKELY = 3
"""How many lots an entry moves, for its cost: one for most, a few for a spending."""

Kinds: TypeAlias = Annotated[
    list[EntryKind] | None, argument("Only entries of these kinds; of all where none is named.")
]

ENTRIES = KeysetList("entries", (int,))

enum_type(
    EntryKind,
    descriptions={
        "EARN": "Points were earned; they are available at once, or pending until they mature.",
        "MATURE": "Pending points became available.",
        "REDEEM": "Points were spent.",
        "EXPIRE": "Points expired.",
        "HOLD": "Points were set aside for a checkout.",
        "CAPTURE": "Points that were set aside were spent.",
        "RELEASE": "Points that were set aside became available again.",
        "REVERSAL": "Another entry was undone, wholly or in part.",
        "TRANSFER_IN": "Points came from another member.",
        "TRANSFER_OUT": "Points went to another member.",
        "ADJUST": "Staff corrected the balance, with a reason.",
        "MERGE_IN": "Points came with another record of the same person.",
        "MERGE_OUT": "Points went to another record of the same person.",
    },
)


@object_type(policy=READERS)
class ExpiringPoints:
    """Available points that expire together."""

    points: Points
    """How many."""

    expires_at: datetime
    """The first moment at which they can no longer be spent: a midnight of the programme."""


AsOf: TypeAlias = Annotated[
    datetime | None,
    argument("As of this moment instead of now; not in the future."),
]
KnownAt: TypeAlias = Annotated[
    datetime | None,
    argument(
        "As it was known at this moment, before what was recorded later; not in the future. One "
        "before `asOf` stands for both: what was to come was not known."
    ),
]


def past_moment(info: Info, moment: datetime | None, *, name: str) -> datetime | None:
    """The moment that an argument names. Raises CodedError for one in the future."""
    if moment is not None and moment > info.context.now:
        message = f"`{name}` must not be in the future."
        raise CodedError(FaultCode.BAD_USER_INPUT, message, argument=name)
    return moment


@object_type(policy=READERS)
class PointsReason:
    """Something that a balance is made of."""

    kind: EntryKind
    """What it did."""

    amount: Points
    """How many points, negative where they went away."""

    effective_at: datetime
    """When it took effect."""

    entry: LedgerEntry | None
    """Its entry; null as long as none is written for points that matured, expired or were freed by
    themselves. They count at once, and are written within minutes."""


@object_type(policy=READERS)
class PointsBalance:
    """A member's points as of a moment: what had matured or expired by then is counted."""

    available: Points
    """What may be spent. Points that paid a debt which came only later count until then."""

    pending: Points
    """Earned, but not matured yet."""

    held: Points
    """Set aside for checkouts that are not finished."""

    debt: Points
    """Owed after a refund took back points that were spent already; later earnings pay it first."""

    expiring_soon: list[ExpiringPoints] = field(READERS, cost=Cost(items=12))
    """What expires within 30 days of now if it is not spent, soonest first; at most 12 moments.
    Empty for a moment of the past."""

    @computed(
        READERS,
        cost=Cost(own=STATEMENTS_OF_THE_PAST * STATEMENT_COST, items="first"),
        versioned=True,
    )
    async def reasons(self, first: First = 100) -> list[PointsReason] | None:
        """The newest entries that count, newest first: why the balance is what it is."""
        points: PointsRecord = view(self)
        reasons: list[PointsReason] = view(await points.reasons(checked_first(first)))
        return reasons


@object_type(policy=READERS)
class EntrySource:
    """What an entry of the journal comes from."""

    kind: str
    """Its kind, for example `purchase`."""

    reference: str
    """The business's own reference, for example the order number; empty where it was erased."""


@object_type(policy=READERS)
class EntryLot:
    """Points of one lot, which were earned together, as an entry moved them."""

    points: Points
    """How many of the lot the entry made, drew or set aside; never negative."""

    earned_at: datetime
    """When they were earned: for a purchase, when the order was placed."""

    expires_at: datetime
    """The first moment at which they can no longer be spent; the year 9999 for never."""

    @computed(READERS)
    def lot_id(self) -> strawberry.ID:
        """The id of the lot, the same in all entries that move it."""
        lot: ledger.EntryLot = view(self)
        return encode_global_id("Lot", lot.key)


def parse_entry_key(text: str) -> tuple[UUID, int]:
    """The member and the sequence number in an entry's key."""
    member_id, _, seq = text.partition(":")
    number = int(seq)
    if not 0 < number < 2**62 or seq != str(number):
        raise ValueError(text)
    return parse_uuid(member_id), number


@node_type(
    policy=READERS,
    key="key",
    load=resolvers.entry_node,
    parse=parse_entry_key,
    reads=resolvers.EntryRecord,
)
class LedgerEntry(Node):
    """One line of a member's points journal, never changed and never deleted."""

    kind: EntryKind
    """What the entry did."""

    amount: Points
    """How many points, negative where they went away."""

    balance_after: Points
    """What was available after it."""

    reason: str | None
    """Why, in the words of whoever caused it."""

    recorded_at: datetime
    """When it was written into the journal."""

    source: EntrySource
    """What it comes from."""

    note: str | None = field(OWNER)
    """What the giver of a transfer wrote to the taker."""

    @computed(READERS)
    def occurred_at(self) -> datetime:
        """When it took effect: for a purchase, when the order was placed."""
        entry: ledger.JournalEntry = view(self)
        return entry.effective_at

    @computed(READERS)
    def effective_at(self) -> datetime:
        """When it took effect; the same as `occurredAt`."""
        entry: ledger.JournalEntry = view(self)
        return entry.effective_at

    @computed(READERS, cost=Cost(own=1, items=LOTS_LIKELY), versioned=True)
    async def lots(self, info: Info) -> list[EntryLot] | None:
        """The lots that it made, or drew on, or, while its hold is open, sets aside: those that
        expire soonest first, at most 50. Empty where no lot was moved."""
        entry = resolvers.record_of(view(self))
        lots: list[EntryLot] = view(await entry.lots(now=info.context.now))
        return lots

    # Both are read for a whole page at once, so each entry has a small part in the statement.
    @computed(READERS, cost=Cost(own=1), versioned=True)
    async def reverses(self) -> LedgerEntry | None:
        """The entry that it undoes, wholly or in part; null where it is no reversal."""
        undone: LedgerEntry | None = view(await resolvers.record_of(view(self)).undone())
        return undone
