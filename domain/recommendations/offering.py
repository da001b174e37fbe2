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

PRODUCTS_AT_ONCE: Final = 2_000

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
    after = _FIRST
    while True:
        rows = await fetch_all(
            "SELECT id, code, theme_code, active FROM product_card WHERE id > $1"
            " ORDER BY id LIMIT $2",
            *(after, PRODUCTS_AT_ONCE),
        )
        for row in rows:
            themes[row["code"]] = row["theme_code"]
            if row["active"]:
                active.add(row["code"])
        if len(rows) < PRODUCTS_AT_ONCE:
            break
        after = rows[-1]["id"]
    return Range(themes=themes, offer=Offer(active=active))
