"""A day with very many items: the file, what differs of it, and the memory that either takes.

The short form has 5,000 items and reads a few at a time, the full one 100,000 as it really does.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from domain.access import KeyRing
from domain.files import FileStore, sorted_lines
from domain.games import (
    Difference,
    DifferenceKind,
    Reconciliation,
    reconciliation_differences,
    reconciliation_uploads,
    reconciling,
)
from domain.storage import dialect
from tests.closing import ClosingReport
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import Arcade, open_arcade
from tests.domain.games.books import Row, compare, differences, kept, lines_of, rows_of, write

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring
T = TypeVar("T")

PEOPLE = tuple(f"m{number}" for number in range(10))
BATCH = 500
EVERY = 50
"""One item in so many is planted with a discrepancy, of each class in turn."""


async def push_a_day(arcade: Arcade, items: int) -> int:
    """Grants of 1 to 9 points, not in the order of their ids; what they come to."""
    for begin in range(0, items, BATCH):
        numbers = range(begin, min(begin + BATCH, items))
        batch = await arcade.push(
            f"b{begin}",
            *(
                arcade.item(f"{number * 7_919 % items:06}", PEOPLE[number % 10], 1 + number % 9)
                for number in numbers
            ),
        )
        assert batch.counts.applied == len(numbers)
    return sum(1 + number % 9 for number in range(items))


def planted(rows: list[Row]) -> tuple[list[Row], list[Difference]]:
    """What the partner has instead, and what must be found of it: nothing more, nothing less."""
    theirs: list[Row] = []
    expected: list[Difference] = []
    for place, row in enumerate(rows):
        name, points = row["externalId"], row["points"]
        ours = f"GRANT {points} APPLIED"
        kind: DifferenceKind | None = None
        their_row: Row | None = row
        told = ours
        match place % (4 * EVERY):
            case 0:
                kind, their_row = DifferenceKind.MISSING_THERE, None
            case 50:
                kind, their_row = DifferenceKind.AMOUNT_MISMATCH, {**row, "points": points + 1}
                told = f"GRANT {points + 1} APPLIED"
            case 100:
                kind, their_row = DifferenceKind.STATUS_MISMATCH, {**row, "status": "REJECTED"}
                told = f"GRANT {points} REJECTED"
            case 150:
                # Behind this one in the order, and never pushed.
                extra = f"{name}+"
                theirs += [row, {**row, "externalId": extra}]
                here = DifferenceKind.MISSING_HERE
                expected.append(Difference(external_id=extra, kind=here, ours=None, theirs=ours))
                continue
        if their_row is not None:
            theirs.append(their_row)
        if kind is not None:
            seen = None if their_row is None else told
            expected.append(Difference(external_id=name, kind=kind, ours=ours, theirs=seen))
    return theirs, expected


async def peak_of(work: Callable[[], Awaitable[T]]) -> tuple[T, int]:
    """What the work answers, and the bytes that Python held at most beyond what it held before."""
    tracemalloc.start()
    try:
        answer = await work()
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return answer, highest


@pytest.mark.soak
async def test_a_long_day(
    ring: KeyRing,
    database: str,
    tmp_path: Path,
    full_form: bool,
    report: ClosingReport,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    items, memory_max = (100_000, 12_000_000) if full_form else (5_000, 750_000)
    if not full_form:
        monkeypatch.setattr(reconciling, "ROWS_AT_ONCE", 100)
        monkeypatch.setattr(sorted_lines, "RUN_LINES", 100)
        monkeypatch.setattr(reconciliation_differences, "LOOKED_AT_ONCE", 100)
        monkeypatch.setattr(reconciliation_uploads, "_WRITTEN_AT_ONCE", 50)
    arcade = await open_arcade(ring, *PEOPLE)
    points = await push_a_day(arcade, items)
    files = FileStore(tmp_path / "reconciliation")

    made, of_writing = await peak_of(lambda: write(arcade, files))
    assert (made.items, made.points) == (items, points)
    rows = rows_of(files, made)
    assert [row["externalId"] for row in rows] == [f"{number:06}" for number in range(items)]

    theirs, expected = planted(rows)
    content = lines_of(theirs)
    compared, of_comparing = await peak_of(lambda: compare(made, content, files))
    assert await differences(made) == expected
    assert {*compared.by_kind.values()} == {items // (4 * EVERY)}
    assert (await kept(made)).differences == len(expected) == items // EVERY

    assert max(of_writing, of_comparing) < memory_max, (of_writing, of_comparing)
    size = _size(files, made)
    assert size > (17_000_000 if full_form else 850_000)
    report.notes.append(
        f"a day of {items:,} items, {size:,} bytes ({dialect()}): {of_writing:,} bytes of memory "
        f"to write it, {of_comparing:,} to compare it"
    )


def _size(files: FileStore, made: Reconciliation) -> int:
    path = files.find(made.file_name)
    assert path is not None
    return path.stat().st_size
