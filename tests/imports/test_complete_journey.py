"""All of Complete Journey's transactions, killed half-way, resumed, imported again, looked at."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from uuid import UUID

import pytest

from domain import storage
from domain.ledger import verify_account
from tests.closing import ClosingReport
from tests.imports.running import (
    import_purchases,
    kill_import_after,
    publish_lifetime_rule,
    run,
)

LINES = 75_000
ORDERS = 47_243
PRODUCTS = 92_331
OPTIONS = ("--preset", "complete-journey", "--rule", "lifetime", "--time-zone", "Asia/Shanghai")


@dataclass(slots=True)
class Truth:
    """What the file says, reckoned without the project's rules."""

    paid_fen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By order."""
    owner: dict[str, str] = field(default_factory=dict)
    """By order."""
    without_value: int = 0
    """Lines of zero quantity or value."""

    def points_by_member(self) -> dict[str, int]:
        """One point per whole yuan of an order, by household."""
        points: dict[str, int] = defaultdict(int)
        for order, fen in self.paid_fen.items():
            points[self.owner[order]] += fen // 100
        return dict(points)


def read_truth(file: Path) -> Truth:
    from pyarrow import parquet

    truth = Truth()
    columns = ["household_id", "basket_id", "quantity", "sales_value"]
    rows = parquet.read_table(file, columns=columns).to_pylist()
    assert len(rows) == LINES
    for row in rows:
        fen = int((Decimal(str(row["sales_value"])) * 100).to_integral_value(ROUND_HALF_UP))
        truth.paid_fen[row["basket_id"]] += fen
        truth.owner[row["basket_id"]] = row["household_id"]
        truth.without_value += row["quantity"] == 0 or fen == 0
    assert len(truth.paid_fen) == ORDERS
    return truth


async def one(sql: str) -> int:
    row = await storage.fetch_one(sql)
    assert row is not None
    return int(row["n"])


async def points_by_reference() -> dict[str, int]:
    rows = await storage.fetch_all(
        "SELECT i.subject, COALESCE(a.available, 0) AS available FROM member_identity AS i "
        "LEFT JOIN points_account AS a ON a.member_id = i.member_id WHERE i.kind = 'external'"
    )
    return {row["subject"]: row["available"] for row in rows}


@pytest.mark.timeout(240)
async def test_the_real_transactions(
    database_url: str, real_data: Path, tmp_path: Path, report: ClosingReport
) -> None:
    file = real_data / "completejourney_transactions_sample.parquet"
    rejects = tmp_path / "rejects.csv"
    options = (*OPTIONS, "--rejects", rejects)
    products = real_data / "completejourney_products.parquet"
    said = await run(database_url, "import-products", products, "--preset", "complete-journey")
    assert f"{PRODUCTS:,} rows: {PRODUCTS:,} imported ({PRODUCTS:,} new, 0 changed)" in said
    await publish_lifetime_rule(database_url)

    killed_at = await kill_import_after(database_url, file, *options, rows=LINES // 2)
    resumed = await import_purchases(database_url, file, *options)
    assert resumed.rows == LINES
    assert resumed.rejected == 0
    assert resumed.imported + resumed.known == LINES
    # What was recorded before the kill is there, and nothing of it is done twice.
    assert killed_at <= resumed.known < LINES
    again = await import_purchases(database_url, file, *options)
    assert (again.imported, again.known, again.rejected) == (0, LINES, 0)
    assert (again.orders, again.points) == (0, 0)
    assert not rejects.exists()

    truth = read_truth(file)
    await storage.connect(database_url)
    try:
        await assert_as_the_file_says(truth)
    finally:
        await storage.close()
    database = database_url.split(":", 1)[0]
    report.notes.append(
        f"Complete Journey on {database}: {LINES:,} lines, killed at {killed_at:,}; the rest at "
        f"{resumed.rate:,} rows/s, all again at {again.rate:,} rows/s"
    )


async def assert_as_the_file_says(truth: Truth) -> None:
    expected = truth.points_by_member()
    assert await points_by_reference() == expected
    assert await one("SELECT COUNT(*) AS n FROM purchase") == ORDERS
    assert await one("SELECT COUNT(*) AS n FROM purchase_line") == LINES
    assert await one("SELECT SUM(paid_fen) AS n FROM purchase") == sum(truth.paid_fen.values())
    assert await one("SELECT SUM(points) AS n FROM purchase") == sum(expected.values())
    kept = "SELECT COUNT(*) AS n FROM purchase_line WHERE quantity = 0 OR amount_fen = 0"
    assert await one(kept) == truth.without_value > 0
    # An order that earned nothing left no entry; every other one left exactly one.
    earning = sum(1 for fen in truth.paid_fen.values() if fen >= 100)
    assert await one("SELECT COUNT(*) AS n FROM points_entry") == earning
    busiest = await storage.fetch_all(
        "SELECT member_id FROM points_account ORDER BY version DESC, member_id LIMIT 20"
    )
    for row in busiest:
        member_id: UUID = row["member_id"]
        assert await verify_account(member_id) == []
