"""What a training reads, written by plain SQL: members, products, consents and purchases."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from time import perf_counter
from typing import Final, Self

import asyncpg

from domain import storage
from domain.recommendations import PERSONALIZATION

ORDERS: Final = 10
"""Orders of each member, of the same number of lines, within the last 300 days."""

THEMES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much is made up. `lines` is rounded down to whole orders of all members."""

    members: int
    products: int
    lines: int

    @classmethod
    def read(cls, text: str) -> Self:
        """The sizes that a text like `5000,2000,100000` names."""
        members, products, lines = map(int, text.split(","))
        return cls(members=members, products=products, lines=lines)

    @property
    def lines_of_an_order(self) -> int:
        """At least one."""
        return max(1, self.lines // (self.members * ORDERS))


_STATIC: Final = f"""
INSERT INTO theme SELECT 't' || i, 'theme', 'theme' FROM generate_series(0, {THEMES - 1}) AS i;
INSERT INTO consent_text
VALUES ('{PERSONALIZATION}', '1', 'title', 'title', 'body', 'body', true, now());
"""

_PRODUCTS: Final = f"""
INSERT INTO product (id, code, title, theme_code, active, updated_at)
SELECT gen_random_uuid(), 'P' || lpad(i::text, 6, '0'), 'product', 't' || i % {THEMES}, true, now()
FROM generate_series(1, $1::integer) AS i
"""

_MEMBERS: Final = """
INSERT INTO member (id, nickname, joined_at, version)
SELECT gen_random_uuid(), '', now(), 1 FROM generate_series(1, $1::integer)
"""

_CONSENTS: Final = """
INSERT INTO member_consent (member_id, id, purpose, granted, version, at)
SELECT id, gen_random_uuid(), $1, true, '1', now() FROM member
"""

_ORDERS: Final = """
INSERT INTO purchase (member_id, id, source, external_id, placed_at, recorded_at, paid_fen,
                      currency, rule_code, rule_version, multiplier_permille, points)
SELECT id, gen_random_uuid(), 'benchmark', id::text || o, now() - random() * interval '300 days',
       now(), 100, 'CNY', 'rule', 1, 1, 1
FROM member, generate_series(1, $1::integer) AS o
"""

# The place of a random number among the sums of chances is the rank of a product.
_LINES: Final = """
INSERT INTO purchase_line (member_id, purchase_id, line_id, product_code, quantity, amount_fen,
                           rate_permille)
SELECT member_id, id, l::text,
       'P' || lpad((width_bucket(random(), $1::float8[]) + 1)::text, 6, '0'), 1, 100, 1
FROM purchase, generate_series(1, $2::integer) AS l
"""


async def load(url: str, sizes: Sizes) -> float:
    """Fill an empty database; returns how many seconds it took."""
    began = perf_counter()
    await storage.connect(url)
    try:
        await storage.migrate()
    finally:
        await storage.close()
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET synchronous_commit = off; SET jit = off")
        await connection.execute("SELECT setseed(0.5)")
        await connection.execute(_STATIC)
        await connection.execute(_PRODUCTS, sizes.products)
        await connection.execute(_MEMBERS, sizes.members)
        await connection.execute(_CONSENTS, PERSONALIZATION)
        await connection.execute(_ORDERS, ORDERS)
        chances = _zipf(sizes.products)
        await connection.execute(_LINES, chances, sizes.lines_of_an_order)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()
    return perf_counter() - began


def _zipf(products: int) -> list[float]:
    """Between which numbers of 0 to 1 each product is hit: the nth by one in n of the first's."""
    sums = list(accumulate(1 / rank for rank in range(1, products + 1)))
    return [each / sums[-1] for each in sums[:-1]]
