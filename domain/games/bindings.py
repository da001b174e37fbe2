"""Bindings: which members allow a partner, and what the partner alone calls them.

The name is random and differs from partner to partner, so that no two of them can tell that they
know the same person. It stays when the binding ends, and leads to nobody's points from then on.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from domain import audit
from domain.audit import Actor, Target
from domain.errors import InvalidInput, PartnerUnknown
from domain.games.partners import Partner, known_partner, partner_of
from domain.members import lock_member
from domain.outbox import Event, announce
from domain.storage import execute, fetch_all, fetch_one, transaction


class UnboundBecause(StrEnum):
    """Why a binding ended, as the event `MemberUnbound` tells it."""

    MEMBER = "member"
    """The member ended it."""

    CONSENT = "consent"
    """The member withdrew the consent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A binding that stands: what the partner calls the member, and since when."""

    member_ref: str
    bound_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A partner whom a member allows."""

    partner_code: str
    partner_name_zh: str
    partner_name_en: str
    bound_at: datetime


async def bind_member(
    partner_id: UUID, member_id: UUID, *, consent_version: str | None = None, now: datetime
) -> str:
    """Bind the member to the partner, again where the binding had ended; returns the `memberRef`.

    The consent is the caller's matter. Refused: PartnerUnknown, MemberNotFound.
    """

    async def work() -> str:
        partner = await partner_of(partner_id)
        if partner is None:
            raise PartnerUnknown
        locked = await lock_member(member_id)
        bound = await bind_locked(partner, locked, consent_version=consent_version, now=now)
        return bound.member_ref

    return await transaction(work)


async def bind_sandbox_member(code: str, member_id: UUID, *, by: Actor, now: datetime) -> Partner:
    """Bind a member, who knows of it, to a partner that tries things out.

    They may leave it and come back as they do with any other. Refused: PartnerUnknown,
    InvalidInput (it is no such partner), MemberNotFound.
    """

    async def work() -> Partner:
        partner = await known_partner(code)
        if not partner.sandbox:
            raise InvalidInput(field=("code",), rule="a partner that tries things out")
        await bind_member(partner.account_id, member_id, now=now)
        target = Target(kind="partner", id=code)
        after = {"member": str(member_id)}
        audit.record(by, "partner.bind_sandbox_member", target=target, after=after, now=now)
        return partner

    return await transaction(work)


async def was_bound(partner_id: UUID, member_id: UUID) -> bool:
    """Whether the member is bound to the partner, or was before."""
    found = await fetch_one(
        "SELECT 1 AS found FROM game_binding WHERE partner_id = $1 AND member_id = $2 LIMIT 1",
        *(partner_id, member_id),
    )
    return found is not None


async def bind_locked(
    partner: Partner, member_id: UUID, *, consent_version: str | None, now: datetime
) -> Bound:
    """As `bind_member`, in the caller's transaction, which has the member locked."""
    known = await fetch_one(
        "SELECT member_ref, bound_at, unbound_at FROM game_binding"
        " WHERE partner_id = $1 AND member_id = $2"
        " ORDER BY unbound_at IS NOT NULL, came_with IS NOT NULL, member_ref LIMIT 1",
        *(partner.account_id, member_id),
    )
    if known is None:
        bound = Bound(member_ref=f"gm_{secrets.token_urlsafe(24)}", bound_at=now)
        await execute(
            "INSERT INTO game_binding (partner_id, member_ref, member_id, bound_at,"
            " consent_version) VALUES ($1, $2, $3, $4, $5)",
            *(partner.account_id, bound.member_ref, member_id, now, consent_version),
        )
    else:
        stands = known["unbound_at"] is None
        bound = Bound(member_ref=known["member_ref"], bound_at=known["bound_at"] if stands else now)
        await execute(
            "UPDATE game_binding SET unbound_at = NULL, consent_version = $3, bound_at = $4"
            " WHERE partner_id = $1 AND member_ref = $2",
            *(partner.account_id, bound.member_ref, consent_version, bound.bound_at),
        )
        if stands:
            return bound
    told = Event(kind="MemberBound", member_id=member_id, facts=_facts(partner))
    await announce([told], now=now)
    return bound


async def unbind_member(
    partner_id: UUID,
    member_id: UUID,
    *,
    because: UnboundBecause = UnboundBecause.MEMBER,
    now: datetime,
) -> bool:
    """End what binds the member to the partner; whether anything did. Refused: MemberNotFound.

    Tokens that had not reached the partner yet are good for nothing then.
    """

    async def work() -> bool:
        locked = await lock_member(member_id)
        rows = await fetch_all(
            "SELECT member_ref FROM game_binding"
            " WHERE partner_id = $1 AND member_id = $2 AND unbound_at IS NULL ORDER BY member_ref",
            *(partner_id, locked),
        )
        if not rows:
            return False
        await execute(
            "UPDATE game_binding SET unbound_at = $3"
            " WHERE partner_id = $1 AND member_id = $2 AND unbound_at IS NULL",
            *(partner_id, locked, now),
        )
        await execute(
            "DELETE FROM game_bind_token WHERE partner_id = $1 AND member_id = $2",
            *(partner_id, locked),
        )
        partner = await partner_of(partner_id)
        assert partner is not None, "a binding is of a partner"
        await announce(
            [_unbound(partner, locked, row["member_ref"], because=because) for row in rows],
            now=now,
        )
        return True

    return await transaction(work)


async def bindings_of(member_id: UUID) -> Sequence[Binding]:
    """Whom the member allows now, each partner once, those of longest standing first."""
    rows = await fetch_all(
        "SELECT p.code, p.name_zh, p.name_en, b.bound_at FROM game_binding b"
        " JOIN partner p ON p.account_id = b.partner_id"
        " WHERE b.member_id = $1 AND b.unbound_at IS NULL ORDER BY b.bound_at, p.code",
        member_id,
    )
    found: dict[str, Binding] = {}
    for row in rows:
        binding = Binding(
            partner_code=row["code"],
            partner_name_zh=row["name_zh"],
            partner_name_en=row["name_en"],
            bound_at=row["bound_at"],
        )
        found.setdefault(binding.partner_code, binding)
    return list(found.values())


def _facts(partner: Partner) -> dict[str, Any]:
    return {
        "partner_id": str(partner.account_id),
        "partner": partner.code,
        "title_zh": partner.name_zh,
        "title_en": partner.name_en,
    }


def _unbound(
    partner: Partner, member_id: UUID, member_ref: str, *, because: UnboundBecause
) -> Event:
    facts = _facts(partner) | {"member_ref": member_ref, "because": because.value}
    return Event(kind="MemberUnbound", member_id=member_id, facts=facts)
