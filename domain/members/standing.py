"""Whose record it is now: ids that were given up are followed, and records locked.

A merge or an erasure may commit between a look and a lock. Whoever waited for one goes on with the
record that the person has now, and writes nothing to the one that was given up. This is the one
place where other modules, and other contexts, lock members.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar
from uuid import UUID

from domain.errors import MemberNotFound
from domain.storage import Row, TransactionContended, fetch_all, inside_transaction

STEPS_MAX: Final = 64
"""So many merges an id is followed through; a person with more records than that is none."""

LOOKS_MAX: Final = 4
"""How often it is looked: once more after each merge on the way."""

_LOOK: Final = "SELECT id, merged_into FROM member WHERE id = ANY($1::uuid[])"

_BOUND: Final = """
    SELECT i.kind, i.app_id, i.subject, i.member_id, m.merged_into
    FROM member_identity i JOIN member m ON m.id = i.member_id
"""

FoundT = TypeVar("FoundT")


async def heirs(member_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """To whom each id leads: itself, or the record that the person has now; no unknown ids.

    One statement, and one more for each merge on the way.
    """
    return await _follow(member_ids, _LOOK)


async def lock_members(member_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """As `heirs`, and nobody merges, parts or erases these records until the transaction ends.

    Whoever locks accounts too locks members first. No statement for none.
    """
    assert inside_transaction(), "a lock ends with its transaction"
    # In one order for everybody, so that two batches never wait in a circle. An id that was given
    # up is locked as well, and so stays what it is while the lock goes on to the next one.
    return await _follow(member_ids, f"{_LOOK} ORDER BY id FOR NO KEY UPDATE")


async def lock_member(member_id: UUID, *, field: Sequence[str] = ()) -> UUID:
    """The id of the record that the person has now, locked; MemberNotFound, by the field."""
    locked = await lock_members([member_id])
    if member_id not in locked:
        raise MemberNotFound(field=tuple(field))
    return locked[member_id]


async def lock_found(
    look: Callable[[], Awaitable[FoundT]], whose: Callable[[FoundT], Collection[UUID]]
) -> FoundT:
    """What is found under the locks of those whose it is: `look` is run again once they are held.

    So it is still found after the wait for a merge, for its undoing or for an erasure, or is found
    elsewhere by then. What is kept of somebody who was erased is found, too: of an id that leads to
    nobody there is no record to lock, and there never will be.
    """
    settled: set[UUID] = set()
    for _ in range(LOOKS_MAX):
        found = await look()
        ids = set(whose(found))
        if ids <= settled:
            return found
        leads = await lock_members(ids)
        settled |= set(leads.values()) | (ids - leads.keys())
    raise TransactionContended("the members' records were joined to others each time")


async def bound_to(condition: str, *values: object) -> Sequence[tuple[Row, UUID]]:
    """Identities, `i` in the condition, each with the member to whom it leads; in one statement.

    None is bound to a record that was given up. If one were, it would lead on all the same, by
    further statements.
    """
    rows = await fetch_all(f"{_BOUND} WHERE {condition}", *values)
    given_up = {row["member_id"] for row in rows if row["merged_into"] is not None}
    leads = await heirs(given_up) if given_up else {}
    return [(row, leads.get(row["member_id"], row["member_id"])) for row in rows]


async def records_of(member_ids: Collection[UUID]) -> Sequence[UUID]:
    """All records of these persons: those named, and each that leads to one of them."""
    return list(await owners_of_records(member_ids))


async def owners_of_records(member_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """All records of these persons, as `records_of`, each with the one named that it leads to."""
    found = {one: one for one in member_ids}
    fresh = list(found)
    for _ in range(STEPS_MAX):
        if not fresh:
            break
        rows = await fetch_all(
            "SELECT id, merged_into FROM member WHERE merged_into = ANY($1::uuid[]) ORDER BY id",
            fresh,
        )
        fresh = [row["id"] for row in rows if row["id"] not in found]
        found |= {row["id"]: found[row["merged_into"]] for row in rows if row["id"] not in found}
    return found


async def given_up_with(merge_ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """The record that was given up with each of these merges; one statement, none for none."""
    if not merge_ids:
        return {}
    rows = await fetch_all(
        "SELECT id, loser_id FROM member_merge WHERE id = ANY($1::uuid[])", sorted(merge_ids)
    )
    return {row["id"]: row["loser_id"] for row in rows}


async def lock_records(member_ids: Collection[UUID]) -> Mapping[UUID, UUID | None]:
    """Lock these very records to merge, part or erase them; and who each was merged into.

    In one order, until the transaction ends. Whoever locks members meanwhile waits, and finds where
    they lead.
    """
    assert inside_transaction(), "a lock ends with its transaction"
    rows = await fetch_all(f"{_LOOK} ORDER BY id FOR UPDATE", sorted(set(member_ids)))
    return {row["id"]: row["merged_into"] for row in rows}


async def _follow(member_ids: Collection[UUID], statement: str) -> Mapping[UUID, UUID]:
    leads: dict[UUID, UUID] = {}
    asked = set(member_ids)
    for _ in range(STEPS_MAX):
        if not asked:
            break
        rows = await fetch_all(statement, sorted(asked))
        leads |= {row["id"]: row["merged_into"] or row["id"] for row in rows}
        asked = {to for to in leads.values() if to not in leads}
    return {one: end for one in member_ids if (end := _end(one, leads)) is not None}


def _end(member_id: UUID, leads: Mapping[UUID, UUID]) -> UUID | None:
    """Where the way ends; None for an id that nobody has."""
    for _ in range(STEPS_MAX):
        to = leads.get(member_id)
        if to is None or to == member_id:
            return to
        member_id = to
    return None
