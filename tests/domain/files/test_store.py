"""The store: a file is there when it is whole, and not before."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.files import FileStore

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


def test_a_file_is_found_when_it_is_whole(store: FileStore) -> None:
    with store.writing("one.zip") as file:
        file.write(b"half")
        assert store.find("one.zip") is None
    found = store.find("one.zip")
    assert found is not None
    assert found.read_bytes() == b"half"
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert stat.S_IMODE(found.parent.stat().st_mode) == 0o700


def fail_in_the_middle(store: FileStore) -> None:
    with store.writing("one.zip") as file:
        file.write(b"the second")
        raise ZeroDivisionError


def test_what_fails_leaves_nothing_and_spoils_nothing(store: FileStore) -> None:
    with store.writing("one.zip") as file:
        file.write(b"the first")
    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle(store)
    found = store.find("one.zip")
    assert found is not None
    assert found.read_bytes() == b"the first"
    assert store.names(before=LATER) == ["one.zip"]


def test_what_is_deleted_is_gone_finished_or_not(store: FileStore) -> None:
    assert store.names(before=LATER) == []
    store.delete("one.zip")
    with store.writing("one.zip"):
        pass
    (store.folder / "two.zip.part").touch()
    assert store.names(before=LATER) == ["one.zip", "two.zip"]
    assert store.names(before=LATER - timedelta(days=2)) == []
    store.delete("one.zip")
    store.delete("two.zip")
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A.zip", ".x", "a.b.c", "a b", "é"])
def test_no_name_leads_out_of_the_folder(store: FileStore, name: str) -> None:
    with pytest.raises(AssertionError, match="no name of a file"):
        store.find(name)
