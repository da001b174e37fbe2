"""What may be shown to anybody: the products of the catalogue, and which of them for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.recommendations.scoring import Offer
from domain.storage import fetch_all

INTRODUCED_LATELY: Final = timedelta(days=30)
"""For so long a product counts as new."""

NEW_PRODUCTS_MAX: Final = 500
"""Of new products so many are chosen from, the newest: a first import may call all of them new."""

PRODUCTS_AT_ONCE: Final = 2_000

NOBODY: Final = 2**31 - 1
"""The rank that a level asks for which there is not: a code that names none shuts everybody out."""

_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The products that there are, each with its theme, and what of them may be shown."""

    themes: Mapping[str, str | None]
    offer: Offer


async def product_range(*, as_of: datetime) -> Range:
    """The catalogue as it is now; what is new and which rewards are on offer, as of the moment.

    Read in pages of the catalogue, whatever the number of members.
    """
    themes: dict[str, str | None] = {}
    active: set[str] = set()
    level_ranks: dict[str, int] = {}
    introduced: set[str] = set()
    since = as_of - INTRODUCED_LATELY
    ranks = {
        row["level_code"]: row["rank"]
        for row in await fetch_all("SELECT level_code, rank FROM level_rank")
    }
    after = _FIRST
    while True:
        rows = await fetch_all(
            "SELECT id, code, theme_code, active, level_code, introduced_at FROM product_card"
            " WHERE id > $1 ORDER BY id LIMIT $2",
            *(after, PRODUCTS_AT_ONCE),
        )
        for row in rows:
            code = row["code"]
            themes[code] = row["theme_code"]
            if row["active"]:
                active.add(code)
            if row["level_code"] is not None:
                level_ranks[code] = ranks.get(row["level_code"], NOBODY)
            if row["introduced_at"] is not None and since < row["introduced_at"] <= as_of:
                introduced.add(code)
        if len(rows) < PRODUCTS_AT_ONCE:
            break
        after = rows[-1]["id"]
    rewards = await fetch_all(
        "SELECT DISTINCT product_code FROM reward_product"
        " WHERE (begins_at IS NULL OR begins_at <= $1) AND (ends_at IS NULL OR ends_at > $1)",
        as_of,
    )
    offer = Offer(
        active=active,
        level_ranks=level_ranks,
        rewards={row["product_code"] for row in rewards},
        introduced=introduced,
    )
    return Range(themes=themes, offer=offer)
