"""The file of an export: a ZIP of one file per table with the member's rows, a line of JSON each.

All is read as of one moment, page by page, so a long life takes no more memory than a short one.
"""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Final
from uuid import UUID

import orjson
import structlog

from domain import feedback, members
from domain.custody.exporting import (
    Claimed,
    claim_export,
    fail_export,
    finish_export,
    tell_progress,
)
from domain.custody.parts import PARTS
from domain.feedback import AttachmentStore
from domain.files import FileStore
from domain.storage import MemberTable, fetch_all, fetch_one, snapshot

log = structlog.get_logger("jifen.custody")

ROWS_AT_ONCE: Final = 500
EXPORTS_AT_ONCE: Final = 20
TOLD_EVERY_S: Final = 1.0

_README: Final = """\
您的个人数据 / Your personal data
=================================

截至 {now}（UTC），本会员计划保存的与您有关的全部数据。
每个文件对应一张数据表，每行是一条 JSON 记录。
All that this programme held of you on {now} (UTC). Each file is a table, each line of it
a row in JSON. Moments are UTC; amounts of money are in fen (1/100 yuan).

"""


async def write_exports(
    *,
    files: FileStore,
    now: Callable[[], datetime],
    pictures: AttachmentStore | None = None,
    exports_max: int = EXPORTS_AT_ONCE,
) -> int:
    """Write the files that are asked for, those that waited longest first; how many were written.

    One that fails is tried again, a few times, and holds up none of the others. `pictures` is where
    those of tickets are, which go along.
    """
    written = 0
    for _ in range(exports_max):
        claimed = await claim_export(now=now())
        if claimed is None:
            break
        try:
            rows, records = await _write(claimed, files=files, pictures=pictures, now=now())
            if await finish_export(claimed, rows=rows, records=records, now=now()):
                written += 1
            else:
                # Erased or parted meanwhile, or overtaken: nothing may be left of it.
                files.delete(claimed.file_name)
                await fail_export(claimed, now=now())
        except Exception:
            log.exception("export_failed", export=str(claimed.id), tries=claimed.tries)
            await fail_export(claimed, now=now())
    return written


class _Progress:
    """How many rows are written, of how many, and whose: the records of the member."""

    def __init__(self) -> None:
        self.done, self.all = 0, 0
        self.records: Sequence[UUID] = ()


async def _write(
    claimed: Claimed, *, files: FileStore, pictures: AttachmentStore | None, now: datetime
) -> tuple[int, Sequence[UUID]]:
    """Write the file and tell how far it is meanwhile; how many rows it holds, of which records."""
    progress = _Progress()

    async def read_and_write() -> None:
        with files.writing(claimed.file_name) as file:
            progress.done = 0
            await _archive(file, claimed.member_id, progress=progress, pictures=pictures, now=now)

    # A task of its own: what it reads within one snapshot, this one must not write in.
    writing = asyncio.create_task(snapshot(read_and_write))
    try:
        while not writing.done():
            await asyncio.wait([writing], timeout=TOLD_EVERY_S)
            if not writing.done():
                await tell_progress(claimed, done=progress.done, of=progress.all)
    except BaseException:
        writing.cancel()
        await asyncio.wait([writing])
        raise
    await writing
    return progress.done, progress.records


async def _archive(
    file: BinaryIO,
    member_id: UUID,
    *,
    progress: _Progress,
    pictures: AttachmentStore | None,
    now: datetime,
) -> None:
    # What was joined to the member's record, and stayed under its own id, is the member's too.
    heirs = await members.heirs([member_id])
    member_id = heirs.get(member_id, member_id)
    progress.records = records = await members.records_of([member_id])
    tables = [table for _, tables in PARTS for table in tables if table.told]
    progress.all = sum([await _count(table, records) for table in tables])
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = []
        for table in tables:
            done = progress.done
            with archive.open(f"{table.name}.jsonl", "w", force_zip64=True) as entry:
                for record in records:
                    async for page in _pages(table, record):
                        lines = b"".join(_line(table, row) for row in page)
                        await asyncio.to_thread(entry.write, lines)
                        progress.done += len(page)
            contents.append(f"{table.name}.jsonl  {progress.done - done}")
        phones = await members.all_phones_of(records)
        if phones:
            archive.writestr("phone.txt", "".join(f"{phone}\n" for phone in phones))
        emails = await members.all_emails_of(records)
        if emails:
            archive.writestr("email.txt", "".join(f"{email}\n" for email in emails))
        if pictures is not None:
            await _add_pictures(archive, records, pictures)
        told = _README.format(now=now.isoformat(timespec="seconds")) + "\n".join(contents) + "\n"
        archive.writestr("README.txt", told)


async def _add_pictures(
    archive: zipfile.ZipFile, records: Sequence[UUID], pictures: AttachmentStore
) -> None:
    """Those of the member's tickets, by their id; one that is swept in between is passed over."""
    for name in await feedback.told_pictures(records):
        content = await pictures.open(name)
        if content is not None:
            await asyncio.to_thread(archive.writestr, f"pictures/{name}", content)


async def _count(table: MemberTable, records: Sequence[UUID]) -> int:
    row = await fetch_one(
        f"SELECT COUNT(*) AS rows FROM {table.name}"
        f" WHERE {table.member_column} = ANY($1::uuid[]){_if_told(table)}",
        list(records),
    )
    assert row is not None
    return int(row["rows"])


async def _pages(table: MemberTable, member_id: UUID) -> AsyncIterator[Sequence[Any]]:
    """A record's rows in the order of their key, some at a time."""
    columns = ", ".join(dict.fromkeys([*table.key, *table.told]))
    of_member = (
        f"SELECT {columns} FROM {table.name} WHERE {table.member_column} = $1{_if_told(table)}"
    )
    if not table.key:
        yield await fetch_all(of_member, member_id)
        return
    key = ", ".join(table.key)
    marks = ", ".join(f"${number}" for number in range(2, 2 + len(table.key)))
    ordered = f"ORDER BY {key} LIMIT {ROWS_AT_ONCE}"
    page = await fetch_all(f"{of_member} {ordered}", member_id)
    while page:
        yield page
        if len(page) < ROWS_AT_ONCE:
            return
        last = [page[-1][name] for name in table.key]
        page = await fetch_all(f"{of_member} AND ({key}) > ({marks}) {ordered}", member_id, *last)


def _if_told(table: MemberTable) -> str:
    return f" AND ({table.told_if})" if table.told_if else ""


def _line(table: MemberTable, row: Any) -> bytes:
    told = {name: row[name] for name in table.told}
    return orjson.dumps(told, default=_plain, option=orjson.OPT_UTC_Z) + b"\n"


def _plain(value: object) -> str:
    """What JSON has no form of its own for: bytes, in hex."""
    assert isinstance(value, bytes | memoryview), type(value)
    return bytes(value).hex()
