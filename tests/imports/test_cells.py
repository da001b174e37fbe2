"""Cells that a spreadsheet would compute: written as text, and read as what they were."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.imports.cells import marked, unmarked
from api.imports.reading import CsvForm, open_source
from tests.imports.moving import import_members, prepare, write
from tests.imports.test_member_export import export, listed

FORMULAS = {
    "=cmd|'/c calc'!A1": "'=cmd|'/c calc'!A1",
    "+8613800138000": "'+8613800138000",
    "-2+3": "'-2+3",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    "\n=1": "'\n=1",
    "\uff1d1": "'\uff1d1",
    # What looks marked already gets one more, so that it comes back.
    "'=1": "''=1",
    "''@": "'''@",
    # No formula.
    "-5": "-5",
    "-5.25": "-5.25",
    "小明": "小明",
    "'tis": "'tis",
    "a=b": "a=b",
    "": "",
}


@pytest.mark.parametrize(("meant", "written"), FORMULAS.items())
def test_a_formula_is_written_as_text(meant: str, written: str) -> None:
    assert marked(meant) == written
    assert unmarked(written) == meant


@given(st.text(alphabet="'=+-@\t\r\n5. a小", max_size=6))
def test_what_is_written_is_read_as_it_was(text: str) -> None:
    written = marked(text)
    assert unmarked(written) == text
    assert written[:1] not in ("=", "+", "@", "\t", "\r", "\n")


def test_cells_of_any_csv_file_are_read_so(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a,'=b\n'=1,-5\n'tis,'+86\n", encoding="utf-8")
    source = open_source(file, csv_form=CsvForm())
    assert source.columns == ["a", "=b"]
    assert list(source.chunks(["a", "=b"])) == [[["=1", "-5"], ["'tis", "+86"]]]
    assert list(source.originals([2])) == [(2, ["'tis", "+86"])]


NICKNAMES = ["=cmd|'/c calc'!A1", "@home", "+1", "-1+2", "'=1", "'tis"]


async def test_a_nickname_is_no_formula_and_comes_back(
    sqlite_url: str, postgres_url: str, tmp_path: Path
) -> None:
    await prepare(sqlite_url)
    await prepare(postgres_url)
    given = [
        {"external_id": f"C-{at}", "nickname": marked(name), "phone": f"1380013800{at}"}
        for at, name in enumerate(NICKNAMES)
    ]
    await import_members(sqlite_url, write(tmp_path / "old.csv", given))
    before = await listed(sqlite_url)
    names = sorted(NICKNAMES)
    assert [one.newcomer.member.nickname for one in before] == names
    for ending in ("csv", "parquet"):
        await export(sqlite_url, tmp_path / f"new.{ending}")
    with (tmp_path / "new.csv").open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert sorted(row["nickname"] for row in rows) == sorted(map(marked, names))
    assert sorted(row["phone"] for row in rows) == [f"'+861380013800{at}" for at in range(6)]
    assert not [cell for row in rows for cell in row.values() if cell[:1] in tuple("=+@")]
    # Parquet has types, and no spreadsheet reads it so.
    parquet = open_source(tmp_path / "new.parquet", csv_form=CsvForm())
    [told] = parquet.chunks(["nickname"])
    assert sorted(str(row[0]) for row in told if row) == names

    await import_members(postgres_url, tmp_path / "new.csv")
    assert await listed(postgres_url) == before


async def test_a_rejected_row_is_no_formula_and_comes_back(sqlite_url: str, tmp_path: Path) -> None:
    await prepare(sqlite_url)
    bad = [{"external_id": "C-1", "nickname": "=1+1", "phone": "12"}]
    file = write(tmp_path / "old.csv", bad)
    for turn in ("once", "again"):
        rejects = tmp_path / f"{turn}.csv"
        await import_members(sqlite_url, file, rejects=rejects)
        with rejects.open(encoding="utf-8", newline="") as opened:
            [row] = csv.DictReader(opened)
        assert (row["code"], row["nickname"], row["phone"]) == ("PHONE_INVALID", "'=1+1", "12")
        file = rejects
