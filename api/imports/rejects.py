"""Rows that were not imported, and why: kept while a file is read, written out at the end."""

from __future__ import annotations

import csv
import os
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from api.imports.cells import marked
from api.imports.reading import SourceFile


class RejectCode(StrEnum):
    """Why a row was not imported. Refusals of the domain add their own codes to these."""

    COLUMN_COUNT = "COLUMN_COUNT"
    ORDER_MISSING = "ORDER_MISSING"
    LINE_MISSING = "LINE_MISSING"
    LINE_REPEATED = "LINE_REPEATED"
    MEMBER_MISSING = "MEMBER_MISSING"
    MEMBERS_DIFFER = "MEMBERS_DIFFER"
    GUEST = "GUEST"
    PRODUCT_MISSING = "PRODUCT_MISSING"
    QUANTITY_MISSING = "QUANTITY_MISSING"
    QUANTITY_INVALID = "QUANTITY_INVALID"
    AMOUNT_MISSING = "AMOUNT_MISSING"
    AMOUNT_INVALID = "AMOUNT_INVALID"
    PRICE_ZERO = "PRICE_ZERO"
    DATE_MISSING = "DATE_MISSING"
    DATE_INVALID = "DATE_INVALID"
    FUTURE_DATED = "FUTURE_DATED"
    TEXT_INVALID = "TEXT_INVALID"
    ACTIVE_INVALID = "ACTIVE_INVALID"
    LINES_INVALID = "LINES_INVALID"
    IDENTITY_REFUSED = "IDENTITY_REFUSED"
    PHONE_INVALID = "PHONE_INVALID"
    GENDER_INVALID = "GENDER_INVALID"
    INTERESTS_INVALID = "INTERESTS_INVALID"
    LEVEL_INVALID = "LEVEL_INVALID"
    POINTS_INVALID = "POINTS_INVALID"
    LOTS_INVALID = "LOTS_INVALID"
    DEBT = "DEBT"
    ROWS_DIFFER = "ROWS_DIFFER"
    MEMBER_REJECTED = "MEMBER_REJECTED"


@dataclass(frozen=True, slots=True)
class Reject:
    """Why a row is refused: a stable code, and a sentence for the person who mends the file."""

    code: str
    reason: str


class Rejects:
    """The rejected rows of one run; on disk where they are many, so that memory does not grow."""

    def __init__(self) -> None:
        # The empty name is a private database that SQLite spills to a temporary file, already
        # unlinked: nothing is left behind even by a killed process.
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = OFF")
        self._store.execute("CREATE TABLE reject (row INTEGER PRIMARY KEY, code TEXT, reason TEXT)")
        self.by_code: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many rows are rejected."""
        return self.by_code.total()

    def add(self, rows: Iterable[tuple[int, Reject]]) -> None:
        """Reject these rows, each by its number; none may be rejected twice."""
        batch = list(rows)
        self._store.executemany(
            "INSERT INTO reject VALUES (?, ?, ?)",
            ((row, reject.code, reject.reason) for row, reject in batch),
        )
        self.by_code.update(reject.code for _, reject in batch)

    def write(self, path: Path, source: SourceFile) -> None:
        """Write row number, code, reason and the row as it stands, in the order of the file; a cell
        that a spreadsheet would compute is marked as text.

        The columns are `row`, `code`, `reason` and those of the file; where the file has one of
        these names itself, ours are `reject_row`, `reject_code`, `reject_reason`. The rows are read
        again from their file. Without rejects the path is removed, so that what lies there is
        always of the last run. Nobody but the user who runs this may read it: the rows may hold
        phone numbers.
        """
        if not self.count:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        reasons = self._store.execute("SELECT row, code, reason FROM reject ORDER BY row")
        originals = source.originals(self._numbers())
        descriptor = _open_for_us_alone(path)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*_own_columns(source), *map(marked, source.columns)])
            for (row, code, reason), (original, values) in zip(reasons, originals, strict=True):
                assert row == original, "the file did not change while it was imported"
                cells = ["" if value is None else marked(value) for value in values]
                writer.writerow([row, code, marked(reason), *cells])

    def close(self) -> None:
        """Forget everything."""
        self._store.close()

    def _numbers(self) -> Iterator[int]:
        for (row,) in self._store.execute("SELECT row FROM reject ORDER BY row"):
            yield row


def _open_for_us_alone(path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        # One that lies there of an earlier run keeps its mode when it is opened.
        os.fchmod(descriptor, 0o600)
    return descriptor


def _own_columns(source: SourceFile) -> list[str]:
    names = ["row", "code", "reason"]
    return [f"reject_{name}" for name in names] if set(names) & set(source.columns) else names
