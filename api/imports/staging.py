"""Lines of a file put together into orders.

The lines of one order may stand anywhere in a file, and a file may be larger than memory: lines are
staged in a private SQLite database, which spills to disk, and read back order by order: one member
after the other, and each member's orders as they were placed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from api.imports.purchase_rows import PurchaseLine
from api.imports.rejects import Reject, RejectCode
from api.imports.values import moment_of
from domain.members import ByExternalReference
from domain.purchases import Order, OrderLine

_CACHE_KIB = 64 * 1024
_TABLE = """
    CREATE TABLE line (
        row INTEGER, sound INTEGER, order_id TEXT, line_id TEXT, member TEXT, product_code TEXT,
        quantity INTEGER, amount_fen INTEGER, placed_us INTEGER, shop TEXT, channel TEXT
    )
"""
# Member by member, and each member's orders as they happened: the tables are kept by member, so a
# batch touches a few neighbouring pages of each instead of thousands (measured: twice as fast).
_BY_ORDER = """
    SELECT order_id, row, sound, line_id, member, product_code, quantity, amount_fen, shop, channel,
           MIN(placed_us) OVER whole AS first_us
    FROM line
    WINDOW whole AS (PARTITION BY order_id)
    ORDER BY MIN(member) OVER whole, first_us, order_id, row
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedOrder:
    """An order as the file tells it, and the row of each of its lines by line id."""

    order: Order
    rows: dict[str, int]


class Staging:
    """The lines of one file."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = OFF")
        self._store.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._store.execute(_TABLE)

    def add(self, lines: Iterable[tuple[int, PurchaseLine]]) -> None:
        """Stage lines, each with the number of its row."""
        self._store.executemany(
            "INSERT INTO line VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((row, *line) for row, line in lines),
        )

    def add_refused(self, places: Iterable[tuple[int, tuple[str, str]]]) -> None:
        """Stage the order id and product code of rows that are refused: they count in numbering."""
        self._store.executemany(
            "INSERT INTO line (row, sound, order_id, product_code) VALUES (?, 0, ?, ?)",
            ((row, *place) for row, place in places),
        )

    def orders(self, *, lines_max: int) -> Iterator[StagedOrder | list[tuple[int, Reject]]]:
        """Every order with a sound line; or, before it or instead, the rows that it cannot have."""
        for _, group in groupby(self._store.execute(_BY_ORDER), key=itemgetter(0)):
            rows: list[_Row] = []
            surplus: list[tuple[int, Reject]] = []
            for record in group:
                row = _Row._make(record)
                if len(rows) < lines_max:
                    rows.append(row)
                elif row.sound:
                    surplus.append((row.row, _too_many(lines_max)))
            order, rejected = _order_of(rows)
            if surplus or rejected:
                yield surplus + rejected
            if order is not None:
                yield order

    def close(self) -> None:
        """Forget everything."""
        self._store.close()


class _Row(NamedTuple):
    """A line as `_BY_ORDER` selects it; of a refused row only the first columns hold something."""

    order_id: str
    row: int
    sound: int
    line_id: str | None
    member: str
    product_code: str
    quantity: int
    amount_fen: int
    shop: str | None
    channel: str | None
    first_us: int


def _order_of(rows: Sequence[_Row]) -> tuple[StagedOrder | None, list[tuple[int, Reject]]]:
    """The order that these rows, in the order of the file, make; and those it cannot have."""
    sound = [row for row in rows if row.sound]
    if not sound:
        return None, []
    members = {row.member for row in sound}
    if len(members) > 1:
        differ = Reject(
            RejectCode.MEMBERS_DIFFER.value, f"the order names {len(members)} different members"
        )
        return None, [(row.row, differ) for row in sound]
    lines: dict[str, OrderLine] = {}
    numbers: dict[str, int] = {}
    rejected: list[tuple[int, Reject]] = []
    for row, line_id in _numbered(rows):
        if not row.sound:
            continue
        if line_id in lines:
            reason = f"line {line_id!r} stands in row {numbers[line_id]} already"
            rejected.append((row.row, Reject(RejectCode.LINE_REPEATED.value, reason)))
            continue
        numbers[line_id] = row.row
        lines[line_id] = OrderLine(
            line_id=line_id,
            product_code=row.product_code,
            quantity=row.quantity,
            amount_fen=row.amount_fen,
        )
    order = Order(
        external_id=sound[0].order_id,
        member=ByExternalReference(sound[0].member),
        placed_at=moment_of(sound[0].first_us),
        paid_fen=sum(line.amount_fen for line in lines.values()),
        lines=list(lines.values()),
        channel=next((row.channel for row in sound if row.channel), None),
        shop=next((row.shop for row in sound if row.shop), None),
    )
    return StagedOrder(order=order, rows=numbers), rejected


def _numbered(rows: Sequence[_Row]) -> Iterator[tuple[_Row, str]]:
    """Each row with its line id: the file's own, or product#1, product#2, … as they come."""
    seen: dict[str, int] = {}
    for row in rows:
        code = row.product_code
        number = seen[code] = seen.get(code, 0) + 1
        yield row, row.line_id or f"{code}#{number}"


def _too_many(lines_max: int) -> Reject:
    reason = f"an order has at most {lines_max} lines; this row comes after them"
    return Reject(RejectCode.LINES_INVALID.value, reason)
