"""Joining two records of one person, over all contexts, in one transaction.

The member who stays, the keeper, gets what the other has; the other's record is closed, and its id
leads to the keeper. Rows that go over say with which merge they came (`came_with`), so that staff
can part the two again for a day (`domain.custody.parting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from domain import ledger, members, tiers
from domain.custody.deletion import begin_deletion_anew
from domain.custody.parts import PARTS
from domain.outbox import Event, announce
from domain.program import program
from domain.storage import (
    MemberTable,
    Merging,
    Row,
    TransactionContended,
    execute,
    fetch_one,
    inside_transaction,
)

UNDOABLE: Final = members.MERGE_UNDOABLE

LOOKS_MAX: Final = 4
"""How often it is looked who has the two records: once more after each merge on the way."""


class MergeBecause(StrEnum):
    """Why two records are one person's."""

    PHONE = "phone"
    """A member proved that the number of another one is theirs."""

    UNIONID = "unionid"
    """WeChat says that the two sign in as one person."""

    STAFF = "staff"
    """Somebody of staff says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Two records that were joined. `undone_at` is None as long as they are one."""

    id: UUID
    keeper_id: UUID
    loser_id: UUID
    because: MergeBecause
    merged_at: datetime
    undone_at: datetime | None = None

    @property
    def undoable_until(self) -> datetime:
        """Until when staff may part the two again, exclusive."""
        return self.merged_at + UNDOABLE


async def merge(
    keeper_id: UUID, loser_id: UUID, *, because: MergeBecause, by: str, now: datetime
) -> Merge | None:
    """Join the records; None where they are one already, or one of them is gone.

    Inside the caller's transaction. `by` is who caused it, as the audit log names people. An id
    that was given up stands for the record that has it now. Refused: AccountFrozen (either),
    PointsOutOfRange; then nothing is changed.
    """
    assert inside_transaction(), "all of it, or nothing"
    locked = await _lock_standing(keeper_id, loser_id)
    if locked is None:
        return None
    keeper_id, loser_id = locked
    merged = Merge(
        id=uuid7(), keeper_id=keeper_id, loser_id=loser_id, because=because, merged_at=now
    )
    accounts = await ledger.merge_accounts(loser_id, keeper_id, merge_id=merged.id, now=now)
    zone = (await program()).zone
    await tiers.merge_levels(loser_id, keeper_id, merge_id=merged.id, zone=zone, now=now)
    for table in moving_tables():
        await _move(table, merged)
    profile = await members.merge_profiles(loser_id, keeper_id, merge_id=merged.id, now=now)
    # Nobody is deleted together with a record that may still turn out to be somebody else's.
    await begin_deletion_anew(keeper_id, cooling_min=UNDOABLE, now=now)
    await _keep(merged, by=by, facts=_facts(accounts, profile))
    facts = {"merge_id": str(merged.id), "loser_id": str(loser_id), "because": because.value}
    await announce([Event(kind="MembersMerged", member_id=keeper_id, facts=facts)], now=now)
    return merged


async def were_parted(one: UUID, other: UUID) -> bool:
    """Whether staff said of records of these two, once joined, that they are of two people.

    A record that was joined to one of them since counts as that one.
    """
    leads = await members.heirs([one, other])
    theirs = [list(await members.records_of([leads.get(each, each)])) for each in (one, other)]
    row = await fetch_one(
        "SELECT 1 AS one FROM member_merge WHERE undone_at IS NOT NULL"
        " AND (keeper_id = ANY($1::uuid[]) AND loser_id = ANY($2::uuid[])"
        " OR keeper_id = ANY($2::uuid[]) AND loser_id = ANY($1::uuid[])) LIMIT 1",
        *theirs,
    )
    return row is not None


def moving_tables() -> list[MemberTable]:
    """Those whose rows go over as they are."""
    return [table for _, tables in PARTS for table in tables if table.merging is Merging.MOVE]


def merge_of(row: Row) -> Merge:
    """A merge from its row."""
    return Merge(
        id=row["id"],
        keeper_id=row["keeper_id"],
        loser_id=row["loser_id"],
        because=MergeBecause(row["because"]),
        merged_at=row["merged_at"],
        undone_at=row["undone_at"],
    )


async def _lock_standing(keeper_id: UUID, loser_id: UUID) -> tuple[UUID, UUID] | None:
    """Lock the two records that these ids lead to; None where that is one, or nobody's."""
    for _ in range(LOOKS_MAX):
        leads = await members.heirs([keeper_id, loser_id])
        if len(set(leads.values())) < 2:
            return None
        keeper_id, loser_id = leads[keeper_id], leads[loser_id]
        into = await members.lock_records([keeper_id, loser_id])
        if len(into) == 2 and not any(into.values()):
            return keeper_id, loser_id
    raise TransactionContended("the records were joined to others each time")


async def _move(table: MemberTable, merged: Merge) -> None:
    """Give the keeper the rows. One that stands there already, of the same key, stays behind."""
    member = table.member_column
    same = " AND ".join(f"own.{name} = {table.name}.{name}" for name in table.key)
    await execute(
        f"UPDATE {table.name} SET {member} = $2, came_with = $3 WHERE {member} = $1"
        f" AND NOT EXISTS (SELECT 1 FROM {table.name} AS own WHERE own.{member} = $2 AND {same})",
        *(merged.loser_id, merged.keeper_id, merged.id),
    )


async def _keep(merged: Merge, *, by: str, facts: Mapping[str, Any]) -> None:
    await execute(
        "INSERT INTO member_merge (id, keeper_id, loser_id, because, merged_at, merged_by, facts)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(merged.id, merged.keeper_id, merged.loser_id, merged.because.value, merged.merged_at),
        *(by, orjson.dumps(facts).decode()),
    )


def _facts(accounts: ledger.AccountsMerged, profile: members.ProfileMerged) -> dict[str, Any]:
    """What the parting needs to know; no word of the person."""
    return {
        "since": accounts.since,
        "net": accounts.net,
        "took": list(profile.took),
        "joined_at": profile.joined_at.isoformat(),
    }
