"""Bindings: which members allow a partner, and what the partner alone calls them.

The name is random and differs from partner to partner, so that no two of them can tell that they
know the same person. It stays when the binding ends, and leads to nobody's points from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.ledger import Books, lock_named
from domain.members import ById, ByPairwiseReference, MemberRef, lock_member
from domain.storage import execute, fetch_all, fetch_one, transaction
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


async def bind_member(
    partner_id: UUID, member_id: UUID, *, consent_version: str | None = None, now: datetime
) -> str:
    """Bind the member to the partner, again where the binding had ended; returns the `memberRef`.

    The consent is the caller's matter. Refused: MemberNotFound.
    """

    async def work() -> str:
        locked = await lock_member(member_id)
        known = await fetch_one(
            "SELECT member_ref FROM game_binding WHERE partner_id = $1 AND member_id = $2"
            " ORDER BY unbound_at IS NOT NULL, came_with IS NOT NULL, member_ref LIMIT 1",
            *(partner_id, locked),
        )
        if known is not None:
            await execute(
                "UPDATE game_binding SET unbound_at = NULL, consent_version = $3,"
                " bound_at = CASE WHEN unbound_at IS NULL THEN bound_at ELSE $4 END"
                " WHERE partner_id = $1 AND member_ref = $2",
                *(partner_id, known["member_ref"], consent_version, now),
            )
            return str(known["member_ref"])
        member_ref = f"gm_{secrets.token_urlsafe(24)}"
        await execute(
            "INSERT INTO game_binding (partner_id, member_ref, member_id, bound_at,"
            " consent_version) VALUES ($1, $2, $3, $4, $5)",
            *(partner_id, member_ref, locked, now, consent_version),
        )
        return member_ref

    return await transaction(work)


async def unbind_member(partner_id: UUID, member_id: UUID, *, now: datetime) -> bool:
    """End what binds the member to the partner; whether anything did. Refused: MemberNotFound."""

    async def work() -> bool:
        locked = await lock_member(member_id)
        ended = await execute(
            "UPDATE game_binding SET unbound_at = $3"
            " WHERE partner_id = $1 AND member_id = $2 AND unbound_at IS NULL",
            *(partner_id, locked, now),
        )
        return ended > 0

    return await transaction(work)


async def lock_bound(
    partner_id: UUID, references: Sequence[MemberRef], *, others: Collection[UUID] = ()
) -> Named:
    """Whom the references name, locked with their accounts and bindings until the commit.

    A partner's name that belongs to another record since the look names nobody for the moment. The
    bindings are locked for one pusher at a time: a member who has no account yet has nothing else
    that two batches could meet at.
    """
    refs = sorted({one.member_ref for one in references if isinstance(one, ByPairwiseReference)})
    storable = [one for one in refs if is_storable(one, characters_max=MEMBER_REF_CHARACTERS_MAX)]
    rows = await fetch_all(
        "SELECT member_ref, member_id FROM game_binding"
        " WHERE partner_id = $1 AND member_ref = ANY($2::text[])",
        *(partner_id, storable),
    )
    leads = {row["member_ref"]: row["member_id"] for row in rows}
    plain = [
        ById(leads.get(one.member_ref, _NOBODY)) if isinstance(one, ByPairwiseReference) else one
        for one in references
    ]
    found, books = await lock_named(plain, others=others)
    standings = await _lock_standings(partner_id, {one for one in found if one is not None})
    members = [
        None if _is_anothers(reference, member_id, standings) else member_id
        for reference, member_id in zip(references, found, strict=True)
    ]
    return Named(members=members, books=books, standings=standings)


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
