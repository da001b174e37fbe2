"""Reading CSV and Parquet files: rows of text, in chunks, whatever the size of the file.

A value is text or None, whichever format it comes from. A Parquet value is read as its exact
shortest text (`3.86`, `2017-01-28 19:06:53.000000`), so that one parser serves both formats and no
binary fraction enters an amount. Bytes that are no text of the file's encoding are kept as lone
surrogates, which the parser refuses and the file of rejects writes back as they were. An apostrophe
that keeps a cell of a CSV file from being computed is no part of the value (see `cells`).

Rows are numbered from 1, the header and blank lines not counted.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from api.imports.cells import unmarked

Values: TypeAlias = Sequence[str | None]

_CHUNK_ROWS = 8_192
_PARQUET_MAGIC = b"PAR1"


class UnusableFile(Exception):
    """The file as a whole cannot be imported; says why in one line. Nothing was changed."""


class SourceFile(Protocol):
    """A file of rows with named columns."""

    columns: Sequence[str]
    rows_total: int | None
    """How many rows there are, where the format tells before they are read."""

    def chunks(self, columns: Sequence[str]) -> Iterator[list[Values | None]]:
        """All rows in order, the values of the given columns; None for a row of another width."""
        ...

    def originals(self, rows: Iterable[int]) -> Iterator[tuple[int, Values]]:
        """The rows of these numbers, which ascend, each with all its values as they stand."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvForm:
    """How a CSV file is written. A byte order mark is skipped."""

    encoding: str = "utf-8"
    delimiter: str = ","


def open_source(path: Path, *, csv_form: CsvForm) -> SourceFile:
    """The file as rows; it is Parquet if it begins as Parquet does, CSV otherwise."""
    if len(csv_form.delimiter) != 1:
        raise UnusableFile(f"{csv_form.delimiter!r} is no delimiter: it must be one character")
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_PARQUET_MAGIC))
    except OSError as failure:
        raise UnusableFile(f"{path}: {failure.strerror or failure}") from failure
    if not beginning:
        raise UnusableFile(f"{path}: the file is empty")
    if beginning == _PARQUET_MAGIC:
        return ParquetSource(path)
    return CsvSource(path, csv_form)


class CsvSource:
    """A CSV file with a header line."""

    columns: Sequence[str]
    rows_total: int | None = None

    def __init__(self, path: Path, form: CsvForm) -> None:
        self._path, self._form = path, form
        records = self._records()
        header = next(records, None)
        if header is None:
            raise UnusableFile(f"{path}: there is no header line")
        records.close()
        self.columns = [name.strip() for name in header]

    def _records(self) -> Any:
        """All records, the header among them; blank lines are none."""
        encoding = "utf-8-sig" if self._form.encoding.lower() == "utf-8" else self._form.encoding
        number = -1
        try:
            with self._path.open(encoding=encoding, errors="surrogateescape", newline="") as file:
                for record in csv.reader(file, delimiter=self._form.delimiter):
                    if record:
                        number += 1
                        yield [unmarked(cell) for cell in record]
        except (csv.Error, UnicodeError) as failure:
            raise UnusableFile(f"{self._path}: after row {max(number, 0)}: {failure}") from failure
        except LookupError as failure:
            raise UnusableFile(f"{self._form.encoding!r} is no text encoding") from failure

    def _rows(self) -> Iterator[list[str]]:
        records: Iterator[list[str]] = self._records()
        next(records)
        return records

    def chunks(self, columns: Sequence[str]) -> Iterator[list[Values | None]]:
        """See SourceFile."""
        width = len(self.columns)
        picked = [self.columns.index(name) for name in columns]
        chunk: list[Values | None] = []
        for record in self._rows():
            chunk.append([record[at] for at in picked] if len(record) == width else None)
            if len(chunk) == _CHUNK_ROWS:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def originals(self, rows: Iterable[int]) -> Iterator[tuple[int, Values]]:
        """See SourceFile."""
        wanted = iter(rows)
        row = next(wanted, None)
        for number, record in enumerate(self._rows(), start=1):
            if row is None:
                return
            if number == row:
                yield number, record
                row = next(wanted, None)


class ParquetSource:
    """A Parquet file of plain columns."""

    columns: Sequence[str]
    rows_total: int | None

    def __init__(self, path: Path) -> None:
        # Only the imports that read Parquet pay for loading it.
        import pyarrow as pa
        from pyarrow import parquet

        self._path = path
        try:
            self._file = parquet.ParquetFile(path)
        except (pa.ArrowException, OSError) as failure:
            raise UnusableFile(f"{path}: not a Parquet file: {_first_line(failure)}") from failure
        self.columns = list(self._file.schema_arrow.names)
        self.rows_total = self._file.metadata.num_rows

    def _batches(self, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        try:
            yield from self._file.iter_batches(batch_size=_CHUNK_ROWS, columns=list(columns))
        except (pa.ArrowException, OSError) as failure:
            raise UnusableFile(f"{self._path}: damaged: {_first_line(failure)}") from failure

    def chunks(self, columns: Sequence[str]) -> Iterator[list[Values | None]]:
        """See SourceFile."""
        for batch in self._batches(columns):
            texts = [self._texts(batch.column(name), name) for name in columns]
            yield list(zip(*texts, strict=True))

    def originals(self, rows: Iterable[int]) -> Iterator[tuple[int, Values]]:
        """See SourceFile."""
        wanted = iter(rows)
        row = next(wanted, None)
        done = 0
        for batch in self._batches(self.columns):
            here = []
            while row is not None and row <= done + batch.num_rows:
                here.append(row)
                row = next(wanted, None)
            if here:
                picked = batch.take([number - done - 1 for number in here])
                texts = [_shown(picked.column(name)) for name in self.columns]
                yield from zip(here, zip(*texts, strict=True), strict=True)
            done += batch.num_rows

    def _texts(self, column: Any, name: str) -> list[str | None]:
        """The column's values as texts."""
        import pyarrow as pa

        try:
            return _texts(column)
        except pa.ArrowNotImplementedError as failure:
            raise UnusableFile(
                f"{self._path}: column {name!r} holds {column.type}, not plain values"
            ) from failure


def _texts(column: Any) -> list[str | None]:
    """Plain values as texts; ArrowNotImplementedError where they are lists and the like."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        texts: list[str | None] = column.cast(pa.large_string()).to_pylist()
    except (pa.ArrowInvalid, UnicodeDecodeError):
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if v is None else v.decode(errors="surrogateescape") for v in raw]
    return texts


def _shown(column: Any) -> list[str | None]:
    """Any values as texts, for people: a column that is not imported may hold lists."""
    import pyarrow as pa

    try:
        return _texts(column)
    except pa.ArrowNotImplementedError:
        return [None if value is None else str(value) for value in column.to_pylist()]


def _first_line(failure: BaseException) -> str:
    return str(failure).partition("\n")[0]
