"""Consents with what follows from them in other contexts, in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from domain import games, members, recommendations
from domain.members import Consent, SetConsent
from domain.storage import transaction


async def set_consent(command: SetConsent, *, now: datetime) -> Consent:
    """As `recommendations.set_consent`; a partner to whom somebody says no knows them no more."""

    async def work() -> Consent:
        standing = await members.lock_member(command.member_id)
        said = await recommendations.set_consent(replace(command, member_id=standing), now=now)
        await games.heed_withdrawal(standing, said, now=now)
        return said

    return await transaction(work)
