"""The notation of the worked examples of docs/ledger.md, read into values.

An example is a table below a heading; its first columns are `when`, `command` and `entry`. Moments
are local to Asia/Shanghai; a date alone is the midnight that begins the day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.ledger import NEVER
from tests.repository.tree import ROOT

PAGE = (ROOT / "docs" / "ledger.md").read_text()
SHANGHAI = ZoneInfo("Asia/Shanghai")

BY_ITSELF = "by itself"
"""The command of an entry that time wrote."""

LOOK = "look"
"""The command of a row that tells what a reader is shown, whatever has been written."""

LOOK_BACK = r"look as of (?P<as_of>[^a-z]+?)(?: known at (?P<known_at>.+))?"
"""Of one that tells what a reader is shown of the past."""

MERGE = r"(?P<what>merge|part) (?P<loser>\w+) (?:into|from) (?P<keeper>\w+)"
"""Of one that joins two accounts, or parts them again; the entries follow in rows of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of an example: its cells by the name of their column, empty where there is none."""

    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def when(self) -> datetime:
        """When it is done, or when it takes effect by itself."""
        return moment(self["when"])

    @property
    def member(self) -> str:
        """Whose journal the row is about."""
        return self["member"] or "Alice"

    @property
    def entry(self) -> tuple[int, str, int] | None:
        """Number, kind and amount of the entry, where the row tells of one."""
        told = re.fullmatch(r"(\d+) ([A-Z_]+) ([+-]\d+)", self["entry"])
        return (int(told[1]), told[2], int(told[3])) if told else None

    @property
    def replayed(self) -> int | None:
        """The number of the entry that a command is answered with again."""
        told = re.fullmatch(r"again (\d+)", self["entry"])
        return int(told[1]) if told else None

    @property
    def effective_at(self) -> datetime:
        """When its entry takes effect."""
        backdated = re.search(r" as of ([^,]+)", self["command"])
        return moment(backdated[1]) if backdated else self.when

    @property
    def reverses(self) -> int | None:
        """The entry that its entry undoes."""
        undone = re.search(r"(?:take|give) back \d+ of entry (\d+)", self["command"])
        return int(undone[1]) if undone else None

    @property
    def balances(self) -> tuple[int, ...]:
        """Available, pending, held and debt after it; what the example has no column for is 0."""
        return tuple(
            int(self[column]) if column in self.cells else 0
            for column in ("available", "pending", "held", "debt")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked example: the headings above its table, and its rows."""

    title: str
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        return self.title


def examples() -> list[Example]:
    """Every worked example of the page, in order."""
    found = []
    heading, number = "", 0
    for block in re.split(r"\n\n+", PAGE):
        if block.startswith("#"):
            heading, number = block.lstrip("# ").splitlines()[0], 0
        if block.startswith("| when | command | entry |"):
            number += 1
            title = heading if number == 1 else f"{heading} ({number})"
            found.append(Example(title=title, rows=tuple(_rows(block))))
    return found


def table(header: str) -> list[list[str]]:
    """The rows of the page's only table with this header, as their cells."""
    [block] = [block for block in re.split(r"\n\n+", PAGE) if block.startswith(header)]
    return [_cells(line) for line in block.splitlines()[2:]]


def _rows(block: str) -> Iterator[Row]:
    header, _, *lines = block.splitlines()
    columns = _cells(header)
    for line in lines:
        cells = _cells(line)
        assert len(cells) == len(columns), line
        row = Row(cells=dict(zip(columns, cells, strict=True)))
        # Nothing is told that is compared with nothing.
        silent = {"soon", "because"} if row.entry else {"takes", "makes", "pins", "recorded"}
        assert not any(row[column] for column in silent), line
        yield row


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def moment(text: str) -> datetime:
    """A moment of the notation, in UTC."""
    if text == "never":
        return NEVER
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)
