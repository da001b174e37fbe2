"""Writing a day's file for a partner: what it pushed on that day, as it stands when it is written.

The day is that of the moment at which we received an item, in the programme's time zone: once it is
over nothing can join it, however old the events are that come tomorrow. It is read in one snapshot,
page by page, and sorted in a file, so that a day of any size takes the same memory.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from tempfile import TemporaryFile
from time import monotonic
from typing import BinaryIO, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from uuid_utils.compat import uuid7

from domain.files import FileStore, SortedLines
from domain.games.partners import Partner, partner_of_row
from domain.games.reconciliation_lines import net_points, sortable, written
from domain.games.reconciliations import (
    Reconciliation,
    delete_files,
    file_name,
    find_reconciliation,
)
from domain.games.reward_items import KeptItem, kept_item_of
from domain.ledger import local_midnight
from domain.outbox import Event, announce
from domain.program import program
from domain.storage import execute, fetch_all, snapshot, transaction

log = structlog.get_logger("jifen.games")

BEGINS: Final = timedelta(hours=2)
"""So long after local midnight the file of the day before is written."""

DAYS_BACK: Final = 7
"""Days that are made up for where no worker ran."""

RECONCILIATIONS_KEPT: Final = timedelta(days=400)
ROWS_AT_ONCE: Final = 1_000
_LEFT_OVER: Final = timedelta(days=1)
_FORGOTTEN_AT_ONCE: Final = 500

_BEFORE_ALL: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class _Written:
    """What came out of writing a file."""

    items: int
    points: int
    sha256: str


def is_over(day: date, *, zone: ZoneInfo, now: datetime) -> bool:
    """Whether nothing can be received on this day any more."""
    return day < now.astimezone(zone).date()


async def reconcile_due(
    *, files: FileStore, now: Callable[[], datetime], within_s: float = float("inf")
) -> int:
    """Write the files that are due: of each day from two o'clock of the next; how many.

    Each partner has one for each day since it was taken in, empty where it pushed nothing. Begins
    no further one after `within_s`. One that fails is left to the next run, and holds up no other.
    """
    ends_at, zone = monotonic() + within_s, (await program()).zone
    today = (now() - BEGINS).astimezone(zone).date()
    done = 0
    for day in (today - timedelta(days=back) for back in range(DAYS_BACK, 0, -1)):
        for partner in await _without_file(day, zone=zone):
            if monotonic() > ends_at:
                return done
            try:
                made = await write_reconciliation(partner, day, files=files, zone=zone, now=now())
            except Exception:
                log.exception("reconciliation_failed", partner=partner.code, day=str(day))
                continue
            done += made is not None
    if done:
        await tidy_reconciliations(files=files, now=now())
    return done


async def write_reconciliation(
    partner: Partner,
    day: date,
    *,
    files: FileStore,
    zone: ZoneInfo,
    now: datetime,
    again: bool = False,
) -> Reconciliation | None:
    """Write the file of a day that is over, and announce it; None where it was there before.

    With `again` it is written anew, as everything stands now. Where that makes a difference it
    takes the place of the one before, and what was compared with that one is forgotten.
    """
    assert is_over(day, zone=zone, now=now), "what is still received would be left out"
    reconciliation_id = uuid7()
    try:
        with files.writing(file_name(reconciliation_id)) as file:
            made = await _write(file, partner.account_id, day, zone=zone, folder=files)
        wanted = Reconciliation(
            id=reconciliation_id,
            partner_id=partner.account_id,
            day=day,
            items=made.items,
            points=made.points,
            sha256=made.sha256,
            written_at=now,
        )
        kept = await transaction(lambda: _keep(wanted, partner=partner, again=again))
    except BaseException:
        delete_files(files, reconciliation_id)
        raise
    if kept is None:
        delete_files(files, reconciliation_id)
        return None
    delete_files(files, *kept)
    return wanted


async def tidy_reconciliations(*, files: FileStore, now: datetime) -> int:
    """Forget days of more than 400 days ago, and delete the files that belong to none; how many.

    A worker that was killed leaves its file behind, which nobody is led to.
    """
    before = (now - RECONCILIATIONS_KEPT).date()
    while rows := await fetch_all(
        "SELECT id FROM game_reconciliation WHERE day < $1 LIMIT $2", before, _FORGOTTEN_AT_ONCE
    ):
        await transaction(partial(_forget, [row["id"] for row in rows]))
    # Files first: one that is there now had its row before it is looked for, or never will.
    there = await asyncio.to_thread(files.names, before=now - _LEFT_OVER)
    rows = await fetch_all("SELECT id FROM game_reconciliation")
    left_over = set(there) - {file_name(row["id"]) for row in rows}
    for name in left_over:
        files.delete(name)
    return len(left_over)


async def _without_file(day: date, *, zone: ZoneInfo) -> Sequence[Partner]:
    """The partners who were taken in by then, and have no file of the day."""
    rows = await fetch_all(
        "SELECT * FROM partner WHERE created_at < $2 AND NOT EXISTS (SELECT 1"
        " FROM game_reconciliation r WHERE r.partner_id = partner.account_id AND r.day = $1)"
        " ORDER BY code",
        *(day, local_midnight(day + timedelta(days=1), zone)),
    )
    return [partner_of_row(row) for row in rows]


async def _write(
    file: BinaryIO, partner_id: UUID, day: date, *, zone: ZoneInfo, folder: FileStore
) -> _Written:
    with TemporaryFile(dir=folder.folder) as spool:

        async def read() -> tuple[SortedLines, int, int]:
            lines, items, points = SortedLines(spool), 0, 0
            async for page in _pages(partner_id, day, zone=zone):
                items, points = items + len(page), points + sum(map(net_points, page))
                await asyncio.to_thread(lines.add, [sortable(kept) for kept in page])
            return lines, items, points

        lines, items, points = await snapshot(read)
        sha256 = await asyncio.to_thread(_copy, lines, file)
    return _Written(items=items, points=points, sha256=sha256)


def _copy(lines: SortedLines, file: BinaryIO) -> str:
    digest = hashlib.sha256()
    for line in lines.merged():
        text = written(line)
        digest.update(text)
        file.write(text)
    return digest.hexdigest()


async def _pages(
    partner_id: UUID, day: date, *, zone: ZoneInfo
) -> AsyncIterator[Sequence[KeptItem]]:
    """What was received on the day, in the order of an index that is there anyway.

    Two duplicates of one business event have one id, and may come at once.
    """
    begins, ends = local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone)
    last: tuple[datetime, UUID, str] = (begins, _BEFORE_ALL, "")
    while True:
        rows = await fetch_all(
            "SELECT * FROM reward_item WHERE partner_id = $1 AND received_at < $5"
            " AND received_at >= $2 AND (received_at, id, external_id) > ($2, $3, $4)"
            " ORDER BY received_at, id, external_id LIMIT $6",
            *(partner_id, *last, ends, ROWS_AT_ONCE),
        )
        if rows:
            yield [kept_item_of(row) for row in rows]
        if len(rows) < ROWS_AT_ONCE:
            return
        last = (rows[-1]["received_at"], rows[-1]["id"], rows[-1]["external_id"])


async def _keep(wanted: Reconciliation, *, partner: Partner, again: bool) -> Sequence[UUID] | None:
    """Write the row and announce it; whose files it replaces. None where the one before stays."""
    await fetch_all(
        "SELECT 1 AS one FROM game_reconciliation WHERE partner_id = $1 AND day = $2 FOR UPDATE",
        *(wanted.partner_id, wanted.day),
    )
    before = await find_reconciliation(wanted.partner_id, wanted.day)
    if before is not None and (not again or before.sha256 == wanted.sha256):
        return None
    replaced = [] if before is None else [before.id]
    await _forget(replaced)
    # Of two who write the same day at once the second meets the constraint, and begins anew.
    await execute(
        "INSERT INTO game_reconciliation (id, partner_id, day, items, points, sha256, written_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(wanted.id, wanted.partner_id, wanted.day),
        *(wanted.items, wanted.points, wanted.sha256, wanted.written_at),
    )
    facts = {
        "partner_id": str(wanted.partner_id),
        "partner": partner.code,
        "reconciliation_id": str(wanted.id),
        "date": str(wanted.day),
    }
    event = Event(kind="ReconciliationReady", member_id=wanted.partner_id, facts=facts)
    await announce([event], now=wanted.written_at)
    return replaced


async def _forget(ids: Sequence[UUID]) -> None:
    if not ids:
        return
    given = list(ids)
    await execute("DELETE FROM game_difference WHERE reconciliation_id = ANY($1::uuid[])", given)
    await execute("DELETE FROM game_reconciliation WHERE id = ANY($1::uuid[])", given)
