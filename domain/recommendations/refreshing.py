"""Refreshing: the lists of those to whom something happened, by the model that serves.

A few statements for some members at once; the model is kept in memory as long as it serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from domain import members
from domain.clock import Clock
from domain.outbox import Event, announce
from domain.recommendations.computing import Ready, compute
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.due import Due, clear_due, due_members, settle_due
from domain.recommendations.lists import Shelves, write_shelves
from domain.recommendations.offering import product_range
from domain.recommendations.signals import tastes
from domain.recommendations.versions import RecommendationModel, active_model, read_items
from domain.storage import fetch_one, inside_transaction, transaction

REFRESHED_AT_ONCE: Final = 50
"""Members whose lists are written in one transaction, which holds their locks."""

CLEARED_AT_ONCE: Final = 1_000

RANGE_KEPT_S: Final = 60.0
"""For so long the catalogue and the rewards on offer are taken to be what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A version that is ready, and since when, by the monotonic clock."""

    version: int
    ready: Ready
    at_s: float


class ShelfRefresher:
    """Computes lists anew, for as long as a process does."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._loaded: _Loaded | None = None

    async def refresh(self, *, within_s: float = float("inf")) -> int:
        """Compute the lists of those who wait, for so long; returns of how many members.

        Several processes may do it at once. Before the first training nobody's are. Not inside a
        transaction.
        """
        assert not inside_transaction(), "each batch is a transaction of its own"
        began, done = monotonic(), 0
        model = await active_model()
        if model is None:
            return 0
        while await clear_due(version=model.version, limit=CLEARED_AT_ONCE):
            continue
        after = None
        while monotonic() - began < within_s:
            due = await due_members(version=model.version, after=after, limit=REFRESHED_AT_ONCE)
            if not due:
                break
            after = (due[-1].since, due[-1].member_id)
            written = await self._refresh(due, model)
            if written is None:
                break
            done += written
        return done

    async def _refresh(self, due: Sequence[Due], model: RecommendationModel) -> int | None:
        """How many were written; None where another version serves by now."""
        # The marks were read before the signals are: what is announced in between marks again.
        now = self._clock.now()
        waiting = [one.member_id for one in due]
        willing = sorted(await members.consenting(waiting, PERSONALIZATION))
        signals = await tastes(willing, as_of=now)
        shelves: list[Shelves] = []
        if willing:
            ready = await self._ready(model)
            shelves = await asyncio.to_thread(compute, ready, willing, signals)

        async def work() -> int | None:
            if not await _serves(model.version):
                return None
            written = await write_shelves(
                shelves, of=waiting, version=model.version, anew=True, computed_at=now, now=now
            )
            # Whoever agreed only meanwhile goes on waiting.
            settled = [one for one in due if one.member_id in written]
            await settle_due(settled, version=model.version)
            facts = {"version": model.version}
            await announce(
                (
                    Event(kind="RecommendationsRefreshed", member_id=one, facts=facts)
                    for one in sorted(written)
                ),
                now=now,
            )
            return len(written)

        return await transaction(work)

    async def _ready(self, model: RecommendationModel) -> Ready:
        loaded = self._loaded
        if (
            loaded is not None
            and loaded.version == model.version
            and monotonic() - loaded.at_s < RANGE_KEPT_S
        ):
            return loaded.ready
        items = await read_items(model.version)
        offered = await product_range(as_of=self._clock.now())

        def load() -> Ready:
            engine: Any = _engine()
            known = engine.Model.from_rows(model.settings, items)
            scorer = engine.Scorer(known.with_products(offered.themes), offered.offer)
            return Ready(scorer=scorer, themes=offered.themes)

        ready = await asyncio.to_thread(load)
        self._loaded = _Loaded(version=model.version, ready=ready, at_s=monotonic())
        return ready


def _engine() -> Any:
    from domain.recommendations.scoring import engine

    return engine


async def _serves(version: int) -> bool:
    """Whether the version serves; it is not deleted until the transaction ends."""
    row = await fetch_one(
        "SELECT 1 AS one FROM recommendation_model"
        " WHERE version = $1 AND status = 'ACTIVE' FOR KEY SHARE",
        version,
    )
    return row is not None
