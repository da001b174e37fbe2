"""Builders of ledger commands with the values that a test does not care about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import NEVER, Earn, Key, Redeem, Source, decisions
from domain.ledger.book import Book
from domain.storage import Row

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
"""Noon of 1 March 2026 in Shanghai, when nothing is said about the time."""

PURCHASE = Source(kind="purchase", reference="order-1")
REWARD = Source(kind="reward", reference="coupon-10")
ALICE = UUID("01a20561-c68e-7607-9dc0-72a415743b10")
BOB = UUID("01a20561-c68e-7607-9dc0-72a415743b11")


def days(count: float) -> timedelta:
    return timedelta(days=count)


def key(text: str, *, scope: str = "tests") -> Key:
    return Key(scope=scope, key=text)


def earn(
    points: int,
    *,
    member_id: UUID = ALICE,
    at: datetime = NOW,
    matures: datetime | None = None,
    expires: datetime = NEVER,
    source: Source = PURCHASE,
    reason: str | None = None,
    known_as: Key | None = None,
) -> Earn:
    return Earn(
        member_id=member_id,
        points=points,
        source=source,
        effective_at=at,
        matures_at=matures,
        expires_at=expires,
        reason=reason,
        key=known_as,
    )


def redeem(
    points: int,
    *,
    member_id: UUID = ALICE,
    source: Source = REWARD,
    reason: str | None = None,
    known_as: Key | None = None,
) -> Redeem:
    return Redeem(member_id=member_id, points=points, source=source, reason=reason, key=known_as)


def zero_salt() -> bytes:
    return bytes(16)


def opened(*, debt: int = 0) -> Book:
    """An empty book of Alice's, in debt where asked for: no command makes debt yet."""
    return Book(member_id=ALICE, recorded_at=NOW, debt=debt)


def earned(book: Book, command: Earn, *, now: datetime = NOW) -> None:
    """What a posting does with an earning."""
    book.settle(now=now, salt=zero_salt)
    decisions.earn(book, command, now=now, salt=zero_salt)
    book.settle(now=now, salt=zero_salt)


def redeemed(book: Book, points: int, *, now: datetime = NOW) -> None:
    """What a posting does with a redemption."""
    book.settle(now=now, salt=zero_salt)
    decisions.redeem(book, redeem(points), now=now, salt=zero_salt)


def told(book: Book) -> list[tuple[str, int, int]]:
    """The journal as (kind, amount, available afterwards)."""
    return [(entry.kind.value, entry.amount, entry.balance_after) for entry in book.entries]


def balances(book: Book) -> tuple[int, int, int, int]:
    """Available, pending, held, debt."""
    return book.available, book.pending, book.held, book.debt


def tuples(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """The values of rows, in the order of their columns."""
    return [tuple(dict(row).values()) for row in rows]
