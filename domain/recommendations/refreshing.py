"""Refreshing: the lists of those to whom something happened, by the model that serves.

A few statements for some members at once; the model is kept in memory as long as it serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import structlog

from domain import members
from domain.clock import Clock
from domain.outbox import Event, announce
from domain.recommendations.computing import Ready, compute
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.due import Due, clear_due, due_members, settle_due, still_due
from domain.recommendations.lists import write_shelves
from domain.recommendations.offering import Range, product_range
from domain.recommendations.signals import CLOCKS_DIFFER, tastes
from domain.recommendations.versions import RecommendationModel, active_model, read_items
from domain.storage import fetch_one, inside_transaction, transaction

if TYPE_CHECKING:
    from domain.recommendations.scoring.engine import Model

log = structlog.get_logger("jifen.recommendations")

REFRESHED_AT_ONCE: Final = 50
"""Members whose lists are written in one transaction, which holds their locks."""

CLEARED_AT_ONCE: Final = 1_000

NAMED_MAX: Final = 5
"""So many members are named in the log where some could not be done together."""

RANGE_KEPT_S: Final = 60.0
"""For so long the catalogue and the rewards on offer are taken to be what they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """A version as it was read, made ready for a range that was so at the monotonic moment."""

    version: int
    model: Model
    offered: Range
    ready: Ready
    at_s: float


class ShelfRefresher:
    """Computes lists anew, for as long as a process does."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._loaded: _Loaded | None = None

    async def refresh(self, *, within_s: float = float("inf")) -> int:
        """Compute the lists of those who wait, for so long; returns of how many members.

        Several processes may do it at once. Before the first training nobody's are. Of whom it
        fails, by whatever, the mark stays, and the others have theirs. Not inside a transaction.
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
            # Before signals are read: it takes a while, and they would be old afterwards.
            ready = await self._ready(model)
            written = await self._refresh_whom_it_can(due, ready, version=model.version)
            if written is None:
                break
            done += written
        return done

    async def _refresh_whom_it_can(
        self, due: Sequence[Due], ready: Ready, *, version: int
    ) -> int | None:
        """As `_refresh`; where some cannot be done together, one by one."""
        try:
            return await self._refresh(due, ready, version=version)
        except Exception:
            ids = [str(one.member_id) for one in due]
            log.exception("shelves_not_refreshed", members=ids[:NAMED_MAX], of=len(ids))
        if len(due) == 1:
            return 0
        done = 0
        for one in due:
            written = await self._refresh_whom_it_can([one], ready, version=version)
            if written is None:
                return None
            done += written
        return done

    async def _refresh(self, due: Sequence[Due], ready: Ready, *, version: int) -> int | None:
        """How many were written; None where another version serves by now."""
        # The marks were read before the signals are: what is announced in between marks again.
        now = self._clock.now()
        waiting = [one.member_id for one in due]
        willing = sorted(await members.consenting(waiting, PERSONALIZATION))
        signals = await tastes(willing, as_of=now + CLOCKS_DIFFER)
        shelves = await asyncio.to_thread(compute, ready, willing, signals) if willing else []

        async def work() -> int | None:
            if not await _serves(version):
                return None
            # In the order in which whoever marks takes them: the members, then what they wait for.
            await members.lock_members(waiting)
            as_read = {one.member_id for one in await still_due(due, version=version)}
            written = await write_shelves(
                [one for one in shelves if one.member_id in as_read],
                of=as_read,
                version=version,
                anew=True,
                computed_at=now,
                now=now,
            )
            # Whoever agreed only meanwhile goes on waiting.
            await settle_due(written, version=version)
            facts = {"version": version}
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
        """The model with the products that there are; what it knows itself is read once."""
        loaded = self._loaded
        if loaded is not None and loaded.version != model.version:
            loaded = None
        if loaded is not None and monotonic() - loaded.at_s < RANGE_KEPT_S:
            return loaded.ready
        offered = await product_range(as_of=self._clock.now())
        if loaded is not None and loaded.offered == offered:
            self._loaded = replace(loaded, at_s=monotonic())
            return loaded.ready
        engine = await asyncio.to_thread(_engine)
        if loaded is None:
            items = await read_items(model.version)
            known = await asyncio.to_thread(engine.Model.from_rows, model.settings, items)
        else:
            known = loaded.model

        def make_ready() -> Ready:
            scorer = engine.Scorer(known.with_products(offered.themes), offered.offer)
            return Ready(scorer=scorer, themes=offered.themes)

        ready = await asyncio.to_thread(make_ready)
        self._loaded = _Loaded(
            version=model.version, model=known, offered=offered, ready=ready, at_s=monotonic()
        )
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
