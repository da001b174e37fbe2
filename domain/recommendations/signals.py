"""What is known of members up to a moment: bought net of refunds, redeemed, looked at, declared.

All of it is read for some members at once, by their ids, and nothing of it happened after the
moment that is asked for: purchases count by when they were placed, refunds by when they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from domain import members
from domain.recommendations.scoring import Taste
from domain.storage import Row, dialect, fetch_all, moment_of

_BEGINNING: Final = datetime(1, 1, 2, tzinfo=UTC)
"""Before every order, in whatever time zone somebody writes it."""

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""So far ahead of ours may the clock of a shop or a phone be, whose orders and events we keep.

What is asked as of now is asked as of so much later, or what was just kept would not count yet.
"""

# Members are numbered by their place among those asked for: an id on each row would cost more than
# all else that it tells.
_ASKED: Final = {
    "postgres": "unnest($1::uuid[]) WITH ORDINALITY AS m (id, number)",
    "sqlite": "(SELECT value AS id, key + 1 AS number FROM json_each($1)) AS m",
}

# What was given back is read first, and orders of which something was are left out of what the
# database counts: few have any, and a join would rely on how few the planner expects. Two levels of
# grouping instead of a count of distinct orders, which would sort.
_RETURNED: Final = """
    SELECT r.purchase_id, r.line_id, SUM(r.quantity) AS quantity
    FROM {asked} JOIN returned_product AS r ON r.member_id = m.id
    WHERE r.refunded_at <= $2
    GROUP BY r.purchase_id, r.line_id
"""

_BOUGHT: Final = """
    SELECT o.number, o.product_code, COUNT(*) AS orders, MAX(o.placed_at) AS placed_at FROM (
        SELECT m.number, b.product_code, b.purchase_id, MAX(b.placed_at) AS placed_at
        FROM {asked} JOIN bought_product AS b ON b.member_id = m.id
        WHERE b.placed_at > $2 AND b.placed_at <= $3 AND NOT (b.purchase_id = ANY($4::uuid[]))
        GROUP BY m.number, b.product_code, b.purchase_id
    ) AS o
    GROUP BY o.number, o.product_code
"""

_LINES: Final = """
    SELECT m.number, b.product_code, b.purchase_id, b.line_id, b.quantity, b.placed_at
    FROM {asked} JOIN bought_product AS b ON b.member_id = m.id
    WHERE b.placed_at > $2 AND b.placed_at <= $3 AND b.purchase_id = ANY($4::uuid[])
"""

_REDEEMED: Final = """
    SELECT DISTINCT m.number, r.product_code
    FROM {asked} JOIN redeemed_product AS r ON r.member_id = m.id
    WHERE r.redeemed_at <= $2
"""

_NOT_INTERESTED: Final = """
    SELECT DISTINCT m.number, n.product_code
    FROM {asked} JOIN not_interested AS n ON n.member_id = m.id
    WHERE $2::timestamptz IS NULL OR n.at <= $2
"""

_RANKS: Final = """
    SELECT m.number, r.rank FROM {asked} JOIN member_rank AS r ON r.member_id = m.id
"""

_BROWSED: Final = """
    SELECT m.number, COALESCE(e.theme_code, c.theme_code) AS theme, COUNT(*) AS events
    FROM {asked}
    JOIN behavior_event AS e ON e.member_id = m.id
    LEFT JOIN product_card AS c ON c.code = e.product_code
    WHERE e.at <= $2 AND COALESCE(e.theme_code, c.theme_code) IS NOT NULL
    GROUP BY m.number, COALESCE(e.theme_code, c.theme_code)
"""


