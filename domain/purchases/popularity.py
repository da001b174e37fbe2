"""Which products are bought most."""

from __future__ import annotations

from collections.abc import Sequence

from domain.storage import Row, dialect, execute, fetch_all, inside_transaction, transaction

_MOST_BOUGHT = """
    SELECT product_code, COUNT(*) * 1.0 / (SELECT COUNT(*) FROM purchase_line) AS share
    FROM purchase_line
    WHERE quantity > 0
    GROUP BY product_code
    ORDER BY share DESC, product_code
    LIMIT $1
"""


async def most_bought(*, first: int) -> Sequence[tuple[str, float]]:
    """The `first` products named by most purchase lines: (code, share of all lines, 0..1).

    Reads all lines: a job for the background, not for a request.
    """
    assert not inside_transaction(), "a long read holds nobody's locks"

    async def unhurried() -> Sequence[Row]:
        await execute("SET LOCAL statement_timeout = 0")
        return await fetch_all(_MOST_BOUGHT, first)

    if dialect() == "postgres":
        rows = await transaction(unhurried)
    else:
        rows = await fetch_all(_MOST_BOUGHT, first)
    return [(row["product_code"], float(row["share"])) for row in rows]
