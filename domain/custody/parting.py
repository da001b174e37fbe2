"""Parting two records again that were joined: by staff, for a day, and only the last merge."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from domain import feedback, ledger, members, tiers
from domain.custody.consents import set_consent
from domain.custody.deletion import drop_deletion
from domain.custody.merging import Merge, merge_of, moving_tables
from domain.custody.withdrawing import withdraw_exports
from domain.errors import MergeNotUndoable
from domain.files import FileStore
from domain.members import SetConsent
from domain.outbox import Event, announce
from domain.program import program
from domain.storage import (
    MemberTable,
    Row,
    execute,
    fetch_all,
    fetch_one,
    inside_transaction,
)


async def part(
    merge: Merge,
    *,
    by: str,
    files: FileStore | None = None,
    now: datetime,
    however_late: bool = False,
) -> Merge:
    """Give the record that was given up back what came with it, as far as it is there still.

    The sessions of both are over: whoever they are sign in again. Nobody can fetch an export that
    was written while they were one; its file is deleted from `files` with the commit. What was
    withdrawn meanwhile is withdrawn by both, and what was agreed to holds for neither. What else
    happened since is the keeper's.
    `however_late`: also after the day, where it is known that the two were parted within it.
    Inside the caller's transaction. Refused: MergeNotUndoable; AccountFrozen (either),
    PointsOutOfRange.
    """
    assert inside_transaction(), "all of it, or nothing"
    await members.lock_given_up_phones(merge.loser_id)
    into = await members.lock_records([merge.keeper_id, merge.loser_id])
    # Read under the locks: of two who undo at once the second finds it undone.
    row = await fetch_one("SELECT * FROM member_merge WHERE id = $1", merge.id)
    assert row is not None, "merges are never deleted"
    merge = merge_of(row)
    standing = into.get(merge.loser_id) == merge.keeper_id and into.get(merge.keeper_id, 0) is None
    too_late = now >= merge.undoable_until and not however_late
    if not standing or merge.undone_at is not None or too_late:
        raise MergeNotUndoable
    if await _merged_again(merge):
        raise MergeNotUndoable
    await _part(merge, _facts_of(row), now=now)
    await drop_deletion(merge.keeper_id, since=merge.merged_at, now=now)
    both = (merge.keeper_id, merge.loser_id)
    await withdraw_exports(both, since=merge.merged_at, files=files, now=now)
    await execute(
        "UPDATE member_merge SET undone_at = $2, undone_by = $3 WHERE id = $1",
        *(merge.id, now, by),
    )
    facts = {"merge_id": str(merge.id), "keeper_id": str(merge.keeper_id)}
    parted = [Event(kind="MembersParted", member_id=one, facts=facts) for one in both]
    await announce(parted, now=now)
    row = await fetch_one("SELECT * FROM member_merge WHERE id = $1", merge.id)
    assert row is not None
    return merge_of(row)


async def find_merge(merge_id: UUID) -> Merge | None:
    """The merge with this id."""
    row = await fetch_one("SELECT * FROM member_merge WHERE id = $1", merge_id)
    return None if row is None else merge_of(row)


async def last_merge_of(member_id: UUID) -> Merge | None:
    """The last merge in which the record took part, on either side, that is not undone."""
    row = await fetch_one(
        "SELECT * FROM member_merge WHERE (keeper_id = $1 OR loser_id = $1) AND undone_at IS NULL"
        " ORDER BY id DESC LIMIT 1",
        member_id,
    )
    return None if row is None else merge_of(row)


async def standing_merges_of(member_ids: Collection[UUID]) -> Sequence[Merge]:
    """The merges in which these records took part, on either side, that are not undone.

    The latest first.
    """
    rows = await fetch_all(
        "SELECT * FROM member_merge WHERE (keeper_id = ANY($1::uuid[])"
        " OR loser_id = ANY($1::uuid[])) AND undone_at IS NULL ORDER BY id DESC",
        list(member_ids),
    )
    return [merge_of(row) for row in rows]


async def _merged_again(merge: Merge) -> bool:
    """Whether one of the two took part in a later merge, be it undone: their rows are mixed.

    The later one has the greater id, which is made under the locks. `merged_at` is when it was
    asked for: of two, the one that was asked for first may have waited for the other.
    """
    row = await fetch_one(
        "SELECT 1 AS one FROM member_merge"
        " WHERE id > $1 AND (keeper_id = ANY($2::uuid[]) OR loser_id = ANY($2::uuid[])) LIMIT 1",
        *(merge.id, [merge.keeper_id, merge.loser_id]),
    )
    return row is not None


async def _part(merge: Merge, facts: dict[str, Any], *, now: datetime) -> None:
    loser_id, keeper_id = merge.loser_id, merge.keeper_id
    await ledger.part_accounts(
        loser_id, keeper_id, merge_id=merge.id, since=facts["since"], now=now
    )
    zone = (await program()).zone
    await tiers.part_levels(loser_id, keeper_id, merge_id=merge.id, zone=zone, now=now)
    for table in moving_tables():
        await _move_back(table, merge)
    await feedback.part_tickets((keeper_id, loser_id), now=now)
    await members.return_phones(loser_id)
    profile = members.ProfileMerged(
        took=tuple(facts["took"]), joined_at=datetime.fromisoformat(facts["joined_at"])
    )
    await members.part_profiles(
        loser_id,
        keeper_id,
        merge_id=merge.id,
        merged=profile,
        since=merge.merged_at,
        now=now,
    )
    for one, purpose in await members.consents_in_doubt(loser_id, keeper_id, since=merge.merged_at):
        withdrawal = SetConsent(member_id=one, purpose=purpose, granted=False, version="")
        await set_consent(withdrawal, now=now)


async def _move_back(table: MemberTable, merge: Merge) -> None:
    """Give the other record its rows back. One of the same key that it has already stays."""
    member = table.member_column
    same = " AND ".join(f"own.{name} = {table.name}.{name}" for name in table.key)
    await execute(
        f"UPDATE {table.name} SET {member} = $1, came_with = NULL"
        f" WHERE {member} = $2 AND came_with = $3"
        f" AND NOT EXISTS (SELECT 1 FROM {table.name} AS own WHERE own.{member} = $1 AND {same})",
        *(merge.loser_id, merge.keeper_id, merge.id),
    )


def _facts_of(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = orjson.loads(row["facts"])
    return facts
