"""The journal of erasures: every line stands once it is written, whatever came before it."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from domain.files import ErasureJournal, JournalUnreadable

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE, TWO, THREE = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "beside" / "erasures.jsonl"


def test_it_is_read_in_the_order_in_which_it_was_written(path: Path) -> None:
    journal = ErasureJournal(path)
    assert list(journal.members()) == []
    journal.append([TWO], now=NOW)
    journal.append([ONE, TWO], now=NOW)
    assert list(ErasureJournal(path).members()) == [TWO, ONE]
    assert path.read_text().splitlines()[0] == (
        '{"member":"00000000-0000-0000-0000-000000000002","at":"2026-03-01T12:00:00Z"}'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_that_was_cut_off_takes_no_other_along(path: Path) -> None:
    journal = ErasureJournal(path)
    journal.append([ONE], now=NOW)
    with path.open("ab") as file:
        file.write(b'{"member":"00000000-')
    assert list(journal.members()) == [ONE]
    journal.append([THREE], now=NOW)
    assert list(journal.members()) == [ONE, THREE]


@pytest.mark.parametrize("line", ["nonsense", "[]", "{}", '{"member":7}', '{"member":"x"}', ""])
def test_a_line_that_is_not_ours_is_named(path: Path, line: str) -> None:
    journal = ErasureJournal(path)
    journal.append([ONE], now=NOW)
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(JournalUnreadable, match="line 2: no erasure"):
        list(journal.members())
