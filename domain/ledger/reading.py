"""Reading the ledger: balances as of now, what expires soon. Pages are in `ledger.pages`.

Readers do not wait for a sweeper: what fell due since the last posting is computed by the same
code that would post it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.ledger.book import Book
from domain.ledger.expiry import NEVER
from domain.ledger.reckoning import MOMENTS_MAX, reckoning

EXPIRING_SOON = timedelta(days=30)
"""How far ahead `expiring_soon` looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringPoints:
    """Available points that expire together at `expires_at`."""

    points: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A member's points as of a moment. `version` counts the entries of the journal."""

    available: int = 0
    pending: int = 0
    held: int = 0
    debt: int = 0
    version: int = 0
    expiring_soon: tuple[ExpiringPoints, ...] = ()


async def balance(member_id: UUID, *, now: datetime) -> Balance:
    """The balances as of `now`, with what expires within 30 days. One statement."""
    until = now + EXPIRING_SOON
    book = await reckoning(member_id, until=now, soon=until)
    if book is None:
        return Balance()
    version = book.version
    book.reckon(until=now)
    return Balance(
        available=book.available,
        pending=book.pending,
        held=book.held,
        debt=book.debt,
        version=version,
        expiring_soon=_expiring(book, until=until),
    )


async def expires_first(member_id: UUID, *, now: datetime) -> ExpiringPoints | None:
    """What may be spent as of `now` and expires before all else, however far off; None where
    nothing does. One statement.

    It changes with an entry, or as one of the moments of DUE_MOMENTS passes.
    """
    book = await reckoning(member_id, until=now, soon=_AT_ALL)
    if book is None:
        return None
    book.reckon(until=now)
    return next(iter(_expiring(book, until=_AT_ALL)), None)


_AT_ALL: Final = NEVER - timedelta(days=1)
"""What expires later never does."""

DUE_MOMENTS = """
    (SELECT MAX(l.expires_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.remaining > l.pinned AND l.expires_at <= $2) AS expired_at,
    (SELECT MAX(l.expires_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.remaining > l.pinned AND l.expires_at <= $3) AS expiring_at,
    (SELECT MAX(l.matures_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.pending AND l.matures_at <= $2) AS matured_at,
    (SELECT MAX(h.expires_at) FROM points_hold AS h
     WHERE h.member_id = $1 AND h.state = 'OPEN' AND h.expires_at <= $2) AS ran_out_at,
    (SELECT MAX(l.expires_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.pinned > 0 AND l.expires_at <= $2) AS pinned_expired_at,
    (SELECT MAX(l.expires_at) FROM points_lot AS l
     WHERE l.member_id = $1 AND l.pinned > 0 AND l.expires_at <= $3) AS pinned_expiring_at
"""
"""The last moments up to which the lots of $1 matured and expired at $2, and came within
EXPIRING_SOON of it, which is $3, and up to which holds ran out: while no entry is written,
`balance` answers the same as long as these do. What is pinned counts, for a hold that ran out gives
it back. For statements of other contexts, which name the columns by DUE_COLUMNS."""

DUE_COLUMNS: Final = (
    "expired_at",
    "expiring_at",
    "matured_at",
    "ran_out_at",
    "pinned_expired_at",
    "pinned_expiring_at",
)


def _expiring(book: Book, *, until: datetime) -> tuple[ExpiringPoints, ...]:
    """The first twelve moments at which available points expire, soonest first."""
    sums: dict[datetime, int] = {}
    for lot in book.lots.values():
        if not lot.pending and lot.free > 0 and lot.expires_at <= until:
            sums[lot.expires_at] = sums.get(lot.expires_at, 0) + lot.free
    return tuple(
        ExpiringPoints(points=sums[moment], expires_at=moment)
        for moment in sorted(sums)[:MOMENTS_MAX]
    )
