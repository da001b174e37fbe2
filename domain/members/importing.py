"""Members whom a merchant brings from another system, many at once.

Whoever brings a member says all that they are known by. If nothing of it leads to anybody they
join; if it leads to one member it is them, and what they have not said of themselves is filled in;
if it leads to two, joining those is a decision of staff, and the member is refused.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import InvalidInput, Refusal
from domain.members.interest import bring_interests, clean_themes
from domain.members.joining import SUBJECT_CHARACTERS_MAX, Known, insert_identities
from domain.members.phones import bind_phone_identities, lock_phones, members_by_phones
from domain.members.profile import UNCHANGED, UpdateProfile, clean_profile
from domain.members.references import members_by_ids
from domain.members.standing import bound_to, lock_found
from domain.members.values import MEMBER_COLUMNS, IdentityKind, Member, member_of
from domain.outbox import Event, announce
from domain.storage import Table, fetch_all, inside_transaction
from domain.texts import clean_text

JOINED_AT_MIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY: Final = UUID(int=0)
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_SAID: Final = ("nickname", "avatar_url", "birthday", "gender", "preferred_channel")

_MEMBER: Final = Table(
    "member",
    id="uuid",
    nickname="text",
    avatar_url="text",
    birthday="date",
    gender="text",
    preferred_channel="text",
    joined_at="timestamptz",
    version="bigint",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtMember:
    """A member as another system knows them; None is what it does not know.

    `external_id` is its own name for them; `member_id` the id that they had in another programme of
    ours, from which they were exported. `phone` is E.164, `known_by` what else leads to them,
    `themes` what they care for.
    """

    external_id: str
    member_id: UUID | None = None
    phone: str | None = field(default=None, repr=False)
    known_by: tuple[Known, ...] = ()
    nickname: str | None = None
    avatar_url: str | None = None
    birthday: date | None = None
    gender: str | None = None
    preferred_channel: str | None = None
    joined_at: datetime | None = None
    themes: tuple[str, ...] = ()

    @property
    def identities(self) -> tuple[Known, ...]:
        """All that leads to them but the phone."""
        external = Known(kind=IdentityKind.EXTERNAL, app_id="", subject=self.external_id)
        return external, *self.known_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Whom a brought member turned out to be; `is_new` of those who joined by it."""

    member_id: UUID
    is_new: bool


def check_brought(member: BroughtMember, *, now: datetime) -> None:
    """Refuse with InvalidInput what may not be said of a member; the field is the attribute's."""
    for known in member.identities:
        name = "external_id" if known.kind is IdentityKind.EXTERNAL else known.kind.value
        clean_text(
            known.subject,
            field=(name,),
            characters_min=1,
            characters_max=SUBJECT_CHARACTERS_MAX,
        )
    if member.phone is not None and not _E164.fullmatch(member.phone):
        raise InvalidInput(field=("phone",), rule="a phone number in E.164")
    said = {name: getattr(member, name) for name in _SAID}
    clean_profile(
        UpdateProfile(
            member_id=_NOBODY,
            **{name: UNCHANGED if value is None else value for name, value in said.items()},
        ),
        now=now,
    )
    clean_themes(member.themes)
    if member.joined_at is not None and not JOINED_AT_MIN <= member.joined_at <= now:
        raise InvalidInput(field=("joined_at",), rule="from 1970 until now")


