"""Merges by staff: joining two records that are one person's, and parting what should not be one.

Every act is in the audit log, with the ids alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain import audit, idempotency, members
from domain.audit import Actor, Target
from domain.custody.merging import Merge, MergeBecause, merge
from domain.custody.parting import find_merge, last_merge_of, part
from domain.errors import InvalidInput, MemberNotFound, MergeUnknown
from domain.files import FileStore
from domain.members import MemberRef
from domain.storage import transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeMembers:
    """Join the record of `lose` to that of `keep`."""

    keep: MemberRef
    lose: MemberRef
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoMerge:
    """Part two records again: those of this merge, or of the last one of this member."""

    merge_id: UUID | None = None
    member_id: UUID | None = None
    idempotency_key: str


async def merge_members(command: MergeMembers, *, by: Actor, now: datetime) -> Merge:
    """Join two records; the same key gives the first answer.

    Refused: InvalidInput (the two are one), MemberNotFound, AccountFrozen (either),
    PointsOutOfRange, IdempotencyConflict.
    """

    async def work() -> Merge:
        keep, lose = await members.lock_resolved([command.keep, command.lose])
        if keep is None or lose is None:
            raise MemberNotFound(field=("keep",) if keep is None else ("lose",))
        merged = await merge(keep, lose, because=MergeBecause.STAFF, by=by.name, now=now)
        if merged is None:
            raise InvalidInput(field=("lose",), rule="another member")
        return merged

    digests = idempotency.digests(
        {"keep": members.as_named(command.keep), "lose": members.as_named(command.lose)}
    )
    return await _once("merge", command.idempotency_key, digests, work, by=by, now=now)


async def undo_merge(
    command: UndoMerge, *, files: FileStore | None = None, by: Actor, now: datetime
) -> Merge:
    """Part two records that were joined less than a day ago; the same key gives the first answer.

    Exports that were written of both are deleted from `files`.
    Refused: InvalidInput, MergeUnknown, MergeNotUndoable, AccountFrozen (either), PointsOutOfRange,
    IdempotencyConflict.
    """
    merge_id, member_id = command.merge_id, command.member_id
    if (merge_id is None) == (member_id is None):
        raise InvalidInput(field=("merge",), rule="either the merge or the member")

    async def work() -> Merge:
        if merge_id is not None:
            found = await find_merge(merge_id)
        else:
            assert member_id is not None
            found = await last_merge_of(member_id)
        if found is None:
            raise MergeUnknown(field=("merge", "merge_id" if merge_id else "member_id"))
        return await part(found, by=by.name, files=files, now=now)

    digests = idempotency.digests({"merge": [str(merge_id), str(member_id)]})
    return await _once("unmerge", command.idempotency_key, digests, work, by=by, now=now)


async def _once(
    what: str,
    key: str,
    digests: idempotency.Digests,
    work: Callable[[], Awaitable[Merge]],
    *,
    by: Actor,
    now: datetime,
) -> Merge:
    """Do the work in one transaction that tells the audit log; or the answer that the key has."""
    idempotency.checked_key(key)
    assert by.account_id is not None, "accounts of staff merge"
    scope = f"custody.{what}:{by.account_id}"

    async def once() -> Merge:
        answer = await idempotency.recall_answer(scope, key, digests)
        merged = await work() if answer is None else await _as_told(answer)
        if answer is None:
            await idempotency.remember(scope, {key: (digests, _answer(merged))}, now=now)
        audit.record(
            by,
            f"member.{what}",
            target=Target(kind="member", id=str(merged.keeper_id)),
            after={
                "merge": str(merged.id),
                "loser": str(merged.loser_id),
                "replayed": answer is not None,
            },
            now=now,
        )
        return merged

    return await transaction(once)


def _answer(merged: Merge) -> dict[str, str | None]:
    undone = merged.undone_at
    return {"merge_id": str(merged.id), "undone_at": None if undone is None else undone.isoformat()}


async def _as_told(answer: Mapping[str, str | None]) -> Merge:
    """The merge as it was first answered, whatever became of it since."""
    merged = await find_merge(UUID(answer["merge_id"]))
    assert merged is not None, "merges are never deleted"
    undone = answer["undone_at"]
    return replace(merged, undone_at=None if undone is None else datetime.fromisoformat(undone))
