"""A member asks for all that is held of them, and fetches it once.

The use case only writes down that it is wanted; a job writes the file (`archive`). The link that
leads to the file is good once, for a day.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import members
from domain.custody.requests import Asked, answer_once
from domain.errors import ExportLimitReached
from domain.files import FileStore
from domain.outbox import Event, announce
from domain.storage import Row, execute, fetch_all, fetch_one, transaction

LINK_LIVES: Final = timedelta(days=1)
EXPORTS_A_DAY: Final = 3
DAY: Final = timedelta(days=1)

TRIES_MAX: Final = 3

PATIENCE: Final = timedelta(minutes=15)
"""After so long a worker that has not finished a file is taken for dead."""

KEPT_AFTER_DOWNLOAD: Final = timedelta(hours=1)

_NAME: Final = re.compile(r"(?P<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){4}[0-9a-f]{8})-(?P<tries>\d+)\.zip")


class ExportStatus(StrEnum):
    """Where an export stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    READY = "READY"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataExport:
    """An export as its member sees it.

    `token` is the secret of its link, None where there is no link to follow: not yet, not any more.
    """

    member_id: UUID
    id: UUID
    status: ExportStatus
    requested_at: datetime
    expires_at: datetime | None
    token: str | None
    rows_done: int
    rows_all: int

    @property
    def key(self) -> str:
        """What names the export in the whole programme."""
        return f"{self.member_id}:{self.id}"

    @property
    def percent(self) -> int:
        """How much of it is written, 0 to 100."""
        match self.status:
            case ExportStatus.READY | ExportStatus.EXPIRED:
                return 100
            case ExportStatus.RUNNING if self.rows_all:
                return min(self.rows_done * 100 // self.rows_all, 99)
            case _:
                return 0


_COLUMNS: Final = (
    "member_id, id, status, requested_at, expires_at, token, rows_done, rows_all, tries"
)


async def request_export(member_id: UUID, *, idempotency_key: str, now: datetime) -> DataExport:
    """Ask for an export; whoever has one under way is answered with that one.

    What was asked for by a record that was joined to the member's is theirs too. Refused:
    InvalidInput, IdempotencyConflict, ExportLimitReached (three within 24 hours).
    """

    async def work() -> str:
        rows = await fetch_all(
            "SELECT id, status, requested_at FROM data_export"
            " WHERE member_id = ANY($1::uuid[]) AND status <> 'FAILED'"
            " AND (requested_at > $2 OR status IN ('QUEUED', 'RUNNING')) ORDER BY requested_at",
            *(list(await members.records_of([member_id])), now - DAY),
        )
        under_way = [row["id"] for row in rows if row["status"] in {"QUEUED", "RUNNING"}]
        if under_way:
            return str(under_way[0])
        if len(rows) >= EXPORTS_A_DAY:
            raise ExportLimitReached(limit=EXPORTS_A_DAY, again_at=rows[0]["requested_at"] + DAY)
        export_id = uuid7()
        # Of two who ask at once the second meets the index, runs again and finds the first's.
        await execute(
            "INSERT INTO data_export"
            " (member_id, id, status, requested_at, tries, rows_done, rows_all)"
            " VALUES ($1, $2, 'QUEUED', $3, 0, 0, 0)",
            *(member_id, export_id, now),
        )
        return str(export_id)

    asked = Asked(what="export", member_id=member_id, key=idempotency_key, fields={})
    answer, _ = await answer_once(asked, work, now=now)
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM data_export WHERE member_id = ANY($1::uuid[]) AND id = $2",
        *(list(await members.records_of([member_id])), UUID(answer)),
    )
    if row is None:
        # It was asked for by a record that staff have parted from the member's since.
        return _withdrawn(member_id, UUID(answer), now=now)
    return _export_of(row, now=now)


async def data_export(member_id: UUID, *, export_id: UUID, now: datetime) -> DataExport | None:
    """The export with this id that this very record asked for, as it stands now."""
    row = await fetch_one(
        f"SELECT {_COLUMNS} FROM data_export WHERE member_id = $1 AND id = $2",
        *(member_id, export_id),
    )
    return None if row is None else _export_of(row, now=now)


async def take_export(
    export_id: UUID, *, token: str, files: FileStore, now: datetime
) -> Path | None:
    """The file behind a link, once: the link is used up by it. None for any link that is no good.

    Of several who follow it at once one alone gets the file. Where the file is not there, as on a
    machine that does not see the folder yet, the link stays good.
    """
    row = await fetch_one("SELECT tries FROM data_export WHERE id = $1", export_id)
    found = None if row is None else files.find(file_name(export_id, row["tries"]))
    if found is None:
        return None
    taken = await execute(
        "UPDATE data_export SET token = NULL, downloaded_at = $3"
        " WHERE id = $1 AND token = $2 AND expires_at > $3",
        *(export_id, token, now),
    )
    return found if taken else None


def file_name(export_id: UUID, tries: int) -> str:
    """What the file of this try is called in the store.

    A worker that was thought dead may go on beside the one that took over from it: each writes a
    file of its own, and deletes no other.
    """
    return f"{export_id}-{tries}.zip"