async def bring_profiles(
    brought: Sequence[BroughtMember], *, now: datetime
) -> list[Arrived | Refusal]:
    """Let members join or fill in those who are there; returns an outcome for each, in order.

    All are checked (`check_brought`), and no two have the same external id. Refused is, with
    InvalidInput, whoever leads to two members, or to one who has another external id or another
    phone, and whoever was exported from this very programme; nothing of theirs is written. Of
    members who are there the rows are locked. Runs in the caller's transaction; a fixed number of
    statements whatever the number of members.
    """
    assert inside_transaction(), "a member comes with all that is theirs, or not at all"
    await lock_phones(member.phone for member in brought if member.phone is not None)
    directory = await _Directory.of(brought)
    found: dict[int, UUID | None] = {}
    outcomes: dict[int, Arrived | Refusal] = {}
    for index, member in enumerate(brought):
        try:
            found[index] = directory.claim(member, index=index)
        except InvalidInput as refusal:
            outcomes[index] = refusal
    new = {index: uuid7() for index, member_id in found.items() if member_id is None}
    there = {index: member_id for index, member_id in found.items() if member_id is not None}
    await _join({new[index]: brought[index] for index in new}, now=now)
    await _fill_in({there[index]: brought[index] for index in there}, now=now)
    whose = {**new, **there}
    await _bind([(whose[index], brought[index]) for index in whose], directory, now=now)
    outcomes |= {
        index: Arrived(member_id=member_id, is_new=index in new)
        for index, member_id in whose.items()
    }
    return [outcomes[index] for index in range(len(brought))]


class _Directory:
    """To whom everything leads that the brought members are known by, as far as it is bound."""

    def __init__(
        self,
        *,
        by_identity: Mapping[Known, UUID],
        by_phone: Mapping[str, UUID],
        has: Mapping[UUID, set[IdentityKind]],
        ours: Collection[UUID],
    ) -> None:
        self.by_identity, self.by_phone = by_identity, by_phone
        self._has, self._ours = has, ours
        # What members of this very batch are known by, and who of those who are there is taken.
        self._claimed: dict[Known | str, int] = {}
        self._taken: set[UUID] = set()

    @classmethod
    async def of(cls, brought: Sequence[BroughtMember]) -> _Directory:
        """Read it, and lock the members to whom it leads."""
        wanted = {known for member in brought for known in member.identities}
        phones = [member.phone for member in brought if member.phone is not None]

        async def look() -> tuple[Mapping[Known, UUID], Mapping[str, UUID]]:
            return await _bound(wanted), await members_by_phones(phones)

        by_identity, by_phone = await lock_found(
            look, lambda found: [*found[0].values(), *found[1].values()]
        )
        there = {*by_identity.values(), *by_phone.values()}
        has: dict[UUID, set[IdentityKind]] = defaultdict(set)
        if there:
            for row in await fetch_all(
                "SELECT member_id, kind FROM member_identity WHERE member_id = ANY($1::uuid[])",
                sorted(there),
            ):
                has[row["member_id"]].add(IdentityKind(row["kind"]))
        elsewhere = [member.member_id for member in brought if member.member_id is not None]
        ours = (await members_by_ids(elsewhere)).keys()
        return cls(by_identity=by_identity, by_phone=by_phone, has=has, ours=ours)

    def claim(self, member: BroughtMember, *, index: int) -> UUID | None:
        """The member whom it is, None for nobody yet; InvalidInput where it cannot be one."""
        if member.member_id in self._ours:
            rule = "not that of a member of this very programme"
            raise InvalidInput(field=("member_id",), rule=rule)
        names: dict[Known | str, UUID | None] = {
            known: self.by_identity.get(known) for known in member.identities
        }
        if member.phone is not None:
            names[member.phone] = self.by_phone.get(member.phone)
        member_id = next((one for one in names.values() if one is not None), None)
        for name, one in names.items():
            if self._claimed.get(name, index) != index:
                raise InvalidInput(field=(_field_of(name),), rule="of one member only")
            if one not in {None, member_id}:
                raise InvalidInput(field=(_field_of(name),), rule="not that of another member")
        if member_id is not None:
            self._check_one(member, member_id, names)
            self._taken.add(member_id)
        self._claimed |= dict.fromkeys(names, index)
        return member_id

    def _check_one(
        self, member: BroughtMember, member_id: UUID, names: Mapping[Known | str, UUID | None]
    ) -> None:
        external, *_ = member.identities
        has = self._has[member_id]
        if names[external] is None and (IdentityKind.EXTERNAL in has or member_id in self._taken):
            rule = "that of a member without another external id"
            raise InvalidInput(field=("external_id",), rule=rule)
        phone = member.phone
        if phone is not None and names[phone] is None and IdentityKind.PHONE in has:
            raise InvalidInput(field=("phone",), rule="that of a member without another phone")


