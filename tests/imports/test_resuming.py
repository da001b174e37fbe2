"""An import that is killed and resumed, on a file that is made here: it needs no real data."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from domain import storage
from domain.ledger import verify_account
from tests.closing import ClosingReport
from tests.imports.running import import_purchases, kill_import_after, publish_lifetime_rule

ORDERS, MEMBERS = 4_000, 150
HEADER = ["order", "member", "product", "quantity", "amount", "placed", "shop"]


def make(path: Path) -> tuple[int, dict[str, int]]:
    """Write orders whose lines stand in no order; returns the lines and the fen of each order."""
    random = Random(20_170_101)
    rows: list[list[str]] = []
    paid_fen: dict[str, int] = defaultdict(int)
    for number in range(ORDERS):
        member = f"household-{random.randrange(MEMBERS)}"
        for _ in range(random.choice((1, 1, 2, 3, 12))):
            fen = random.choice((0, 1, 99, random.randrange(5_000)))
            product = f"product-{random.randrange(40)}"
            amount = f"{fen // 100}.{fen % 100:02}"
            moment = f"2017-{random.randrange(1, 13):02}-{random.randrange(1, 29):02} 10:00:00"
            rows.append([f"basket-{number}", member, product, "1", amount, moment, "mall"])
            paid_fen[f"{member}/{number}"] += fen
    random.shuffle(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return len(rows), dict(paid_fen)


@pytest.mark.faults
async def test_an_import_that_is_killed_goes_on_where_it_was(
    database_url: str, tmp_path: Path, report: ClosingReport
) -> None:
    file = tmp_path / "orders.csv"
    lines, paid_fen = make(file)
    await publish_lifetime_rule(database_url)
    options = ("--rule", "lifetime", "--rejects", tmp_path / "rejects.csv")
    killed_at = await kill_import_after(database_url, file, *options, rows=lines // 3)
    resumed = await import_purchases(database_url, file, *options)
    assert resumed.imported + resumed.known == resumed.rows == lines
    assert killed_at <= resumed.known < lines

    points: dict[str, int] = defaultdict(int)
    for order, fen in paid_fen.items():
        points[order.partition("/")[0]] += fen // 100
    await storage.connect(database_url)
    try:
        rows = await storage.fetch_all(
            "SELECT i.subject, a.member_id, a.available FROM member_identity AS i "
            "JOIN points_account AS a ON a.member_id = i.member_id"
        )
        assert {row["subject"]: row["available"] for row in rows} == points
        for row in rows[:10]:
            assert await verify_account(row["member_id"]) == []
        [stored] = await storage.fetch_all("SELECT COUNT(*) AS n FROM purchase_line")
        assert stored["n"] == lines
    finally:
        await storage.close()
    report.notes.append(
        f"Made file on {database_url.split(':', 1)[0]}: {lines:,} lines, killed at {killed_at:,}, "
        f"the rest at {resumed.rate:,} rows/s"
    )
