"""How others name a member: by id, by phone, by WeChat identity, by a reference.

Shops and partners name members in batches, so references resolve in batches: two statements at most
whatever their number and mixture, and a few more where somebody names a record that was given up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Final, TypeAlias
from uuid import UUID

import orjson

from domain.members.joining import SUBJECT_CHARACTERS_MAX
from domain.members.phone_keys import phone_vault
from domain.members.standing import bound_to, heirs, lock_found
from domain.members.values import MEMBER_COLUMNS, IdentityKind, Member, member_of
from domain.storage import fetch_all
from domain.texts import is_storable


@dataclass(frozen=True, slots=True)
class ById:
    """The member's own id."""

    member_id: UUID


@dataclass(frozen=True, slots=True)
class ByWeChat:
    """The openid under which a mini-program knows the member."""

    app_id: str
    open_id: str


@dataclass(frozen=True, slots=True)
class ByExternalReference:
    """What the merchant's other systems call the member; one namespace per programme."""

    reference: str


@dataclass(frozen=True, slots=True)
class ByPhone:
    """A phone number, E.164, that the member proved to be theirs or that an import brought."""

    phone: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ByBindToken:
    """The short-lived token of a game binding. Of one partner alone: here it leads to nobody."""

    bind_token: str


@dataclass(frozen=True, slots=True)
class ByPairwiseReference:
    """What one partner alone calls the member: here, where no partner asks, it leads to nobody."""

    member_ref: str


MemberRef: TypeAlias = (
    ById | ByWeChat | ByExternalReference | ByPhone | ByBindToken | ByPairwiseReference
)
"""One of the ways to name a member."""

_Subject: TypeAlias = tuple[IdentityKind, str, str]
"""Kind, app id and subject of an identity."""

_KINDS: Final = [
    IdentityKind.WECHAT_OPENID.value,
    IdentityKind.EXTERNAL.value,
    IdentityKind.PHONE.value,
]


def as_named(member: MemberRef) -> list[str]:
    """How the member was named, for digests: two ways to name one member count as different.

    What is named stays the same name, also where it leads to another record by now. An id stands as
    it is; all phone numbers can be tried, and so can openids and references of which somebody has a
    list: those are under the pepper, which is not in the database. Raises PhoneKeysInvalid where
    there is none.
    """
    way = type(member).__name__
    if isinstance(member, ById):
        return [way, str(member.member_id)]
    values = (getattr(member, one.name) for one in fields(member))
    # A lone surrogate is what canonical JSON cannot hold.
    plain = [v.encode("utf-8", "replace").decode() if isinstance(v, str) else v for v in values]
    return [way, phone_vault().name_digest(orjson.dumps([way, *plain]))]


async def resolve_members(references: Sequence[MemberRef]) -> list[UUID | None]:
    """The id of the member whom each reference names, in order; None where it names nobody.

    The id of a record that was given up names the member who has it now.
    """
    leads = await heirs({ref.member_id for ref in references if isinstance(ref, ById)})
    subjects = [_subjects(ref) for ref in references]
    known = await _bound({subject for candidates in subjects for subject in candidates})
    resolved: list[UUID | None] = []
    for ref, candidates in zip(references, subjects, strict=True):
        if isinstance(ref, ById):
            resolved.append(leads.get(ref.member_id))
        else:
            found = (known[subject] for subject in candidates if subject in known)
            resolved.append(next(found, None))
    return resolved


async def lock_resolved(references: Sequence[MemberRef]) -> list[UUID | None]:
    """As `resolve_members`, and nobody merges, parts or erases these members until the commit.

    Whoever waited for staff to part two records finds whom each reference names now.
    """
    return await lock_found(
        lambda: resolve_members(references),
        lambda found: {member_id for member_id in found if member_id is not None},
    )


async def members_by_ids(member_ids: Sequence[UUID]) -> Mapping[UUID, Member]:
    """The members with these ids, in one statement; an unknown id is not in the answer.

    The id of a record that was given up gives the member who has it now, by further statements.
    """
    if not member_ids:
        return {}
    rows = await fetch_all(_BY_IDS, list(member_ids))
    found = {row["id"]: member_of(row) for row in rows if row["merged_into"] is None}
    given_up = [row["id"] for row in rows if row["merged_into"] is not None]
    if given_up:
        leads = await heirs(given_up)
        rows = await fetch_all(_BY_IDS, sorted(set(leads.values())))
        has_it = {row["id"]: member_of(row) for row in rows}
        found |= {one: has_it[to] for one, to in leads.items() if to in has_it}
    return found


_BY_IDS: Final = (
    f"SELECT {MEMBER_COLUMNS}, m.merged_into FROM member m WHERE m.id = ANY($1::uuid[])"
)


def _subjects(ref: MemberRef) -> Sequence[_Subject]:
    """The identities to look for; none where the reference is of another kind or names nobody.

    A phone number may be known by an index under each of the keys.
    """
    match ref:
        case ByWeChat(app_id, open_id):
            subject = (IdentityKind.WECHAT_OPENID, app_id, open_id)
        case ByExternalReference(reference):
            subject = (IdentityKind.EXTERNAL, "", reference)
        case ByPhone(phone) if is_storable(phone, characters_max=SUBJECT_CHARACTERS_MAX):
            return [(IdentityKind.PHONE, "", index) for index in phone_vault().indexes(phone)]
        case _:
            return ()
    # What cannot be stored is bound to nobody, and PostgreSQL would refuse the whole batch for it.
    return [subject] if is_storable(subject[2], characters_max=SUBJECT_CHARACTERS_MAX) else ()


async def _bound(subjects: set[_Subject]) -> Mapping[_Subject, UUID]:
    """The members of the identities. A subject may be bound in other apps too: those drop out."""
    if not subjects:
        return {}
    rows = await bound_to(
        "i.kind = ANY($1::text[]) AND i.subject = ANY($2::text[])",
        *(_KINDS, [subject for _, _, subject in subjects]),
    )
    return {(IdentityKind(row["kind"]), row["app_id"], row["subject"]): to for row, to in rows}