def file_names(export_id: UUID, tries: int) -> Sequence[str]:
    """The files of all tries until this one."""
    return [file_name(export_id, one) for one in range(1, tries + 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An export that a worker writes now."""

    member_id: UUID
    id: UUID
    tries: int
    requested_at: datetime

    @property
    def file_name(self) -> str:
        """What the file is called that this worker writes."""
        return file_name(self.id, self.tries)


async def claim_export(*, now: datetime) -> Claimed | None:
    """The export that has waited longest, also one whose worker died; nobody else gets it."""
    row = await fetch_one(
        """
        UPDATE data_export SET status = 'RUNNING', started_at = $1, tries = tries + 1
        WHERE id IN (
            SELECT id FROM data_export
            WHERE status IN ('QUEUED', 'RUNNING') AND (started_at IS NULL OR started_at < $2)
            ORDER BY requested_at LIMIT 1
            FOR UPDATE SKIP LOCKED
        )
        RETURNING member_id, id, tries, requested_at
        """,
        *(now, now - PATIENCE),
    )
    if row is None:
        return None
    return Claimed(
        member_id=row["member_id"],
        id=row["id"],
        tries=row["tries"],
        requested_at=row["requested_at"],
    )


async def tell_progress(claimed: Claimed, *, done: int, of: int) -> None:
    """Say how many rows are written."""
    await execute(
        "UPDATE data_export SET rows_done = $3, rows_all = $4"
        " WHERE member_id = $1 AND id = $2 AND status = 'RUNNING' AND tries = $5",
        *(claimed.member_id, claimed.id, done, of, claimed.tries),
    )


async def finish_export(
    claimed: Claimed, *, rows: int, records: Sequence[UUID], now: datetime
) -> bool:
    """The file is there, and tells of these records: make its link.

    False where the export is gone meanwhile, or where one of them is not the member's any more:
    staff were parting it from theirs while the file was written.
    """

    async def work() -> bool:
        standing = await members.lock_members([claimed.member_id])
        if not set(records) <= set(await members.records_of(standing.values())):
            return False
        finished = await execute(
            "UPDATE data_export SET status = 'READY', finished_at = $3, expires_at = $4,"
            " token = $5, rows_done = $6, rows_all = $6"
            " WHERE member_id = $1 AND id = $2 AND status = 'RUNNING' AND tries = $7",
            *(claimed.member_id, claimed.id, now, now + LINK_LIVES),
            *(secrets.token_urlsafe(32), rows, claimed.tries),
        )
        if finished:
            owner = standing.get(claimed.member_id, claimed.member_id)
            facts = {"export_id": str(claimed.id)}
            if owner != claimed.member_id:
                facts["asked_as"] = str(claimed.member_id)
            event = Event(kind="DataExportReady", member_id=owner, facts=facts)
            await announce([event], now=now)
        return bool(finished)

    return await transaction(work)


async def fail_export(claimed: Claimed, *, now: datetime) -> None:
    """The file could not be written: let it be tried again, or give up after `TRIES_MAX`."""
    status = ExportStatus.FAILED if claimed.tries >= TRIES_MAX else ExportStatus.QUEUED
    await execute(
        "UPDATE data_export SET status = $4, started_at = NULL, finished_at = $5"
        " WHERE member_id = $1 AND id = $2 AND status = 'RUNNING' AND tries = $3",
        *(claimed.member_id, claimed.id, claimed.tries, status.value),
        now if status is ExportStatus.FAILED else None,
    )


async def tidy_exports(*, files: FileStore, now: datetime) -> int:
    """End the links whose time is over, and delete the files that nobody can fetch; how many."""
    await execute(
        "UPDATE data_export SET status = 'EXPIRED', token = NULL"
        " WHERE status = 'READY' AND expires_at <= $1",
        now,
    )
    deleted = 0
    # What no row tells of may be another database's, while its link may still be good.
    left_over = set(files.names(before=now - 2 * LINK_LIVES))
    for name in files.names(before=now - KEPT_AFTER_DOWNLOAD):
        if not await _is_wanted(name, is_left_over=name in left_over, now=now):
            files.delete(name)
            deleted += 1
    return deleted


async def _is_wanted(name: str, *, is_left_over: bool, now: datetime) -> bool:
    ours = _NAME.fullmatch(name)
    if ours is None:
        return True
    row = await fetch_one(
        "SELECT status, tries, downloaded_at FROM data_export WHERE id = $1", UUID(ours["id"])
    )
    if row is None or int(ours["tries"]) != row["tries"]:
        # Of an earlier try: whoever still writes it will find that it was overtaken.
        return not is_left_over
    if row["downloaded_at"] is not None:
        return bool(row["downloaded_at"] > now - KEPT_AFTER_DOWNLOAD)
    return row["status"] in {"QUEUED", "RUNNING", "READY"}


def _withdrawn(member_id: UUID, export_id: UUID, *, now: datetime) -> DataExport:
    """An export of which nothing is the member's any more."""
    return DataExport(
        member_id=member_id,
        id=export_id,
        status=ExportStatus.FAILED,
        requested_at=now,
        expires_at=None,
        token=None,
        rows_done=0,
        rows_all=0,
    )


def _export_of(row: Row, *, now: datetime) -> DataExport:
    status, expires_at = ExportStatus(row["status"]), row["expires_at"]
    if status is ExportStatus.READY and expires_at <= now:
        # The job that says so comes by later.
        status = ExportStatus.EXPIRED
    return DataExport(
        member_id=row["member_id"],
        id=row["id"],
        status=status,
        requested_at=row["requested_at"],
        expires_at=expires_at,
        token=row["token"] if status is ExportStatus.READY else None,
        rows_done=row["rows_done"],
        rows_all=row["rows_all"],
    )
