"""Whom a partner names, as far as it may know: by an id, a name of its own, a token, a number."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.games.bind_tokens import refs_of_tokens
from domain.ledger import Books, lock_named
from domain.members import ByBindToken, ById, ByPairwiseReference, MemberRef, lock_resolved
from domain.storage import fetch_all
from domain.texts import is_storable

MEMBER_REF_CHARACTERS_MAX: Final = 64
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a member stands with a partner: under which names, and whether they allow it now."""

    refs: frozenset[str] = frozenset()
    is_bound: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Whom the references of a batch name, in its order, with their accounts under lock.

    `standings` has those who are bound to the partner, or were.
    """

    members: Sequence[UUID | None]
    books: Books
    standings: Mapping[UUID, Standing] = field(default_factory=dict)


async def lock_bound(
    partner_id: UUID,
    references: Sequence[MemberRef],
    *,
    others: Collection[UUID] = (),
    now: datetime,
) -> Named:
    """Whom the references name, locked with their accounts and bindings until the commit.

    A partner's name that belongs to another record since the look names nobody for the moment. The
    bindings are locked for one pusher at a time: a member who has no account yet has nothing else
    that two batches could meet at.
    """
    references = await _pairwise(partner_id, references, now=now)
    found, books = await lock_named(await _plain(partner_id, references), others=others)
    members, standings = await _told(partner_id, references, found)
    return Named(members=members, books=books, standings=standings)


async def lock_visitors(
    partner_id: UUID, references: Sequence[MemberRef], *, now: datetime
) -> tuple[Sequence[UUID | None], Mapping[UUID, Standing]]:
    """As `lock_bound`, for what moves no points: accounts stay as they are."""
    if not references:
        return [], {}
    references = await _pairwise(partner_id, references, now=now)
    found = await lock_resolved(await _plain(partner_id, references))
    return await _told(partner_id, references, found)


async def _pairwise(
    partner_id: UUID, references: Sequence[MemberRef], *, now: datetime
) -> Sequence[MemberRef]:
    """The references, with what the partner calls a member in the place of each good token."""
    tokens = [one.bind_token for one in references if isinstance(one, ByBindToken)]
    refs = await refs_of_tokens(partner_id, tokens, now=now)
    return [
        ByPairwiseReference(refs.get(one.bind_token, "")) if isinstance(one, ByBindToken) else one
        for one in references
    ]


async def _plain(partner_id: UUID, references: Sequence[MemberRef]) -> Sequence[MemberRef]:
    """The references, with an id in the place of what the partner alone calls a member."""
    refs = sorted({one.member_ref for one in references if isinstance(one, ByPairwiseReference)})
    storable = [one for one in refs if is_storable(one, characters_max=MEMBER_REF_CHARACTERS_MAX)]
    rows = await fetch_all(
        "SELECT member_ref, member_id FROM game_binding"
        " WHERE partner_id = $1 AND member_ref = ANY($2::text[])",
        *(partner_id, storable),
    )
    leads = {row["member_ref"]: row["member_id"] for row in rows}
    return [
        ById(leads.get(one.member_ref, _NOBODY)) if isinstance(one, ByPairwiseReference) else one
        for one in references
    ]


async def _told(
    partner_id: UUID, references: Sequence[MemberRef], found: Sequence[UUID | None]
) -> tuple[Sequence[UUID | None], Mapping[UUID, Standing]]:
    """Those found whom the partner may learn of, in order, and how they stand with it."""
    standings = await _lock_standings(partner_id, {one for one in found if one is not None})
    members = [
        None if _is_anothers(reference, member_id, standings) else member_id
        for reference, member_id in zip(references, found, strict=True)
    ]
    return members, standings


def _is_anothers(
    reference: MemberRef, member_id: UUID | None, standings: Mapping[UUID, Standing]
) -> bool:
    """Whether the partner shall not learn from this reference that there is such a member.

    An id is random, so whoever has it knows the member. Phone numbers, openids and numbers of other
    systems can be tried: they name those alone who are bound to the partner, or were.
    """
    if member_id is None or isinstance(reference, ById):
        return False
    standing = standings.get(member_id)
    if isinstance(reference, ByPairwiseReference):
        return standing is None or reference.member_ref not in standing.refs
    return standing is None


async def _lock_standings(partner_id: UUID, member_ids: set[UUID]) -> Mapping[UUID, Standing]:
    rows = await fetch_all(
        "SELECT member_id, member_ref, unbound_at FROM game_binding"
        " WHERE partner_id = $1 AND member_id = ANY($2::uuid[])"
        " ORDER BY member_id, member_ref FOR NO KEY UPDATE",
        *(partner_id, sorted(member_ids)),
    )
    standings: dict[UUID, Standing] = {}
    for row in rows:
        before = standings.get(row["member_id"], Standing())
        standings[row["member_id"]] = Standing(
            refs=before.refs | {row["member_ref"]},
            is_bound=before.is_bound or row["unbound_at"] is None,
        )
    return standings
