"""Whether anything was ever bought."""

from __future__ import annotations

from domain.storage import fetch_one


async def any_purchase() -> bool:
    """Whether a purchase was recorded, by any shop. One row is read at most."""
    return await fetch_one("SELECT 1 AS found FROM purchase LIMIT 1") is not None
