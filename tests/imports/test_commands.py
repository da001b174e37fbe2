"""The commands: what stops them, and files of products; as whoever imports runs them."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
import typer
from typer.testing import CliRunner, Result

from api.imports.commands import add_import_commands
from domain import storage
from domain.tiers import LevelDefinition, define_levels
from tests.domain.access.fixtures import NOW

T = TypeVar("T")

APP = typer.Typer()
add_import_commands(APP)

HEADER = ["order", "member", "product", "quantity", "amount", "placed"]
GOOD = ["A", "alice", "tea", "1", "12.34", "2026-01-02 03:04:05"]


def invoke(url: str, *arguments: str | Path) -> Result:
    return CliRunner().invoke(APP, [*map(str, arguments)], env={"DATABASE_URL": url})


def look(url: str, sql: str) -> list[dict[str, Any]]:
    """The rows of a statement, asked for after the command has ended."""

    async def ask() -> list[dict[str, Any]]:
        return [dict(row) for row in await storage.fetch_all(sql)]

    return connected(url, ask)


def connected(url: str, work: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        await storage.connect(url)
        try:
            return await work()
        finally:
            await storage.close()

    return asyncio.run(run())


def write(path: Path, header: Sequence[str], *rows: Sequence[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


STOPPED: dict[str, tuple[list[str], str]] = {
    "no such preset": (["--preset", "x"], "there is no preset 'x', only: complete-journey"),
    "no such field": (["--map", "basket=order"], "there is no field 'basket'"),
    "no such column": (["--map", "order=basket"], "the file has no column 'basket'"),
    "no such rule": (["--rule", "x"], "no earning rule 'x' was published"),
    "no such time zone": (["--time-zone", "Mars/Olympus"], "there is no time zone 'Mars/Olympus'"),
    "no such encoding": (["--encoding", "utf-99"], "'utf-99' is no text encoding"),
    "no source": (["--source", ""], "--source takes 1 to 64 characters of plain text"),
    "a source that hides something": (["--source", "csv\u200b"], "none invisible"),
}


def test_a_command_that_cannot_run_says_why_in_one_line_and_changes_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "orders.csv", HEADER, GOOD)
    for what, (options, reason) in STOPPED.items():
        result = invoke(sqlite_url, "import-purchases", file, *options)
        assert result.exit_code == 1, what
        assert result.stderr.count("\n") == 1, what
        assert reason in result.stderr, what
        assert result.stdout == "", what
    missing = invoke(sqlite_url, "import-purchases", tmp_path / "nothing.csv")
    assert (missing.exit_code, missing.stderr) == (
        1,
        f"{tmp_path / 'nothing.csv'}: No such file or directory\n",
    )
    assert look(sqlite_url, "SELECT id FROM purchase") == []
    assert look(sqlite_url, "SELECT id FROM member") == []


def test_a_file_that_breaks_off_changes_nothing(sqlite_url: str, tmp_path: Path) -> None:
    """A file is read to its end before anything of it is recorded."""
    file = write(tmp_path / "orders.csv", HEADER, *([GOOD] * 3))
    with file.open("a", encoding="utf-8") as opened:
        opened.write('B,alice,"' + "x" * 200_000)
    result = invoke(sqlite_url, "import-purchases", file)
    assert result.exit_code == 1
    assert "after row 3: field larger than field limit" in result.stderr
    assert look(sqlite_url, "SELECT id FROM purchase") == []


def test_a_database_that_is_not_migrated_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path / "orders.csv", HEADER, GOOD)
    result = invoke(f"sqlite://{tmp_path}/new.db", "import-purchases", file)
    assert result.exit_code == 1
    assert result.stderr == "the database is not migrated: run `make migrate` first\n"


def test_members_who_are_not_to_be_created_are_reported(sqlite_url: str, tmp_path: Path) -> None:
    file = write(tmp_path / "orders.csv", HEADER, GOOD)
    rejects = tmp_path / "rejects.csv"
    options = ("--rejects", rejects, "--no-create-members")
    result = invoke(sqlite_url, "import-purchases", file, *options)
    assert result.exit_code == 0, result.stderr
    [row] = csv.DictReader(rejects.read_text(encoding="utf-8").splitlines())
    assert (row["code"], row["reason"]) == (
        "MEMBER_NOT_FOUND",
        "the order was refused: no member answers to the reference",
    )

    # Created by the next run, which leaves no rejects behind.
    again = invoke(sqlite_url, "import-purchases", file, "--rejects", rejects)
    assert "1 rows: 1 imported, 0 there already, 0 rejected, 1 orders, 12 points" in again.stdout
    assert not rejects.exists()


def test_a_line_that_was_imported_with_other_content_is_rejected(
    sqlite_url: str, tmp_path: Path
) -> None:
    file = write(tmp_path / "orders.csv", HEADER, GOOD)
    rejects = tmp_path / "rejects.csv"
    assert invoke(sqlite_url, "import-purchases", file).exit_code == 0
    altered = [*GOOD[:4], "99.99", GOOD[5]]
    write(file, HEADER, altered)
    result = invoke(sqlite_url, "import-purchases", file, "--rejects", rejects)
    assert "1 rows: 0 imported, 0 there already, 1 rejected" in result.stdout
    assert "IDEMPOTENCY_CONFLICT: 1" in result.stdout
    [row] = csv.DictReader(rejects.read_text(encoding="utf-8").splitlines())
    assert row["code"] == "IDEMPOTENCY_CONFLICT"
    assert [row[name] for name in HEADER] == altered
    assert look(sqlite_url, "SELECT amount_fen FROM purchase_line") == [{"amount_fen": 1_234}]

    # Under another source the same ids are other orders.
    other = invoke(sqlite_url, "import-purchases", file, "--source", "another shop")
    assert "1 rows: 1 imported" in other.stdout


def test_prices_dates_and_delimiters_as_a_till_writes_them(sqlite_url: str, tmp_path: Path) -> None:
    file = tmp_path / "till.csv"
    file.write_bytes(
        "小票;会员;货号;数量;单价;时间\n"
        "1;张三;茶;3;0.335;28/02/2026 09:00\n"
        "1;张三;茶;1;0;28/02/2026 09:00\n".encode("gb18030")
    )
    mapping = tmp_path / "till.toml"
    mapping.write_text(
        'order = "小票"\nmember = "会员"\nproduct = "货号"\nquantity = "数量"\n'
        '"unit-price" = "单价"\nplaced = "时间"\n'
    )
    rejects = tmp_path / "rejects.csv"
    options = ("--mapping", mapping, "--encoding", "gb18030", "--delimiter", ";")
    result = invoke(
        sqlite_url,
        *("import-purchases", file, *options, "--date-format", "%d/%m/%Y %H:%M"),
        *("--time-zone", "Asia/Tokyo", "--rejects", rejects),
    )
    assert result.exit_code == 0, result.stderr
    assert "2 rows: 1 imported, 0 there already, 1 rejected" in result.stdout
    # 3 × 0.335 is 1.005, half a fen up.
    assert look(sqlite_url, "SELECT line_id, quantity, amount_fen FROM purchase_line") == [
        {"line_id": "茶#1", "quantity": 3, "amount_fen": 101}
    ]
    [purchase] = look(sqlite_url, "SELECT placed_at FROM purchase")
    assert purchase["placed_at"].isoformat() == "2026-02-28T00:00:00+00:00"
    [reject] = csv.DictReader(rejects.read_text(encoding="utf-8").splitlines())
    assert (reject["row"], reject["code"], reject["会员"]) == ("2", "PRICE_ZERO", "张三")


PRODUCTS = [
    ["code", "type", "category", "theme", "price", "image"],
    ["tea", "龙井", "茶叶", "TEA", "168", "https://img.example/tea.jpg"],
    ["cup", "", "Cups", "", "", ""],
    ["pot", " ", "", "TEA", "0.005", ""],
    ["", "no code", "", "", "", ""],
    ["dear", "a price", "", "", "-1", ""],
    ["odd", "a price", "", "", "much", ""],
    ["long", "t" * 257, "", "", "", ""],
    ["short"],
    ["cup", "Mug", "Cups", "", "", ""],
]


@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_products_with_their_titles_themes_and_prices(
    sqlite_url: str, tmp_path: Path, again: bool
) -> None:
    file = write(tmp_path / "products.csv", PRODUCTS[0], *PRODUCTS[1:])
    rejects = tmp_path / "rejects.csv"
    arguments = ("import-products", file, "--map", "title=type,category", "--rejects", rejects)
    result = invoke(sqlite_url, *arguments)
    if again:
        assert "(3 new, 0 changed)" in result.stdout
        result = invoke(sqlite_url, *arguments)
    told = "(0 new, 0 changed)" if again else "(3 new, 0 changed)"
    assert f"9 rows: 4 imported {told}, 5 rejected" in result.stdout
    products = look(sqlite_url, "SELECT code, title, theme_code, price_fen, image_url FROM product")
    assert sorted(tuple(product.values()) for product in products) == [
        ("cup", "Mug", None, None, None),
        ("pot", "pot", "TEA", 1, None),
        ("tea", "龙井", "TEA", 16_800, "https://img.example/tea.jpg"),
    ]
    written = list(csv.DictReader(rejects.read_text(encoding="utf-8").splitlines()))
    # The file has a column `code` of its own.
    assert list(written[0]) == ["reject_row", "reject_code", "reject_reason", *PRODUCTS[0]]
    assert [(row["reject_row"], row["reject_code"]) for row in written] == [
        ("4", "PRODUCT_MISSING"),
        ("5", "AMOUNT_INVALID"),
        ("6", "AMOUNT_INVALID"),
        ("7", "TEXT_INVALID"),
        ("8", "COLUMN_COUNT"),
    ]


OFFERED = [
    ["code", "level", "introduced", "active"],
    ["tea", "gold", "2026-02-01", "yes"],
    ["cup", "", "2026-02-01T09:00:00+01:00", "否"],
    ["pot", "", "", ""],
    ["tin", "emperor", "", ""],
    ["urn", "", "lately", ""],
    ["bag", "", "", "perhaps"],
]


def test_products_say_for_whom_and_since_when_they_are(sqlite_url: str, tmp_path: Path) -> None:
    file = write(tmp_path / "products.csv", OFFERED[0], *OFFERED[1:])
    rejects = tmp_path / "rejects.csv"
    connected(sqlite_url, define_gold)
    arguments = ("import-products", file, "--time-zone", "Asia/Tokyo", "--rejects", rejects)
    result = invoke(sqlite_url, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "6 rows: 3 imported (3 new, 0 changed), 3 rejected" in result.stdout
    products = look(sqlite_url, "SELECT code, level_code, introduced_at, active FROM product")
    assert sorted(
        (
            row["code"],
            row["level_code"],
            row["introduced_at"] and row["introduced_at"].isoformat(),
            row["active"],
        )
        for row in products
    ) == [
        ("cup", None, "2026-02-01T08:00:00+00:00", False),
        ("pot", None, None, True),
        ("tea", "gold", "2026-01-31T15:00:00+00:00", True),
    ]
    written = list(csv.DictReader(rejects.read_text(encoding="utf-8").splitlines()))
    assert [(row["reject_code"], row["reject_reason"]) for row in written] == [
        ("LEVEL_INVALID", "level is not one of the levels: base, gold"),
        ("DATE_INVALID", "introduced is not a date since 1970"),
        ("ACTIVE_INVALID", "active is yes or no"),
    ]


async def define_gold() -> None:
    base = LevelDefinition(code="base", rank=0, name_zh="普通", name_en="Base", threshold=0)
    gold = LevelDefinition(code="gold", rank=1, name_zh="黄金", name_en="Gold", threshold=1)
    await define_levels([base, gold], perks=[], now=NOW)
