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

from domain.members.phone_keys import phone_vault
from domain.members.phones import mask_phone, open_row
from domain.members.values import Identity, IdentityKind, Member
from domain.outbox import Event, announce
from domain.storage import Table, fetch_all

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
    await insert_members([member.id], now=now)
    await bind(member.id, known_by, now=now)
    await announce([Event(kind="MemberJoined", member_id=member.id, facts=facts)], now=now)
    return member


async def bind(member_id: UUID, known_by: Iterable[Known], *, now: datetime) -> None:
    """Let these lead to the member too. None of them may lead to anybody yet."""
    await insert_identities(((member_id, known) for known in known_by), now=now)


async def insert_identities(
    bindings: Iterable[tuple[UUID, Known]], *, now: datetime, or_ignore: bool = False
) -> None:
    """Bind identities to members; `or_ignore` leaves alone those that are bound already."""
    await _IDENTITY.insert(
        (_row(member_id, known, now) for member_id, known in bindings), or_ignore=or_ignore
    )


async def identities(member_id: UUID) -> Sequence[Identity]:
    """All that the member is known by, oldest first."""
    rows = await fetch_all(
        "SELECT i.id, i.kind, i.app_id, i.subject, i.bound_at, p.sealed, p.key_id"
        " FROM member_identity i"
        " LEFT JOIN member_phone p ON p.member_id = i.member_id AND p.id = i.id"
        " WHERE i.member_id = $1 ORDER BY i.bound_at, i.kind, i.app_id, i.subject",
        member_id,
    )
    return [
        Identity(
            kind=IdentityKind(row["kind"]),
            app_id=row["app_id"],
            subject=row["subject"],
            bound_at=row["bound_at"],
            masked=mask_phone(open_row(phone_vault(), row)) if row["sealed"] else None,
        )
        for row in rows
    ]


async def insert_members(ids: Iterable[UUID], *, now: datetime) -> None:
    """Insert members who say nothing of themselves yet."""
    await _MEMBER.insert(
        {"id": member_id, "nickname": "", "joined_at": now, "version": 1} for member_id in ids
    )


def _row(member_id: UUID, known: Known, now: datetime) -> dict[str, Any]:
    return {
        "member_id": member_id,
        "id": uuid7(),
        "kind": known.kind.value,
        "app_id": known.app_id,
        "subject": known.subject,
        "bound_at": now,
    }