async def _bound(wanted: Collection[Known]) -> Mapping[Known, UUID]:
    """The members of the identities. A subject may be bound in other apps too: those drop out."""
    rows = await bound_to(
        "i.kind = ANY($1::text[]) AND i.subject = ANY($2::text[])",
        sorted({known.kind.value for known in wanted}),
        sorted({known.subject for known in wanted}),
    )
    found = {
        Known(kind=IdentityKind(row["kind"]), app_id=row["app_id"], subject=row["subject"]): to
        for row, to in rows
    }
    return {known: found[known] for known in wanted if known in found}


def _field_of(name: Known | str) -> str:
    if isinstance(name, str):
        return "phone"
    return "external_id" if name.kind is IdentityKind.EXTERNAL else name.kind.value


async def _join(joining: Mapping[UUID, BroughtMember], *, now: datetime) -> None:
    await _MEMBER.insert(
        {
            "id": member_id,
            "nickname": member.nickname or "",
            "avatar_url": member.avatar_url,
            "birthday": member.birthday,
            "gender": member.gender,
            "preferred_channel": member.preferred_channel,
            "joined_at": member.joined_at or now,
            "version": 1,
        }
        for member_id, member in joining.items()
    )
    await bring_interests({i: member.themes for i, member in joining.items()}, now=now)
    await announce(
        (
            Event(kind="MemberJoined", member_id=member_id, facts={"via": "import"})
            for member_id in joining
        ),
        now=now,
    )


async def _fill_in(there: Mapping[UUID, BroughtMember], *, now: datetime) -> None:
    """Let what members have not said be said; what they have said stays."""
    if not there:
        return
    rows = await fetch_all(
        f"SELECT {MEMBER_COLUMNS} FROM member m WHERE m.id = ANY($1::uuid[])", list(there)
    )
    brought_interests = await bring_interests(
        {i: member.themes for i, member in there.items()}, now=now
    )
    written: list[dict[str, Any]] = []
    events: list[Event] = []
    for row in rows:
        before = member_of(row)
        filled = _filled(before, there[before.id])
        if filled or before.id in brought_interests:
            written.append(_row(before, filled))
        if filled:
            # Which fields changed, never to what: an event outlives an erasure.
            facts = {"fields": sorted(filled)}
            events.append(Event(kind="ProfileUpdated", member_id=before.id, facts=facts))
    await _MEMBER.update(written, key=("id",))
    await announce(events, now=now)


def _filled(before: Member, member: BroughtMember) -> dict[str, Any]:
    """The fields that were blank and now are not; a member was here since the earlier moment."""
    filled = {
        name: value
        for name in _SAID
        if (value := getattr(member, name)) and not getattr(before, name)
    }
    if member.joined_at is not None and member.joined_at < before.joined_at:
        filled["joined_at"] = member.joined_at
    return filled


def _row(before: Member, filled: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": before.id,
        "nickname": before.nickname,
        "avatar_url": before.avatar_url,
        "birthday": before.birthday,
        "gender": before.gender.value if before.gender else None,
        "preferred_channel": before.preferred_channel,
        "joined_at": before.joined_at,
        **filled,
        "version": before.version + 1,
    }


async def _bind(
    whose: Sequence[tuple[UUID, BroughtMember]], directory: _Directory, *, now: datetime
) -> None:
    """Let all that leads to nobody yet lead to them."""
    await insert_identities(
        (
            (member_id, known)
            for member_id, member in whose
            for known in member.identities
            if known not in directory.by_identity
        ),
        now=now,
    )
    await bind_phone_identities(
        (
            (member_id, member.phone)
            for member_id, member in whose
            if member.phone is not None and member.phone not in directory.by_phone
        ),
        now=now,
    )
