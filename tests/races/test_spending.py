"""Budgets under lock: only a partner's own hold its batches up."""

from __future__ import annotations

import asyncio

from domain.games.spending import lock_spending
from domain.storage import transaction
from tests.domain.games.arcade import NOW, open_campaign, open_partner
from tests.races.contention import Gate


async def test_nobody_waits_for_a_budget_by_naming_it(postgres: str, gate: Gate) -> None:
    mine = await open_partner("mine")
    await open_partner("others")
    ours, theirs = await open_campaign("mine"), await open_campaign("others")
    await gate.hold("SELECT 1 FROM game_campaign WHERE id = $1 FOR UPDATE", theirs.id)
    named = {ours.id, theirs.id}
    async with asyncio.timeout(30):
        await transaction(lambda: lock_spending(mine.account_id, NOW.date(), named))
