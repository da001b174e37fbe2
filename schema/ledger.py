"""Points: balances and the journal."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from domain import ledger
from domain.ledger import EntryKind
from resolvers import ledger as resolvers
from schema.connections import KeysetList
from schema.cost import Cost
from schema.fields import computed, enum_type, field, object_type, view
from schema.node import Node, node_type, parse_uuid
from schema.policies import OWNER, SEES_POINTS
from schema.scalars import Points

READERS = OWNER | SEES_POINTS

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


@object_type(policy=READERS)
class PointsBalance:
    """A member's points as of now: what has matured or expired meanwhile is counted."""

    available: Points
    """What may be spent now."""

    pending: Points
    """Earned, but not matured yet."""

    held: Points
    """Set aside for checkouts that are not finished."""

    debt: Points
    """Owed after a refund took back points that were spent already; later earnings pay it first."""

    expiring_soon: list[ExpiringPoints] = field(READERS, cost=Cost(items=12))
    """What expires within 30 days if it is not spent, soonest first; at most 12 moments."""


@object_type(policy=READERS)
class EntrySource:
    """What an entry of the journal comes from."""

    kind: str
    """Its kind, for example `purchase`."""

    reference: str
    """The business's own reference, for example the order number; empty where it was erased."""


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
    reads=ledger.JournalEntry,
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
