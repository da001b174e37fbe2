"""The most bought products of the programme and of each theme: counted, and kept ready."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from domain.catalogue import themes_of_products
from domain.outbox import Event, announce
from domain.purchases import lines_by_product
from domain.storage import Table, execute, transaction

KEPT: Final = 200
"""How many popular products are kept ready, of whatever theme."""
KEPT_OF_A_THEME: Final = 20
"""How many of each theme besides."""

_POPULAR: Final = Table(
    "popular_product",
    rank="integer",
    product_code="text",
    score="double precision",
    theme_code="text",
    theme_share="double precision",
    computed_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PopularProduct:
    """`rank` from 1; `score` is the share of all purchase lines that name it, of those
    by which something was bought.

    `theme_share` is 1 for the most bought of a theme, and for others how often they are against it;
    0 without a theme.
    """

    rank: int
    product_code: str
    score: float
    theme_code: str | None
    theme_share: float


async def refresh_popularity(*, now: datetime) -> int:
    """Compute the most bought products anew; returns how many are kept."""
    lines = await lines_by_product()
    kept = list(most_popular(lines, themes=await themes_of_products(lines)))

    async def work() -> None:
        await execute("DELETE FROM popular_product")
        await _POPULAR.insert({**asdict(one), "computed_at": now} for one in kept)
        await announce([Event(kind="PopularityCounted", member_id=None, facts={})], now=now)

    await transaction(work)
    return len(kept)


def most_popular(
    lines: Mapping[str, int], *, themes: Mapping[str, str | None]
) -> Iterator[PopularProduct]:
    """The products that are kept ready, the most bought first; of equal ones the lesser code.

    `lines` are how many purchase lines name each product, `themes` the theme of each that has one.
    """
    total = sum(lines.values())
    most: dict[str, int] = {}
    taken = Counter[str]()
    rank = 0
    for place, code in enumerate(sorted(lines, key=lambda one: (-lines[one], one))):
        theme = themes.get(code)
        if theme is not None:
            most.setdefault(theme, lines[code])
            taken[theme] += 1
        if place >= KEPT and (theme is None or taken[theme] > KEPT_OF_A_THEME):
            continue
        rank += 1
        yield PopularProduct(
            rank=rank,
            product_code=code,
            score=lines[code] / total,
            theme_code=theme,
            theme_share=lines[code] / most[theme] if theme is not None else 0.0,
        )
