"""Both sides of a reconciliation: our file of a day, and what the partner makes of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from domain import games
from domain.files import FileStore
from domain.games import Compared, Difference, Reconciliation, Upload, compare_upload
from domain.paging import PageRequest
from domain.storage import fetch_all
from tests.domain.games.arcade import Arcade

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 3, 1)
"""The day of NOW, of which four hours are left."""

AFTERWARDS = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
"""Two o'clock of the next day."""

Row = dict[str, Any]


async def write(
    arcade: Arcade, files: FileStore, *, day: date = DAY, again: bool = False
) -> Reconciliation:
    """The day's reconciliation, written now."""
    made = await games.write_reconciliation(
        arcade.partner, day, files=files, zone=ZONE, now=AFTERWARDS, again=again
    )
    assert made is not None
    return made


def rows_of(files: FileStore, reconciliation: Reconciliation) -> list[Row]:
    """The lines of our file."""
    path = files.find(reconciliation.file_name)
    assert path is not None
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def lines_of(rows: Iterable[Row]) -> bytes:
    """A file of these lines, as they come."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


async def compare(
    reconciliation: Reconciliation, content: bytes, files: FileStore, *, minutes: int = 0
) -> Compared:
    """What comparing this content leads to."""
    upload = Upload(file=io.BytesIO(content), sha256=hashlib.sha256(content).hexdigest())
    now = AFTERWARDS + timedelta(hours=1, minutes=minutes)
    return await compare_upload(reconciliation, upload, files=files, now=now)


async def differences(reconciliation: Reconciliation) -> list[Difference]:
    """All that are kept."""
    page = await games.differences_of(reconciliation.id, PageRequest(first=20_000))
    return list(page.items)


async def kept(reconciliation: Reconciliation) -> Reconciliation:
    """The day as it stands now."""
    found = await games.find_reconciliation(reconciliation.partner_id, reconciliation.day)
    assert found is not None
    return found


async def ready() -> list[dict[str, Any]]:
    """What was announced of files."""
    rows = await fetch_all("SELECT * FROM outbox WHERE kind = 'ReconciliationReady' ORDER BY seq")
    return [orjson.loads(row["payload"]) for row in rows]


def names_in(files: FileStore) -> list[str]:
    """Everything in the store."""
    return files.names(before=datetime(9999, 1, 1, tzinfo=UTC))


def without(rows: list[Row], drop: Callable[[Row], bool]) -> list[Row]:
    """The rows but for those."""
    return [row for row in rows if not drop(row)]
