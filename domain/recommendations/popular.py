"""The most bought products of the programme, for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.catalogue import Product, Theme
from domain.outbox import Event, announce
from domain.purchases import most_bought
from domain.storage import Row, Table, execute, fetch_all, transaction

KEPT = 200
"""How many popular products are kept ready."""

_POPULAR = Table(
    "popular_product",
    rank="integer",
    product_code="text",
    score="double precision",
    computed_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A product to show; `rank` from 1, `score` the share of purchase lines that name it (0..1)."""

    rank: int
    score: float
    product: Product


async def popular(*, first: int) -> Sequence[Recommendation]:
    """The `first` most bought products that are still sold, best first. One statement."""
    rows = await fetch_all(
        """
        SELECT p.score, c.id, c.code, c.title, c.image_url, c.price_fen,
               c.theme_code, c.theme_name_zh, c.theme_name_en
        FROM popular_product AS p
        JOIN product_card AS c ON c.code = p.product_code
        WHERE c.active
        ORDER BY p.rank
        LIMIT $1
        """,
        first,
    )
    return [_recommendation(rank, row) for rank, row in enumerate(rows, 1)]


async def refresh_popularity(*, now: datetime) -> int:
    """Compute the most bought products anew; returns how many are kept."""
    shares = await most_bought(first=KEPT)

    async def work() -> None:
        await execute("DELETE FROM popular_product")
        await _POPULAR.insert(
            {"rank": rank, "product_code": code, "score": share, "computed_at": now}
            for rank, (code, share) in enumerate(shares, 1)
        )
        await announce([Event(kind="PopularityCounted", member_id=None, facts={})], now=now)

    await transaction(work)
    return len(shares)


def _recommendation(rank: int, row: Row) -> Recommendation:
    theme = None
    if row["theme_code"] is not None:
        theme = Theme(
            code=row["theme_code"], name_zh=row["theme_name_zh"], name_en=row["theme_name_en"]
        )
    product = Product(
        id=row["id"],
        code=row["code"],
        title=row["title"],
        image_url=row["image_url"],
        price_fen=row["price_fen"],
        theme=theme,
    )
    return Recommendation(rank=rank, score=row["score"], product=product)
