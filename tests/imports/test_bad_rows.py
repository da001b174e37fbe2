"""Bad rows end in the rejects file, each with its reason; the good ones are imported."""

from __future__ import annotations

import csv
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain import storage
from tests.imports.running import import_purchases, publish_lifetime_rule

HEADER = ["order", "line", "member", "product", "quantity", "amount", "placed", "shop"]
GOOD = ["G1", "1", "alice", "tea", "1", "12.34", "2026-01-02 03:04:05", "mall"]
FUTURE = (datetime.now(UTC) + timedelta(days=2)).isoformat()


def changed(**values: str) -> list[str]:
    """The good row with an order of its own and these values."""
    row = dict(zip(HEADER, GOOD, strict=True)) | values
    return [row[name] for name in HEADER]


BAD: list[tuple[list[str], str]] = [
    (changed(order=""), "ORDER_MISSING"),
    (changed(order="B2", line=""), "LINE_MISSING"),
    (changed(order="B3", member=" "), "MEMBER_MISSING"),
    (changed(order="B4", member="guest"), "GUEST"),
    (changed(order="B5", product=""), "PRODUCT_MISSING"),
    (changed(order="B6", quantity=""), "QUANTITY_MISSING"),
    (changed(order="B7", quantity="1.5"), "QUANTITY_INVALID"),
    (changed(order="B8", quantity="-1"), "QUANTITY_INVALID"),
    (changed(order="B9", quantity="99999999999"), "QUANTITY_INVALID"),
    (changed(order="B10", amount=""), "AMOUNT_MISSING"),
    (changed(order="B11", amount="twelve"), "AMOUNT_INVALID"),
    (changed(order="B12", amount="-0.01"), "AMOUNT_INVALID"),
    (changed(order="B13", amount="90071992547409.92"), "AMOUNT_INVALID"),
    (changed(order="B14", amount="nan"), "AMOUNT_INVALID"),
    (changed(order="B15", placed=""), "DATE_MISSING"),
    (changed(order="B16", placed="2026-02-30"), "DATE_INVALID"),
    (changed(order="B17", placed=FUTURE), "FUTURE_DATED"),
    (changed(order="B18", shop="s" * 129), "TEXT_INVALID"),
    (changed(order="B19\0"), "TEXT_INVALID"),
    (changed(order="B20")[:-1], "COLUMN_COUNT"),
    (changed(order="G1\u200b"), "TEXT_INVALID"),
    (changed(order="B22", line="1\u200b"), "TEXT_INVALID"),
    (changed(order="B23", member="M\u200b"), "MEMBER_NOT_FOUND"),
]


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


def mapping() -> list[str]:
    return [part for name in HEADER for part in ("--map", f"{name}={name}")]


async def test_bad_rows_each_with_its_reason(database_url: str, tmp_path: Path) -> None:
    assert len(BAD) == 23
    await publish_lifetime_rule(database_url)
    good = [GOOD, changed(line="2", amount="0"), changed(order="G2", line="1", amount="7.66")]
    rows = [good[0], *(row for row, _ in BAD[:10]), good[1], *(row for row, _ in BAD[10:]), good[2]]
    file = write(tmp_path / "orders.csv", rows)
    rejects = tmp_path / "rejects.csv"
    options: list[str | Path] = [*mapping(), "--guest", "guest", "--rejects", rejects]
    options += ["--rule", "lifetime"]

    summary = await import_purchases(database_url, file, *options)
    assert (summary.rows, summary.imported, summary.rejected) == (26, 3, 23)
    with rejects.open(encoding="utf-8", newline="") as written:
        found = list(csv.DictReader(written))
    # Row 1 is the first below the header; the good rows stand at 1, 12 and 26.
    numbers = [*range(2, 12), *range(13, 26)]
    assert [(row["row"], row["code"]) for row in found] == [
        (str(number), code) for number, (_, code) in zip(numbers, BAD, strict=True)
    ]
    assert all(row["reason"] for row in found)
    assert found[8]["order"] == "B9"

    await storage.connect(database_url)
    try:
        lines = await storage.fetch_all(
            "SELECT l.line_id, l.amount_fen, p.external_id, p.points FROM purchase AS p "
            "JOIN purchase_line AS l ON l.member_id = p.member_id AND l.purchase_id = p.id "
            "ORDER BY p.external_id, l.line_id"
        )
        assert [dict(row) for row in lines] == [
            {"line_id": "1", "amount_fen": 1234, "external_id": "G1", "points": 12},
            {"line_id": "2", "amount_fen": 0, "external_id": "G1", "points": 12},
            {"line_id": "1", "amount_fen": 766, "external_id": "G2", "points": 7},
        ]
        accounts = await storage.fetch_all("SELECT available FROM points_account")
        assert [row["available"] for row in accounts] == [19]
    finally:
        await storage.close()


@pytest.mark.parametrize("lay_there", [False, True])
async def test_nobody_else_may_read_the_rejected_rows(
    database_url: str, tmp_path: Path, lay_there: bool
) -> None:
    """They may hold phone numbers; so too where a file that others may read lay there before."""
    rejects = tmp_path / "rejects.csv"
    if lay_there:
        rejects.write_text("older, and longer than what comes" * 100)
        rejects.chmod(0o644)
    await publish_lifetime_rule(database_url)
    file = write(tmp_path / "orders.csv", [changed(order="")])
    options: list[str | Path] = [*mapping(), "--rejects", rejects, "--rule", "lifetime"]
    before = os.umask(0)
    try:
        summary = await import_purchases(database_url, file, *options)
    finally:
        os.umask(before)
    assert summary.rejected == 1
    assert rejects.stat().st_mode & 0o777 == 0o600
    with rejects.open(encoding="utf-8", newline="") as written:
        assert [row["code"] for row in csv.DictReader(written)] == ["ORDER_MISSING"]


async def test_a_mended_file_adds_what_was_missing(database_url: str, tmp_path: Path) -> None:
    await publish_lifetime_rule(database_url)
    options: list[str | Path] = [*mapping(), "--rejects", tmp_path / "rejects.csv"]
    options += ["--rule", "lifetime"]
    bad = changed(line="2", amount="oops")
    file = write(tmp_path / "orders.csv", [GOOD, bad])
    first = await import_purchases(database_url, file, *options)
    assert (first.imported, first.rejected, first.points) == (1, 1, 12)

    write(file, [GOOD, changed(line="2", amount="0.66")])
    second = await import_purchases(database_url, file, *options)
    # 12.34 and 0.66 make 13 whole yuan: the second line earns the difference.
    assert (second.imported, second.known, second.rejected, second.points) == (1, 1, 0, 1)
    third = await import_purchases(database_url, file, *options)
    assert (third.imported, third.known, third.points) == (0, 2, 0)
