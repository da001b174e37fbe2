"""Which products are bought, and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.storage import Row, dialect, execute, fetch_all, inside_transaction, transaction

_LINES = """
    SELECT product_code, COUNT(*) AS lines
    FROM purchase_line
    WHERE quantity > 0
    GROUP BY product_code
"""


async def lines_by_product() -> Mapping[str, int]:
    """How many purchase lines name each product, by its code; those that none names are left out.

    Reads all lines: a job for the background, not for a request.
    """
    assert not inside_transaction(), "a long read holds nobody's locks"

    async def unhurried() -> Sequence[Row]:
        await execute("SET LOCAL statement_timeout = 0")
        return await fetch_all(_LINES)

    if dialect() == "postgres":
        rows = await transaction(unhurried)
    else:
        rows = await fetch_all(_LINES)
    return {row["product_code"]: row["lines"] for row in rows}
