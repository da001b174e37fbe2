"""All members page by page, as another system would bring them: the counterpart of `importing`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from domain.members.importing import BroughtMember
from domain.members.joining import Known
from domain.members.phones import phones_of
from domain.members.values import MEMBER_COLUMNS, IdentityKind, Member, member_of
from domain.storage import fetch_all, fetch_one

_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberListing:
    """Members of one page by id. The next page begins after `last`; None: there is none."""

    members: dict[UUID, BroughtMember]
    last: UUID | None


async def list_members(*, after: UUID | None, limit: int) -> MemberListing:
    """A page in the order of the members' ids; a fixed number of statements.

    Whoever nothing leads to any more, because they were erased or became one with another, is left
    out. A member without an external id has the text of their own id in its place.
    """
    rows = await fetch_all(
        f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.id > $1 ORDER BY m.id LIMIT $2",
        *(after or _FIRST, limit),
    )
    ids = [row["id"] for row in rows]
    known_by: dict[UUID, list[Known]] = defaultdict(list)
    for row in await fetch_all(
        "SELECT member_id, kind, app_id, subject FROM member_identity"
        " WHERE member_id = ANY($1::uuid[]) ORDER BY bound_at, kind, app_id, subject",
        ids,
    ):
        known = Known(kind=IdentityKind(row["kind"]), app_id=row["app_id"], subject=row["subject"])
        known_by[row["member_id"]].append(known)
    phones = await phones_of(ids)
    themes: dict[UUID, list[str]] = defaultdict(list)
    for row in await fetch_all(
        "SELECT member_id, theme_code FROM member_interest"
        " WHERE member_id = ANY($1::uuid[]) AND source = 'declared'",
        ids,
    ):
        themes[row["member_id"]].append(row["theme_code"])
    members = {
        member.id: _told(
            member,
            known_by[member.id],
            phone=phones.get(member.id),
            themes=tuple(sorted(themes[member.id])),
        )
        for member in map(member_of, rows)
        if member.id in known_by
    }
    return MemberListing(members=members, last=ids[-1] if len(ids) == limit else None)


async def standing_ids(*, after: UUID | None, limit: int) -> list[UUID]:
    """Ids of members in their order, `limit` at most; empty at the end. One statement.

    Records that were given up are left out: what they had stands with the record that has it now.
    """
    rows = await fetch_all(
        "SELECT id FROM member WHERE id > $1 AND merged_into IS NULL ORDER BY id LIMIT $2",
        *(after or _FIRST, limit),
    )
    return [row["id"] for row in rows]


async def count_members() -> int:
    """How many records there are, given up ones too: what a walk over all of them comes to."""
    row = await fetch_one("SELECT COUNT(*) AS members FROM member")
    assert row is not None, "a count without a group has one row"
    members: int = row["members"]
    return members


def _told(
    member: Member, known_by: list[Known], *, phone: str | None, themes: tuple[str, ...]
) -> BroughtMember:
    external = [one.subject for one in known_by if one.kind is IdentityKind.EXTERNAL]
    apart = {IdentityKind.EXTERNAL, IdentityKind.PHONE}
    return BroughtMember(
        external_id=external[0] if external else str(member.id),
        member_id=member.id,
        phone=phone,
        known_by=tuple(one for one in known_by if one.kind not in apart),
        nickname=member.nickname or None,
        avatar_url=member.avatar_url,
        birthday=member.birthday,
        gender=member.gender.value if member.gender else None,
        preferred_channel=member.preferred_channel,
        joined_at=member.joined_at,
        themes=themes,
    )