@dataclass(slots=True)
class _Found:
    bought: dict[str, int] = field(default_factory=dict)
    placed_at: dict[str, datetime] = field(default_factory=dict)
    redeemed: set[str] = field(default_factory=set)
    browsed: dict[str, int] = field(default_factory=dict)
    not_interested: set[str] = field(default_factory=set)
    level_rank: int = 0

    def add(self, code: str, *, orders: int, at: datetime) -> None:
        """So many orders of a product, the last of them at this moment."""
        self.bought[code] = self.bought.get(code, 0) + orders
        self.placed_at[code] = max(self.placed_at.get(code, at), at)

    def newest_order(self) -> set[str]:
        """What was bought last: of orders of one moment, all."""
        newest = max(self.placed_at.values(), default=None)
        return {code for code, placed_at in self.placed_at.items() if placed_at == newest}


async def histories(member_ids: Sequence[UUID], *, as_of: datetime) -> list[set[str]]:
    """The products that each of these members has as of the moment, in their order.

    A fixed number of statements, whatever the number of members.
    """
    found: list[set[str]] = [{*one.bought} for one in await _bought(member_ids, until=as_of)]
    for row in await _read(_REDEEMED, member_ids, as_of):
        found[row["number"] - 1].add(row["product_code"])
    return found


async def bought_between(
    member_ids: Sequence[UUID], *, after: datetime, until: datetime
) -> list[set[str]]:
    """The products of the orders that these members placed later than `after`, up to `until`.

    Net of what was given back by then. In their order, a fixed number of statements.
    """
    return [{*one.bought} for one in await _bought(member_ids, after=after, until=until)]


async def tastes(
    member_ids: Sequence[UUID], *, as_of: datetime, said_by: datetime | None = None
) -> list[Taste]:
    """All signals of each of these members as of the moment, in their order.

    What members declare and do not want, and their levels, count as they are now; with `said_by`
    only what they had said by then, of what they still say. A fixed number of statements.
    """
    found = await _bought(member_ids, until=as_of)
    for row in await _read(_REDEEMED, member_ids, as_of):
        found[row["number"] - 1].redeemed.add(row["product_code"])
    for row in await _read(_NOT_INTERESTED, member_ids, said_by):
        found[row["number"] - 1].not_interested.add(row["product_code"])
    for row in await _read(_RANKS, member_ids):
        found[row["number"] - 1].level_rank = row["rank"]
    for row in await _read(_BROWSED, member_ids, as_of):
        found[row["number"] - 1].browsed[row["theme"]] = row["events"]
    declared = await members.declared_themes(member_ids, by=said_by) if member_ids else {}
    return [
        Taste(
            bought=one.bought,
            redeemed=one.redeemed,
            newest_order=one.newest_order(),
            declared=declared.get(member_id, frozenset()),
            browsed=one.browsed,
            not_interested=one.not_interested,
            level_rank=one.level_rank,
        )
        for member_id, one in zip(member_ids, found, strict=True)
    ]


async def _bought(
    member_ids: Sequence[UUID], *, after: datetime = _BEGINNING, until: datetime
) -> list[_Found]:
    """What each of these members bought, net of what was given back by the end."""
    found = [_Found() for _ in member_ids]
    returned = {
        (row["purchase_id"], row["line_id"]): row["quantity"]
        for row in await _read(_RETURNED, member_ids, until)
    }
    orders = sorted({purchase_id for purchase_id, _ in returned})
    for row in await _read(_BOUGHT, member_ids, after, until, orders):
        found[row["number"] - 1].add(
            row["product_code"], orders=row["orders"], at=moment_of(row["placed_at"])
        )
    # Of an order a product counts once, as long as a piece of one of its lines was kept.
    kept = {
        (row["number"], row["product_code"], row["purchase_id"]): row["placed_at"]
        for row in (await _read(_LINES, member_ids, after, until, orders) if orders else ())
        if row["quantity"] > returned.get((row["purchase_id"], row["line_id"]), 0)
    }
    for (number, code, _), placed_at in kept.items():
        found[number - 1].add(code, orders=1, at=placed_at)
    return found


async def _read(sql: str, member_ids: Sequence[UUID], *values: object) -> Sequence[Row]:
    if not member_ids:
        return []
    return await fetch_all(sql.format(asked=_ASKED[dialect()]), list(member_ids), *values)
