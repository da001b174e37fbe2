"""What members hold, lot by lot, as of now: for whoever takes it to another system.

Nothing is written: what fell due since the last posting is reckoned by the code that would post it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.ledger.entries import POINTS_MAX, Lot
from domain.ledger.loading import load_open_lots
from domain.ledger.reckoning import Reckoning
from domain.storage import fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLot:
    """Points that a member holds together. `matures_at` is None for those that matured.

    What an open hold has set aside counts: it is the member's until it is captured.
    """

    points: int
    earned_at: datetime
    matures_at: datetime | None
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """A member's lots that have not expired, in the order of their making; and what they owe."""

    lots: tuple[HeldLot, ...] = ()
    debt: int = 0


_ACCOUNTS = """
    SELECT member_id, available, pending, held, debt, version, next_change_at, recorded_at
    FROM points_account WHERE member_id = ANY($1::uuid[])
"""


async def holdings(member_ids: Collection[UUID], *, now: datetime) -> dict[UUID, Holdings]:
    """What each member holds and owes; who never had points is not in the answer.

    A fixed number of statements. They see one moment only inside `storage.snapshot`, where nothing
    is posted between them.
    """
    rows = await fetch_all(_ACCOUNTS, list(member_ids))
    books = [
        Reckoning(
            member_id=row["member_id"],
            available=row["available"],
            pending=row["pending"],
            held=row["held"],
            debt=row["debt"],
            version=row["version"],
            next_change_at=row["next_change_at"],
            recorded_at=row["recorded_at"],
        )
        for row in rows
    ]
    # All that could be spent: so no lot is left out.
    await load_open_lots(books, needed={book.member_id: POINTS_MAX for book in books}, now=now)
    for book in books:
        book.reckon(until=now)
    return {
        book.member_id: Holdings(
            lots=tuple(
                _held(lot)
                for _, lot in sorted(book.lots.items())
                if lot.remaining > 0 and lot.expires_at > now
            ),
            debt=book.debt,
        )
        for book in books
    }


def _held(lot: Lot) -> HeldLot:
    return HeldLot(
        points=lot.remaining,
        earned_at=lot.earned_at,
        matures_at=lot.matures_at if lot.pending else None,
        expires_at=lot.expires_at,
    )
