"""Erasing a person: whatever tells who somebody was goes, and the ledger stays whole.

Entries, lots and levels stay under a random id that leads to nobody, so the journal's chain
verifies and the programme's totals are what they were. Texts, identities, profile, sessions, events
and files go. A later sign-in is a new member's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from domain import ledger, members, rewards
from domain.custody.deletion import deletions_due, pass_on_deletion
from domain.custody.parts import PARTS
from domain.files import ErasureJournal, FileStore
from domain.outbox import Event, announce
from domain.storage import (
    Blank,
    Erasing,
    MemberTable,
    Table,
    execute,
    fetch_all,
    fetch_one,
    transaction,
)

log = structlog.get_logger("jifen.custody")

AGAIN_AFTER: Final = timedelta(days=1)
"""What was under way while a person was erased, an event that was being delivered or a batch that
named them, may write a row afterwards. So long after it whatever came is erased too."""

MEMBERS_AT_ONCE: Final = 100

ASKED_AT_ONCE: Final = 500

_ERASURES: Final = Table(
    "erasure", member_id="uuid", erased_at="timestamptz", again_at="timestamptz"
)


async def erase(
    member_id: UUID, *, journal: ErasureJournal, files: FileStore, now: datetime
) -> None:
    """Erase the member, whatever they asked. Again, it changes nothing that matters.

    The journal of erasures has it before the database does. Partners and others learn it by the
    event MemberErased, which tells nothing but the id.
    """
    await _erase(member_id, journal=journal, files=files, now=now, again_at=now + AGAIN_AFTER)


async def erase_due(
    *, journal: ErasureJournal, files: FileStore, now: datetime, members_max: int = MEMBERS_AT_ONCE
) -> int:
    """Erase those whose cooling period is over, and what came after earlier ones; how many.

    One who cannot be erased does not hold up the others: the failure is logged, and the next run
    tries again.
    """
    done = 0
    due = await deletions_due(now=now, members_max=members_max)
    heirs = await members.heirs(due)
    for member_id in due:
        if (heir := heirs.get(member_id, member_id)) != member_id:
            await pass_on_deletion(member_id, to=heir, now=now)
            continue
        done += await _tried(
            member_id, journal=journal, files=files, now=now, again_at=now + AGAIN_AFTER
        )
    for member_id in await _due_again(now=now, members_max=members_max):
        done += await _tried(member_id, journal=journal, files=files, now=now, again_at=None)
    return done


async def erase_again(
    *,
    journal: ErasureJournal,
    files: FileStore,
    now: datetime,
    told: Callable[[int], None] = lambda _: None,
) -> int:
    """Erase those whom a restored backup brought back; how many there were.

    `told` hears after each portion how many of the journal's members were looked up.
    """
    erased = 0
    for some in _portions(journal.members()):
        for member_id in set((await members.heirs(some)).values()):
            await erase(member_id, journal=journal, files=files, now=now)
            erased += 1
        told(len(some))
    return erased


async def is_erased(member_id: UUID) -> bool:
    """Whether this id stood for somebody who was erased."""
    row = await fetch_one("SELECT 1 AS one FROM erasure WHERE member_id = $1", member_id)
    return row is not None


async def _tried(
    member_id: UUID,
    *,
    journal: ErasureJournal,
    files: FileStore,
    now: datetime,
    again_at: datetime | None,
) -> bool:
    try:
        await _erase(member_id, journal=journal, files=files, now=now, again_at=again_at)
    except Exception:
        log.exception("erasure_failed", member_id=str(member_id))
        return False
    return True


async def _erase(
    member_id: UUID,
    *,
    journal: ErasureJournal,
    files: FileStore,
    now: datetime,
    again_at: datetime | None,
) -> None:
    async def work() -> None:
        erased = await _lock_records_of(member_id)
        for name in await _files_of(erased):
            files.delete(name)
        await _forget_codes_of(erased)
        await ledger.erase_notes_given(erased)
        await rewards.erase_address_keys(erased)
        for table in _in_order():
            await _erase_from(table, erased)
        await _ERASURES.insert(
            ({"member_id": one, "erased_at": now, "again_at": again_at} for one in erased),
            or_update="(member_id) DO UPDATE SET again_at = excluded.again_at",
        )
        await announce(
            (Event(kind="MemberErased", member_id=one, facts={}) for one in erased), now=now
        )
        # Before the commit: who is erased and not in the journal would come back with a backup.
        # Who is in it and not erased is so at the next run, since it is too late to take it back.
        journal.append(erased, now=now)

    await transaction(work)


async def _lock_records_of(member_id: UUID) -> Sequence[UUID]:
    """Lock the member's record and those that were joined to it, which are erased with it."""
    records = await members.records_of([member_id])
    while True:
        await members.lock_records(records)
        # Whoever joined another one meanwhile had locked one of these.
        found = await members.records_of([member_id])
        if set(found) <= set(records):
            return records
        records = found


async def _forget_codes_of(member_ids: Collection[UUID]) -> None:
    """Sign-in codes belong to a number and not to a member."""
    phones = list((await members.phones_of(list(member_ids))).values())
    if phones:
        await members.forget_codes_of(phones)


def _in_order() -> Iterator[MemberTable]:
    """The opposite order of telling, see `PARTS`."""
    for _, tables in reversed(PARTS):
        yield from reversed(tables)


async def _erase_from(table: MemberTable, member_ids: Collection[UUID]) -> None:
    of_members = f"WHERE {table.member_column} = ANY($1::uuid[])"
    match table.erasing:
        case Erasing.DELETE:
            await execute(f"DELETE FROM {table.name} {of_members}", list(member_ids))
        case Blank(columns):
            sets = ", ".join(f"{name} = {value}" for name, value in columns.items())
            await execute(f"UPDATE {table.name} SET {sets} {of_members}", list(member_ids))
        case Erasing.KEEP:
            pass


async def _files_of(member_ids: Collection[UUID]) -> Sequence[str]:
    rows = await fetch_all(
        "SELECT id FROM data_export WHERE member_id = ANY($1::uuid[])", list(member_ids)
    )
    return [f"{row['id']}.zip" for row in rows]


async def _due_again(*, now: datetime, members_max: int) -> Sequence[UUID]:
    rows = await fetch_all(
        "SELECT member_id FROM erasure WHERE again_at <= $1 ORDER BY again_at LIMIT $2",
        *(now, members_max),
    )
    return [row["member_id"] for row in rows]


def _portions(member_ids: Iterator[UUID]) -> Iterator[list[UUID]]:
    some: list[UUID] = []
    for member_id in member_ids:
        some.append(member_id)
        if len(some) == ASKED_AT_ONCE:
            yield some
            some = []
    if some:
        yield some
