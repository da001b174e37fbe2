"""Allowing a partner, with a consent of its own (PIPL 23), and taking that back.

Who allows a partner agrees to the words for it and is bound in the same act. What the partner calls
the member reaches it by a token, through the game's page. Whoever withdraws, by whatever way, is
bound no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from domain import access, idempotency, members
from domain.errors import (
    ConsentRequired,
    ConsentUnknown,
    PartnerUnknown,
)
from domain.games.bind_tokens import bind_token, keep_bind_token
from domain.games.bindings import UnboundBecause, bind_locked, unbind_member, was_bound
from domain.games.partners import CODE_CHARACTERS_MAX, Partner, find_partner
from domain.members import PARTNER, Consent, SetConsent
from domain.outbox import Announced, Consumer
from domain.storage import fetch_all, transaction
from domain.texts import clean_text, is_storable

KEY_CHARACTERS_MAX: Final = 128
_WITHDRAWING: Final = frozenset({"MembersMerged", "MembersParted"})
"""After these somebody may have withdrawn who had not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateGameBinding:
    """Allow the partner to know the member, and to reward them. `consent` is their yes."""

    member_id: UUID
    partner_code: str
    consent: bool
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveGameBinding:
    """No longer allow the partner."""

    member_id: UUID
    partner_code: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBinding:
    """A partner whom the member allows, with a token that the partner exchanges until then."""

    partner: Partner
    bound_at: datetime
    bind_token: str = field(repr=False)
    expires_at: datetime


async def create_game_binding(command: CreateGameBinding, *, now: datetime) -> NewBinding:
    """Agree to the current words for the partner, and be bound; where it stands, another token.

    The same key gives the same token again, also after it has expired. Refused: InvalidInput,
    IdempotencyConflict, ConsentRequired, PartnerUnknown (also one that is disabled, and one that
    tries things out, unless staff has bound the member to it before), ConsentUnknown (the programme
    has no words for partners), MemberNotFound.
    """
    key = _checked(command.idempotency_key, command.partner_code)
    fields = {"partner_code": command.partner_code, "consent": command.consent}
    digests = idempotency.digests(fields)

    async def work() -> NewBinding:
        mine = await members.lock_member(command.member_id)
        earlier = await members.recall_own("game.bind", mine, key=key, digests=digests)
        partner = await find_partner(command.partner_code)
        if earlier is not None and partner is not None:
            return NewBinding(
                partner=partner,
                bound_at=datetime.fromisoformat(earlier.answer["bound_at"]),
                bind_token=bind_token(UUID(earlier.answer["number"])),
                expires_at=datetime.fromisoformat(earlier.answer["expires_at"]),
            )
        if not command.consent:
            raise ConsentRequired(field=("consent",))
        if partner is None or not await _is_open(partner, mine):
            raise PartnerUnknown(field=("partner_code",))
        consent = await _agree(mine, partner, now=now)
        bound = await bind_locked(partner, mine, consent_version=consent.version, now=now)
        number = uuid4()
        expires_at = await keep_bind_token(
            bind_token(number),
            partner_id=partner.account_id,
            member_ref=bound.member_ref,
            member_id=mine,
            now=now,
        )
        answer = {
            "number": str(number),
            "bound_at": bound.bound_at.isoformat(),
            "expires_at": expires_at.isoformat(),
        }
        await members.remember_own(
            "game.bind", mine, key=key, digests=digests, answer=answer, now=now
        )
        return NewBinding(
            partner=partner,
            bound_at=bound.bound_at,
            bind_token=bind_token(number),
            expires_at=expires_at,
        )

    return await transaction(work)


async def remove_game_binding(command: RemoveGameBinding, *, now: datetime) -> bool:
    """Withdraw the consent, and be bound no more; whether the member was.

    What was granted stays, and can be taken back still. Refused: InvalidInput,
    IdempotencyConflict, PartnerUnknown, MemberNotFound.
    """
    key = _checked(command.idempotency_key, command.partner_code)
    digests = idempotency.digests({"partner_code": command.partner_code})

    async def work() -> bool:
        mine = await members.lock_member(command.member_id)
        earlier = await members.recall_own("game.unbind", mine, key=key, digests=digests)
        if earlier is not None:
            return bool(earlier.answer["removed"])
        partner = await find_partner(command.partner_code)
        if partner is None:
            raise PartnerUnknown(field=("partner_code",))
        because = UnboundBecause.MEMBER
        removed = await unbind_member(partner.account_id, mine, because=because, now=now)
        purpose = f"{PARTNER}{partner.code}"
        if await members.has_consented(mine, purpose):
            said = SetConsent(member_id=mine, purpose=purpose, granted=False, version="")
            await members.set_consent(said, now=now)
        await members.remember_own(
            "game.unbind", mine, key=key, digests=digests, answer={"removed": removed}, now=now
        )
        return removed

    return await transaction(work)


async def heed_withdrawal(member_id: UUID, consent: Consent, *, now: datetime) -> None:
    """End what binds the member to a partner to whom they just said no, in the same transaction."""
    if consent.granted or not consent.purpose.startswith(PARTNER):
        return
    partner = await find_partner(consent.purpose.removeprefix(PARTNER))
    if partner is not None:
        because = UnboundBecause.CONSENT
        await unbind_member(partner.account_id, member_id, because=because, now=now)


def binding_consumer() -> Consumer:
    """Whoever ends bindings of those who came to say no by becoming one person, or two again.

    It looks at what holds now, so that repetition and delay do no harm.
    """

    async def end(events: Sequence[Announced]) -> None:
        at = {event.member_id: event.announced_at for event in events}
        for member_id, announced_at in at.items():
            await _end_unwilling(member_id, now=announced_at)

    return Consumer("game-bindings", _WITHDRAWING, end)


async def _end_unwilling(member_id: UUID, *, now: datetime) -> None:
    async def work() -> None:
        for mine in (await members.lock_members([member_id])).values():
            rows = await fetch_all(
                "SELECT DISTINCT p.code FROM game_binding b"
                " JOIN partner p ON p.account_id = b.partner_id"
                " WHERE b.member_id = $1 AND b.unbound_at IS NULL ORDER BY p.code",
                mine,
            )
            if not rows:
                continue
            purposes = {f"{PARTNER}{row['code']}" for row in rows}
            for said in await members.consents(mine):
                if said.purpose in purposes:
                    await heed_withdrawal(mine, said, now=now)

    await transaction(work)


async def _agree(member_id: UUID, partner: Partner, *, now: datetime) -> Consent:
    purpose = f"{PARTNER}{partner.code}"
    version = await members.current_consent_version(purpose)
    if version is None:
        raise ConsentUnknown(field=("partner_code",), purpose=purpose)
    said = SetConsent(member_id=member_id, purpose=purpose, granted=True, version=version)
    return await members.set_consent(said, now=now)


async def _is_open(partner: Partner, member_id: UUID) -> bool:
    """Whether the member may allow the partner. The points of one that tries things out are points
    like all others, so it has those members alone whom staff has given it.
    """
    account = await access.find_account(partner.code)
    if account is None or account.disabled_at is not None:
        return False
    return not partner.sandbox or await was_bound(partner.account_id, member_id)


def _checked(key: str, partner_code: str) -> str:
    """The key. Refused: InvalidInput; PartnerUnknown for what cannot be a code, nor be digested."""
    if not is_storable(partner_code, characters_max=CODE_CHARACTERS_MAX):
        raise PartnerUnknown(field=("partner_code",))
    return clean_text(
        key, field=("idempotency_key",), characters_min=1, characters_max=KEY_CHARACTERS_MAX
    )
