"""Interests that follow from what members do, of everybody who agreed.

Of most they stand already, as lists that were computed anew left them: only where they differ a
member is locked, and what they do is read once more under the lock. Whoever withdraws something
waits for it, or has withdrawn before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping
from functools import partial
from typing import Final
from uuid import UUID

from domain import members
from domain.clock import Clock
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.lists import inferred_themes
from domain.recommendations.scoring import ScoringSettings
from domain.recommendations.signals import CLOCKS_DIFFER, tastes
from domain.storage import transaction

LOCKED_AT_ONCE: Final = 100
"""Members whose interests are written in one transaction, which holds their locks."""


async def infer_interests(
    settings: ScoringSettings,
    *,
    themes: Mapping[str, str | None],
    clock: Clock,
    everybody: Callable[[], AsyncIterator[list[UUID]]],
    told: Callable[[int], None],
) -> None:
    """Let what is inferred of each member be what follows from what they do now.

    `themes` are those of the products, `everybody` the ids of all members, some at a time. `told`
    hears of how many were looked at. A fixed number of statements for some at a time.
    """

    async def wanted(ids: Collection[UUID]) -> dict[UUID, dict[str, int]]:
        willing = sorted(await members.consenting(ids, PERSONALIZATION))
        signals = await tastes(willing, as_of=clock.now() + CLOCKS_DIFFER)
        return {
            one: inferred_themes(taste, settings=settings, themes=themes)
            for one, taste in zip(willing, signals, strict=True)
        }

    async def write(ids: Collection[UUID]) -> None:
        standing = await members.lock_members(ids)
        own = {one for one, leads_to in standing.items() if one == leads_to}
        await members.replace_inferred_interests(await wanted(own), now=clock.now())

    done = 0
    async for ids in everybody():
        following = await wanted(ids)
        kept = await members.inferred_interests(following)
        differing = [one for one, themes_of in following.items() if kept[one] != themes_of]
        for start in range(0, len(differing), LOCKED_AT_ONCE):
            some = differing[start : start + LOCKED_AT_ONCE]
            await transaction(partial(write, some))
        done += len(ids)
        told(done)
