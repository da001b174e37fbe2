"""A day that is four times as long takes no more memory, to write it as to compare it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from domain.access import KeyRing
from domain.files import FileStore, sorted_lines
from domain.games import reconciliation_differences, reconciliation_uploads, reconciling
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import open_arcade
from tests.domain.games.books import compare, lines_of, rows_of, write
from tests.domain.games.test_reconciliation_of_a_long_day import (
    EVERY,
    PEOPLE,
    peak_of,
    planted,
    push_a_day,
)

pytestmark = pytest.mark.usefixtures("database")
key_path = access.key_path
ring = access.ring

LONGER: Final = 4
MORE_MAX: Final = 1.2
ROOM: Final = 16_000
"""Bytes: far less than the items are more, for whatever the interpreter keeps of its own."""


@pytest.mark.soak
async def test_the_memory_of_a_day_does_not_grow_with_it(
    ring: KeyRing,
    tmp_path: Path,
    *,
    full_form: bool,
    monkeypatch: pytest.MonkeyPatch,
    tally: Callable[[str, int, int], None],
) -> None:
    """Read in the same pieces, which are small beside the shorter day already.

    So are the differences that are kept; all are counted.
    """
    short, run, piece = (25_000, 1_000, 500) if full_form else (1_000, 100, 25)
    monkeypatch.setattr(reconciling, "ROWS_AT_ONCE", piece)
    monkeypatch.setattr(sorted_lines, "RUN_LINES", run)
    monkeypatch.setattr(reconciliation_differences, "LOOKED_AT_ONCE", piece)
    monkeypatch.setattr(reconciliation_uploads, "_WRITTEN_AT_ONCE", piece)
    monkeypatch.setattr(reconciliation_uploads, "DIFFERENCES_KEPT", piece // 5)
    files = FileStore(tmp_path / "reconciliation")
    peaks = {}
    for items in (EVERY * LONGER, short, LONGER * short):  # The first one warms everything up.
        name = f"arcade-{items}"
        arcade = await open_arcade(ring, *(f"{name}-{who}" for who in PEOPLE), code=name)
        arcade.people = dict(zip(PEOPLE, arcade.people.values(), strict=True))
        await push_a_day(arcade, items)
        made, of_writing = await peak_of(partial(write, arcade, files))
        content = lines_of(planted(rows_of(files, made))[0])
        told, of_comparing = await peak_of(partial(compare, made, content, files))
        assert sum(told.by_kind.values()) == items // EVERY
        peaks[items] = (of_writing, of_comparing)
    for once, longer in zip(peaks[short], peaks[LONGER * short], strict=True):
        assert longer < MORE_MAX * once + ROOM, peaks
    tally("items of a day whose memory is that of a quarter of it", LONGER * short, LONGER * short)
