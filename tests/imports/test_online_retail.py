"""Online Retail: guests, lines without price, repeated lines of one product in an invoice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from domain import storage
from tests.closing import ClosingReport
from tests.imports.running import Summary, import_purchases, publish_lifetime_rule

SLICE_ROWS = 15_000
LINES, REJECTED = 531_282, 133_398


def is_rejected(row: dict[str, Any]) -> bool:
    return bool(row["CustomerID"] == 0 or row["UnitPrice"] == 0)


async def imported(url: str, file: Path, rows: list[dict[str, Any]], folder: Path) -> Summary:
    """Import the file, and hold what is there against the rows that it has."""
    await publish_lifetime_rule(url)
    options = ("--preset", "online-retail", "--rule", "lifetime", "--rejects", folder / "r.csv")
    summary = await import_purchases(url, file, *options)
    good = [row for row in rows if not is_rejected(row)]
    assert (summary.rows, summary.imported) == (len(rows), len(good))
    assert summary.rejected == len(rows) - len(good) > 0

    repeated = Counter((str(row["InvoiceNo"]), row["StockCode"]) for row in good)
    assert max(repeated.values()) > 1, "the file has invoices that repeat a product"
    await storage.connect(url)
    try:
        stored = await storage.fetch_all(
            "SELECT p.external_id, l.product_code, COUNT(*) AS n FROM purchase AS p "
            "JOIN purchase_line AS l ON l.member_id = p.member_id AND l.purchase_id = p.id "
            "GROUP BY p.external_id, l.product_code"
        )
    finally:
        await storage.close()
    assert {(row["external_id"], row["product_code"]): row["n"] for row in stored} == repeated
    return summary


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_the_real_invoices(
    database_url: str, real_data: Path, tmp_path: Path, full_form: bool, report: ClosingReport
) -> None:
    from pyarrow import parquet

    file = real_data / "online_retail_uci_positive.parquet"
    table = parquet.read_table(file)
    if not full_form:
        table, file = table[:SLICE_ROWS], tmp_path / "slice.parquet"
        parquet.write_table(table, file)
    summary = await imported(database_url, file, table.to_pylist(), tmp_path)
    if full_form:
        assert (summary.imported, summary.rejected) == (LINES - REJECTED, REJECTED)
    database = database_url.split(":", 1)[0]
    report.count(f"lines of Online Retail on {database}", summary.rows, SLICE_ROWS)
    report.notes.append(f"Online Retail on {database}: {summary.rate:,} rows/s")
