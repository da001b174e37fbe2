"""Consents."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from domain import custody, members
from domain.members import Consent, ConsentText
from resolvers.context import RequestContext


async def consent_texts() -> Sequence[ConsentText]:
    """What the programme asks its members to agree to."""
    return await members.consent_texts()


async def consents(member_id: UUID) -> Sequence[Consent]:
    """What the member said of each purpose."""
    return await members.consents(member_id)


async def set_consent(
    context: RequestContext, *, purpose: str, granted: bool, version: str
) -> Consent:
    """Let the member who asks agree, or withdraw."""
    command = members.SetConsent(
        member_id=context.require_member(), purpose=purpose, granted=granted, version=version
    )
    return await custody.set_consent(command, now=context.now)
