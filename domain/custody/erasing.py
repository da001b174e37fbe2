"""Erasing a person: whatever tells who somebody was goes, and the ledger stays whole.

Entries, lots and levels stay under a random id that leads to nobody, so the journal's chain
verifies and the programme's totals are what they were. Texts, identities, profile, sessions, events
and files go. A later sign-in is a new member's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from domain import feedback, games, ledger, members, rewards
from domain.custody.deletion import LONG_AGO, deletions_due, is_due, pass_on_deletion
from domain.custody.exporting import file_names
from domain.custody.merging import Merge
from domain.custody.parting import last_merge_of, part, standing_merges_of
from domain.custody.parts import PARTS
from domain.errors import Refusal
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

PARTED_BY: Final = "erase-again"
"""Who parts two records that a backup has joined."""

_ERASURES: Final = Table(
    "erasure", member_id="uuid", erased_at="timestamptz", again_at="timestamptz"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedAgain:
    """What became of those whom a backup brought back.

    `left` are ids of the journal that could not be erased without somebody who is not in it: their
    record is joined to another one, and the two cannot be parted.
    """

    erased: int
    left: Sequence[UUID]


async def erase(
    member_id: UUID, *, journal: ErasureJournal, files: FileStore, now: datetime
) -> bool:
    """Erase the member, whatever they asked. Again, it changes nothing that matters.

    The journal of erasures has it before the database does. Partners and others learn it by the
    event MemberErased, which tells nothing but the id. False where the record was joined to another
    one: nothing is erased, and what its owner asked for is asked of that one, see `_pass_on`.
    """
    return await _erase(
        member_id, journal=journal, files=files, now=now, again_at=now + AGAIN_AFTER
    )


async def erase_due(
    *,
    journal: ErasureJournal,
    files: FileStore,
    now: datetime,
    members_at_once: int = MEMBERS_AT_ONCE,
) -> int:
    """Erase those whose cooling period is over, and what came after earlier ones; how many.

    One who cannot be erased does not hold up the others: the failure is logged, and the next run
    tries again.
    """
    done = 0
    async for member_id in deletions_due(now=now, members_at_once=members_at_once):
        done += await _tried(
            member_id, journal=journal, files=files, now=now, again_at=now + AGAIN_AFTER, due=True
        )
    async for member_id in _due_again(now=now, members_at_once=members_at_once):
        done += await _tried(member_id, journal=journal, files=files, now=now, again_at=None)
    return done


async def erase_again(
    *,
    journal: ErasureJournal,
    files: FileStore,
    now: datetime,
    told: Callable[[int], None] = lambda _: None,
) -> ErasedAgain:
    """Erase those whom a restored backup brought back, and nobody else.

    Whoever was erased stands in the journal with all records that were theirs. So where the backup
    has one of them joined to a record that is not in it, staff had parted the two by then: they are
    parted again first, however long ago they were joined.

    `told` hears after each portion how many of the journal's members were looked up.
    """
    erased = 0
    left: list[UUID] = []
    journalled = dict.fromkeys(journal.members())
    for some in _portions(iter(journalled)):
        for merge in await standing_merges_of(some):
            if (merge.loser_id in journalled) != (merge.keeper_id in journalled):
                await _part_again(merge, now=now)
        leads = await members.heirs(some)
        for heir in dict.fromkeys(leads.values()):
            if await _erase(
                heir,
                journal=journal,
                files=files,
                now=now,
                again_at=now + AGAIN_AFTER,
                only=journalled.keys(),
            ):
                erased += 1
            else:
                left += [one for one, to in leads.items() if to == heir]
        told(len(some))
    return ErasedAgain(erased=erased, left=left)


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
    due: bool = False,
) -> bool:
    try:
        return await _erase(
            member_id, journal=journal, files=files, now=now, again_at=again_at, due=due
        )
    except Exception:
        log.exception("erasure_failed", member_id=str(member_id))
        return False


async def _erase(
    member_id: UUID,
    *,
    journal: ErasureJournal,
    files: FileStore,
    now: datetime,
    again_at: datetime | None,
    only: Set[UUID] | None = None,
    due: bool = False,
) -> bool:
    """Erase the person, where this is their record, and none of theirs is another than `only`.

    Where it is `due`, it still has to be so under the lock: a merge may have begun the period anew
    meanwhile, its undoing or the member may have let the request go.
    """

    async def work() -> bool:
        erased, into = await _lock_records_of(member_id)
        if only is not None and (into is not None or not only >= set(erased)):
            return False
        if into is not None:
            await _pass_on(member_id, now=now)
            return False
        if due and not (await is_due(member_id, now=now) and await _is_settled(erased, now=now)):
            return False
        for name in await _files_of(erased):
            files.delete(name)
        await feedback.forget_attachments(erased, now=now)
        await feedback.close_of_erased(erased, now=now)
        await members.forget_codes_of(erased)
        await members.forget_email_codes_of(erased)
        await ledger.erase_notes_given(erased)
        await rewards.erase_address_keys(erased)
        await games.announce_deletion(erased, now=now)
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
        return True

    return await transaction(work)


async def _lock_records_of(member_id: UUID) -> tuple[Sequence[UUID], UUID | None]:
    """Lock the member's record and those that were joined to it, which are erased with it.

    And to whom the record itself was joined: who looks without the lock may look too early.
    """
    records = await members.records_of([member_id])
    while True:
        into = await members.lock_records(records)
        # Whoever joined another one meanwhile, or was parted, had locked one of these.
        found = await members.records_of([member_id])
        if set(found) <= set(records):
            return found, into.get(member_id)
        records = found


async def _is_settled(member_ids: Sequence[UUID], *, now: datetime) -> bool:
    """Whether staff cannot part these records any more: one of them may be somebody else's.

    It matters where the cooling period is shorter than that.
    """
    return all(now >= merge.undoable_until for merge in await standing_merges_of(member_ids))


async def _pass_on(member_id: UUID, *, now: datetime) -> None:
    """Ask for the deletion of the record that this one was joined to; its lock is held.

    As long as staff may part the two again the request waits: else it would be asked of somebody
    else, should they turn out to be two people.
    """
    heir = (await members.heirs([member_id]))[member_id]
    # That one may have been joined to this record's keeper meanwhile.
    for merge in (await last_merge_of(member_id), await last_merge_of(heir)):
        if merge is not None and now < merge.undoable_until:
            return
    await pass_on_deletion(member_id, to=heir, now=now)


async def _part_again(merge: Merge, *, now: datetime) -> None:
    async def work() -> None:
        await part(merge, by=PARTED_BY, now=now, however_late=True)

    try:
        await transaction(work)
    except Refusal:
        log.exception("parting_failed", merge=str(merge.id))


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
        "SELECT id, tries FROM data_export WHERE member_id = ANY($1::uuid[])", list(member_ids)
    )
    return [name for row in rows for name in file_names(row["id"], row["tries"])]


async def _due_again(*, now: datetime, members_at_once: int) -> AsyncIterator[UUID]:
    after_at, after_id = LONG_AGO, UUID(int=0)
    while True:
        rows = await fetch_all(
            "SELECT member_id, again_at FROM erasure"
            " WHERE again_at <= $1 AND (again_at, member_id) > ($2, $3)"
            " ORDER BY again_at, member_id LIMIT $4",
            *(now, after_at, after_id, members_at_once),
        )
        for row in rows:
            yield row["member_id"]
        if len(rows) < members_at_once:
            return
        after_at, after_id = rows[-1]["again_at"], rows[-1]["member_id"]


def _portions(member_ids: Iterator[UUID]) -> Iterator[list[UUID]]:
    some: list[UUID] = []
    for member_id in member_ids:
        some.append(member_id)
        if len(some) == ASKED_AT_ONCE:
            yield some
            some = []
    if some:
        yield some
