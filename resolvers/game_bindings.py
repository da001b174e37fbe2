"""Which partners a member allows, and how they come to know the member."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import games
from domain.errors import PartnerUnknown
from domain.games import Binding, CreateGameBinding, NewBinding, RemoveGameBinding
from resolvers.context import RequestContext
from resolvers.games import asking_partner


async def bindings(member_id: UUID) -> Sequence[Binding]:
    """Whom the member allows now."""
    return await games.bindings_of(member_id)


async def create_binding(
    context: RequestContext, *, partner_code: str, consent: bool, idempotency_key: str
) -> NewBinding:
    """Let the member who asks allow a partner."""
    command = CreateGameBinding(
        member_id=context.require_member(),
        partner_code=partner_code,
        consent=consent,
        idempotency_key=idempotency_key,
    )
    return await games.create_game_binding(command, now=context.now)


async def remove_binding(
    context: RequestContext, *, partner_code: str, idempotency_key: str
) -> bool:
    """Let the member who asks no longer allow a partner."""
    command = RemoveGameBinding(
        member_id=context.require_member(),
        partner_code=partner_code,
        idempotency_key=idempotency_key,
    )
    return await games.remove_game_binding(command, now=context.now)


async def exchange_bind_token(context: RequestContext, token: str) -> str:
    """What the partner who asks calls the member of this token from now on."""
    partner = await asking_partner(context)
    if partner is None:
        raise PartnerUnknown
    return await games.exchange_bind_token(partner.account_id, token, now=context.now)
