"""What is known of members up to a moment: bought net of refunds, redeemed, looked at, declared.

All of it is read for some members at once, by their ids, and nothing of it happened after the
moment that is asked for: purchases count by when they were placed, refunds by when they were made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain import members
from domain.recommendations.scoring import Taste
from domain.storage import Row, dialect, fetch_all, moment_of

# Members are numbered by their place among those asked for: an id on each row would cost more than
# all else that it tells.
_ASKED: Final = {
    "postgres": "unnest($1::uuid[]) WITH ORDINALITY AS m (id, number)",
    "sqlite": "(SELECT value AS id, key + 1 AS number FROM json_each($1)) AS m",
}

# A line that was given back whole was not bought. Two levels of grouping instead of a count of
# distinct orders, which would sort.
_BOUGHT: Final = """
    SELECT o.number, o.product_code, COUNT(*) AS orders, MAX(o.placed_at) AS placed_at FROM (
        SELECT m.number, b.product_code, b.purchase_id, MAX(b.placed_at) AS placed_at
        FROM {asked}
        JOIN bought_product AS b ON b.member_id = m.id
        LEFT JOIN (
            SELECT r.member_id, r.purchase_id, r.line_id, SUM(r.quantity) AS quantity
            FROM {asked} JOIN returned_product AS r ON r.member_id = m.id
            WHERE r.refunded_at <= $2
            GROUP BY r.member_id, r.purchase_id, r.line_id
        ) AS back ON back.member_id = b.member_id AND back.purchase_id = b.purchase_id
            AND back.line_id = b.line_id
        WHERE b.placed_at <= $2 AND {also} b.quantity > COALESCE(back.quantity, 0)
        GROUP BY m.number, b.product_code, b.purchase_id
    ) AS o
    GROUP BY o.number, o.product_code
"""

_REDEEMED: Final = """
    SELECT DISTINCT m.number, r.product_code
    FROM {asked} JOIN redeemed_product AS r ON r.member_id = m.id
    WHERE r.redeemed_at <= $2
"""

_NOT_INTERESTED: Final = """
    SELECT DISTINCT m.number, n.product_code
    FROM {asked} JOIN not_interested AS n ON n.member_id = m.id
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

    def newest_order(self) -> set[str]:
        """What was bought last: of orders of one moment, all."""
        newest = max(self.placed_at.values(), default=None)
        return {code for code, placed_at in self.placed_at.items() if placed_at == newest}


async def histories(member_ids: Sequence[UUID], *, as_of: datetime) -> list[set[str]]:
    """The products that each of these members has as of the moment, in their order.

    A fixed number of statements, whatever the number of members.
    """
    found: list[set[str]] = [set() for _ in member_ids]
    for row in await _read(_BOUGHT, member_ids, as_of):
        found[row["number"] - 1].add(row["product_code"])
    for row in await _read(_REDEEMED, member_ids, as_of):
        found[row["number"] - 1].add(row["product_code"])
    return found


async def bought_between(
    member_ids: Sequence[UUID], *, after: datetime, until: datetime
) -> list[set[str]]:
    """The products of the orders that these members placed later than `after`, up to `until`.

    Net of what was given back by then. In their order, one statement.
    """
    found: list[set[str]] = [set() for _ in member_ids]
    for row in await _read(_BOUGHT, member_ids, until, after, also="b.placed_at > $3 AND"):
        found[row["number"] - 1].add(row["product_code"])
    return found


async def tastes(member_ids: Sequence[UUID], *, as_of: datetime) -> list[Taste]:
    """All signals of each of these members as of the moment, in their order.

    What members declare and do not want, and their levels, count as they are now. A fixed number of
    statements.
    """
    found = [_Found() for _ in member_ids]
    for row in await _read(_BOUGHT, member_ids, as_of):
        one = found[row["number"] - 1]
        one.bought[row["product_code"]] = row["orders"]
        one.placed_at[row["product_code"]] = moment_of(row["placed_at"])
    for row in await _read(_REDEEMED, member_ids, as_of):
        found[row["number"] - 1].redeemed.add(row["product_code"])
    for row in await _read(_NOT_INTERESTED, member_ids):
        found[row["number"] - 1].not_interested.add(row["product_code"])
    for row in await _read(_RANKS, member_ids):
        found[row["number"] - 1].level_rank = row["rank"]
    for row in await _read(_BROWSED, member_ids, as_of):
        found[row["number"] - 1].browsed[row["theme"]] = row["events"]
    declared = await members.declared_themes(member_ids) if member_ids else {}
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


async def _read(
    sql: str, member_ids: Sequence[UUID], *values: object, also: str = ""
) -> Sequence[Row]:
    if not member_ids:
        return []
    asked = sql.format(asked=_ASKED[dialect()], also=also)
    return await fetch_all(asked, list(member_ids), *values)
