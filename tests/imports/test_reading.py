"""CSV and Parquet files as rows of text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from api.imports.reading import CsvForm, SourceFile, UnusableFile, open_source


def csv_file(folder: Path, content: bytes, **form: str) -> SourceFile:
    path = folder / "file.csv"
    path.write_bytes(content)
    return open_source(path, csv_form=CsvForm(**form))


def parquet_file(folder: Path, **columns: Any) -> SourceFile:
    path = folder / "file.parquet"
    parquet.write_table(pa.table(columns), path)
    return open_source(path, csv_form=CsvForm())


def rows(source: SourceFile, *columns: str) -> list[list[str | None] | None]:
    chosen: Sequence[str] = columns or source.columns
    return [
        None if values is None else list(values)
        for chunk in source.chunks(chosen)
        for values in chunk
    ]


def test_csv_with_quotes_line_feeds_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    content = '\ufeffa, b ,c\r\n1,"x, ""y""\nz",3\r\n\r\n4,,6\r\n'.encode()
    source = csv_file(tmp_path, content)
    assert (source.columns, source.rows_total) == (["a", "b", "c"], None)
    assert rows(source) == [["1", 'x, "y"\nz', "3"], ["4", "", "6"]]
    assert rows(source, "c", "a") == [["3", "1"], ["6", "4"]]


def test_csv_rows_of_another_width_have_no_values(tmp_path: Path) -> None:
    source = csv_file(tmp_path, b"a,b\n1\n1,2\n1,2,3\n")
    assert rows(source) == [None, ["1", "2"], None]
    assert list(source.originals([1, 3])) == [(1, ["1"]), (3, ["1", "2", "3"])]


def test_csv_bytes_that_are_no_text_are_kept_as_they_are(tmp_path: Path) -> None:
    source = csv_file(tmp_path, b"a\n\xff\xfe\n\x00\n")
    assert rows(source) == [["\udcff\udcfe"], ["\0"]]
    [(_, original)] = source.originals([1])
    assert original[0] is not None
    assert original[0].encode("utf-8", "surrogateescape") == b"\xff\xfe"


def test_csv_in_another_encoding_and_with_another_delimiter(tmp_path: Path) -> None:
    content = "会员;金额\n张三;12.5\n".encode("gb18030")
    source = csv_file(tmp_path, content, encoding="gb18030", delimiter=";")
    assert source.columns == ["会员", "金额"]
    assert rows(source) == [["张三", "12.5"]]


@pytest.mark.parametrize(
    ("content", "form", "complaint"),
    [
        (b"", {}, "the file is empty"),
        (b"\n\n", {}, "there is no header line"),
        (b"a\n1\n", {"encoding": "utf-99"}, "'utf-99' is no text encoding"),
        (b"a\n1\n", {"delimiter": "ab"}, "'ab' is no delimiter"),
        (b"a,b\n1,2\n\xff", {"encoding": "utf-16"}, "after row 0"),
        (b'a,b\n1,2\n1,"' + b"x" * 200_000, {}, "after row 1: field larger than field limit"),
        (b"PAR1 and nothing else", {}, "not a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_unusable(
    tmp_path: Path, content: bytes, form: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UnusableFile, match=complaint):
        rows(csv_file(tmp_path, content, **form))


def test_a_path_that_is_no_file_is_unusable(tmp_path: Path) -> None:
    for path, complaint in ((tmp_path, "Is a directory"), (tmp_path / "no", "No such file")):
        with pytest.raises(UnusableFile, match=complaint):
            open_source(path, csv_form=CsvForm())


def test_parquet_values_are_their_exact_shortest_text(tmp_path: Path) -> None:
    moment = datetime(2017, 1, 28, 19, 6, 53, tzinfo=UTC)
    source = parquet_file(
        tmp_path,
        text=["Ünï 中", None],
        code=pa.array(["a", "b"]).dictionary_encode(),
        whole=pa.array([17850.0, 1.0]),
        price=pa.array([3.86, 4.440892e-16]),
        single=pa.array([3.86, 0.001], pa.float32()),
        exact=pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
        number=pa.array([2**62, -1]),
        naive=pa.array([moment.replace(tzinfo=None), None], pa.timestamp("us")),
        aware=pa.array([moment, None], pa.timestamp("ns", "Asia/Shanghai")),
        day=[date(2017, 1, 28), None],
        nothing=pa.nulls(2),
    )
    assert source.rows_total == 2
    assert rows(source) == [
        [
            *("Ünï 中", "a", "17850", "3.86", "3.86", "1.10", "4611686018427387904"),
            *("2017-01-28 19:06:53.000000", "2017-01-29 03:06:53.000000000+0800", "2017-01-28"),
            None,
        ],
        [None, "b", "1", "4.440892e-16", "0.001", None, "-1", None, None, None, None],
    ]


def test_parquet_rows_are_found_again_by_their_numbers(tmp_path: Path) -> None:
    source = parquet_file(
        tmp_path, n=pa.array(range(1, 20_001)), twice=pa.array(range(2, 40_002, 2))
    )
    assert len(rows(source, "n")) == 20_000
    wanted = [1, 8_192, 8_193, 16_384, 20_000]
    assert list(source.originals(wanted)) == [(n, (str(n), str(2 * n))) for n in wanted]
    assert list(source.originals([])) == []


def test_parquet_bytes_that_are_no_text_are_kept_as_they_are(tmp_path: Path) -> None:
    binary = pa.array([b"\xff", b"ok", None], pa.binary())
    assert rows(parquet_file(tmp_path, a=binary)) == [["\udcff"], ["ok"], [None]]
    # A column that claims to be text.
    claimed = pa.Array.from_buffers(pa.string(), 3, binary.buffers())
    assert rows(parquet_file(tmp_path, a=claimed)) == [["\udcff"], ["ok"], [None]]


def test_parquet_columns_of_lists_are_unusable_only_when_they_are_mapped(tmp_path: Path) -> None:
    source = parquet_file(tmp_path, plain=["a"], nested=pa.array([[1, 2]]))
    assert rows(source, "plain") == [["a"]]
    with pytest.raises(UnusableFile, match="'nested' holds list<"):
        rows(source, "nested")
    # The file of rejects shows them all the same.
    assert list(source.originals([1])) == [(1, ("a", "[1, 2]"))]
