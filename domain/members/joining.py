"""Joining the programme: new members, and what they are known by.

An identity belongs to one member (UNIQUE in the database). Two transactions that bind the same one
race for that constraint: the loser is run again and finds what the winner wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import InvalidInput
from domain.members.values import Identity, IdentityKind, Member
from domain.outbox import Event, announce
from domain.storage import Table, execute, fetch_all, transaction
from domain.texts import is_storable

SUBJECT_CHARACTERS_MAX: Final = 128

_MEMBER: Final = Table(
    "member", id="uuid", nickname="text", joined_at="timestamptz", version="bigint"
)
_IDENTITY: Final = Table(
    "member_identity",
    member_id="uuid",
    id="uuid",
    kind="text",
    app_id="text",
    subject="text",
    bound_at="timestamptz",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One thing a person is known by, bound to a member or not yet."""

    kind: IdentityKind
    app_id: str
    subject: str


async def join(known_by: Iterable[Known], *, facts: Mapping[str, Any], now: datetime) -> Member:
    """Make a member who is known by these, and announce MemberJoined with the facts."""
    member = Member(
        id=uuid7(),
        nickname="",
        avatar_url=None,
        birthday=None,
        gender=None,
        preferred_channel=None,
        joined_at=now,
        version=1,
    )
    await _insert_members([member.id], now=now)
    await bind(member.id, known_by, now=now)
    await announce([Event(kind="MemberJoined", member_id=member.id, facts=facts)], now=now)
    return member


async def bind(member_id: UUID, known_by: Iterable[Known], *, now: datetime) -> None:
    """Let these lead to the member too. None of them may lead to anybody yet."""
    await _IDENTITY.insert(_row(member_id, known, now) for known in known_by)


async def identities(member_id: UUID) -> Sequence[Identity]:
    """All that the member is known by, oldest first."""
    rows = await fetch_all(
        "SELECT kind, app_id, subject, bound_at FROM member_identity WHERE member_id = $1"
        " ORDER BY bound_at, kind, app_id, subject",
        member_id,
    )
    return [
        Identity(
            kind=IdentityKind(row["kind"]),
            app_id=row["app_id"],
            subject=row["subject"],
            bound_at=row["bound_at"],
        )
        for row in rows
    ]


async def register_external_members(
    references: Sequence[str], *, now: datetime
) -> Mapping[str, UUID]:
    """The member of each external reference; unknown references join now.

    External references are one namespace for the whole programme. A fixed number of statements
    whatever the batch. Any number of callers may register the same references at once: each comes
    to one member. InvalidInput for a reference that is empty, longer than 128 characters or not
    plain text; then nobody joins.
    """
    for number, reference in enumerate(references):
        if not is_storable(reference, characters_max=SUBJECT_CHARACTERS_MAX):
            raise InvalidInput(
                field=("references", str(number)),
                rule=f"1 to {SUBJECT_CHARACTERS_MAX} characters, no control characters",
            )
    # In one order for everybody: two batches never wait for each other in a circle.
    wanted = sorted(set(references))

    async def work() -> Mapping[str, UUID]:
        known = await _members_of_references(wanted)
        missing = [reference for reference in wanted if reference not in known]
        return {**known, **await _join_by_reference(missing, now=now)} if missing else known

    return await transaction(work)


async def _join_by_reference(missing: Sequence[str], *, now: datetime) -> Mapping[str, UUID]:
    """Insert a member for each reference, unless a competitor's is there first."""
    fresh = {reference: uuid7() for reference in missing}
    await _insert_members(fresh.values(), now=now)
    await _IDENTITY.insert(
        (_row(member_id, _external(reference), now) for reference, member_id in fresh.items()),
        or_ignore=True,
    )
    # The insert waited for competitors to commit, so this read sees all that they wrote.
    joined = await _members_of_references(missing)
    lost = [fresh[reference] for reference in missing if joined[reference] != fresh[reference]]
    if lost:
        await execute("DELETE FROM member WHERE id = ANY($1::uuid[])", lost)
    await announce(
        (
            Event(kind="MemberJoined", member_id=fresh[reference], facts={"via": "external"})
            for reference in missing
            if joined[reference] == fresh[reference]
        ),
        now=now,
    )
    return joined


async def _members_of_references(references: Sequence[str]) -> Mapping[str, UUID]:
    rows = await fetch_all(
        "SELECT subject, member_id FROM member_identity"
        " WHERE kind = 'external' AND app_id = '' AND subject = ANY($1::text[])",
        references,
    )
    return {row["subject"]: row["member_id"] for row in rows}


async def _insert_members(ids: Iterable[UUID], *, now: datetime) -> None:
    await _MEMBER.insert(
        {"id": member_id, "nickname": "", "joined_at": now, "version": 1} for member_id in ids
    )


def _external(reference: str) -> Known:
    return Known(kind=IdentityKind.EXTERNAL, app_id="", subject=reference)


def _row(member_id: UUID, known: Known, now: datetime) -> dict[str, Any]:
    return {
        "member_id": member_id,
        "id": uuid7(),
        "kind": known.kind.value,
        "app_id": known.app_id,
        "subject": known.subject,
        "bound_at": now,
    }
