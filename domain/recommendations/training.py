"""Training: from the purchases of all members to a version of the model and everybody's lists.

Members are walked over in the order of their ids, some hundred at a time; what is kept in memory
goes with the products. All is written under a version that nobody reads, until one short
transaction lets it serve. Whoever is killed on the way leaves the version before it as it was.
What comes after that, the version does without: inferring interests, deleting, judging.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

import structlog

from domain import members
from domain.clock import Clock
from domain.recommendations.ahead import ahead
from domain.recommendations.computing import Ready, compute
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.hold_out import hold_out
from domain.recommendations.inferring import infer_interests
from domain.recommendations.learning import count_pairs, learn
from domain.recommendations.lists import Shelves, write_shelves
from domain.recommendations.offering import Range, product_range
from domain.recommendations.scoring import ScoringSettings, Taste
from domain.recommendations.signals import CLOCKS_DIFFER, histories, tastes
from domain.recommendations.versions import (
    ITEMS_AT_ONCE,
    LEASE,
    TrainingLost,
    activate,
    add_figures,
    begin_training,
    clear_versions,
    fail_training,
    renew_training,
    write_items,
)
from domain.storage import StorageFault, inside_transaction, transaction

if TYPE_CHECKING:
    from domain.recommendations.scoring.engine import Model, PairCounts

log = structlog.get_logger("jifen.recommendations")

READ_AT_ONCE: Final = 500
"""Members whose purchases one statement reads."""

COUNTED_AT_ONCE: Final = 5_000
"""Members whose pairs are counted in one go: fewer cost more each."""

LISTED_AT_ONCE: Final = 100
"""Members whose lists are written in one transaction, which holds their locks."""

HEARTBEAT_S: Final = LEASE.total_seconds() / 6

Told: TypeAlias = Callable[[str, int, int | None], None]
"""Hears of each stage how much of how much is done; the total is None where nobody knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a training came to: the version that serves now, and its figures as they are kept."""

    version: int
    figures: dict[str, Any]


def _silent(stage: str, done: int, total: int | None) -> None:
    del stage, done, total


async def train(
    settings: ScoringSettings,
    *,
    clock: Clock,
    as_of: datetime | None = None,
    held_out: timedelta | None = None,
    told: Told = _silent,
) -> Trained:
    """Train a version on what happened up to `as_of`, by default now, and let it serve.

    With `held_out` its figures tell how good a model without the last days, so many, would have
    been at what was bought in them: `quality`, as of `Quality.as_facts`. They are added once it
    serves, as are the interests that follow from what members do.

    Not inside a transaction. Raises TrainingUnderWay where somebody else trains, nothing changed,
    and TrainingLost where this one counted as dead and was taken over; what fails, by whatever, is
    a failed version, and the one before serves on. What fails after it serves is only logged.
    """
    assert not inside_transaction(), "a training is many transactions"
    now = clock.now()
    version = await begin_training(settings, as_of=as_of or now, now=now)
    training = _Training(
        settings,
        version=version,
        as_of=as_of or now,
        # Of now everything that was kept has happened, also by a clock that is ahead of ours.
        known_by=as_of or now + CLOCKS_DIFFER,
        clock=clock,
        told=told,
    )
    try:
        async with _signs_of_life(version, clock=clock):
            # Before, so that there are never three of everybody's lists for longer than needed.
            await _if_it_can("clearing", clear_versions())
            await training.run()
            await activate(version, figures=training.figures, now=clock.now())
    except BaseException:
        # Where not even this can be written, the lease ends by itself.
        with suppress(StorageFault):
            await fail_training(version, now=clock.now())
        raise
    await _if_it_can("interests", training.infer())
    await _if_it_can("clearing", clear_versions())
    if held_out is not None:
        await _if_it_can("hold-out", training.judge(held_out))
    await _if_it_can("figures", add_figures(version, training.figures))
    return Trained(version=version, figures=training.figures)


async def _if_it_can(what: str, doing: Awaitable[object]) -> None:
    """Do what the version that serves can do without; what fails is logged, and left."""
    try:
        await doing
    except Exception:
        log.exception("training_not_complete", what=what)


@asynccontextmanager
async def _signs_of_life(version: int, *, clock: Clock) -> AsyncIterator[None]:
    async def give() -> None:
        with suppress(TrainingLost):
            while True:
                await asyncio.sleep(HEARTBEAT_S)
                try:
                    await renew_training(version, now=clock.now())
                except StorageFault as fault:
                    log.warning("training_not_renewed", reason=str(fault))

    giving = asyncio.create_task(give())
    try:
        yield
    finally:
        giving.cancel()
        await asyncio.wait([giving])


@dataclass(slots=True, kw_only=True)
class _Stages:
    """How long each stage took, in seconds."""

    took_s: dict[str, float] = field(default_factory=dict)

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncIterator[None]:
        began = perf_counter()
        yield
        self.took_s[name] = round(perf_counter() - began, 3)


class _Training:
    """One training, stage by stage."""

    def __init__(
        self,
        settings: ScoringSettings,
        *,
        version: int,
        as_of: datetime,
        known_by: datetime,
        clock: Clock,
        told: Told,
    ) -> None:
        self._settings = settings
        self._version = version
        self._as_of = as_of
        self._known_by = known_by
        self._clock = clock
        self._told = told
        self._stages = _Stages()
        self.figures: dict[str, Any] = {}

    async def run(self) -> None:
        """Count, train, write the model, write the lists."""
        # It takes a while, and nobody else needs it: not before somebody trains, and in a thread.
        engine = await asyncio.to_thread(_engine)
        stages = self._stages
        offered = await product_range(as_of=self._as_of)
        total = await members.count_members()
        async with stages.stage("counting"):
            counts = await count_pairs(
                engine.Items.of(offered.themes), lambda counts: self._count(counts, total=total)
            )
        async with stages.stage("training"):
            model = await learn(
                counts,
                self._settings,
                told=lambda done, total: self._told("training", done, total),
            )
        having = counts.members
        del counts
        async with stages.stage("model"):
            await self._write_model(model)
        async with stages.stage("lists"):
            listed = await self._write_lists(model, offered, total=total)
        self.figures = {
            "members": having,
            "products": len(offered.themes),
            "listed_members": listed,
            "seconds": stages.took_s,
        }

    async def judge(self, held_out: timedelta) -> None:
        """Add how good a model without the last days is; nothing where nothing can be told."""
        total = await members.count_members()
        async with self._stages.stage("hold-out"):
            quality = await hold_out(
                self._settings,
                split_at=self._as_of - held_out,
                until=self._as_of,
                everybody=_everybody,
                told=lambda done: self._told("hold-out", done, total),
            )
        if quality is not None:
            self.figures["quality"] = quality.as_facts()

    async def infer(self) -> None:
        """Let members' inferred interests be what follows from what they do now."""
        offered = await product_range(as_of=self._clock.now())
        total = await members.count_members()
        async with self._stages.stage("interests"):
            await infer_interests(
                self._settings,
                themes=offered.themes,
                clock=self._clock,
                everybody=_everybody,
                told=lambda done: self._told("interests", done, total),
            )

    async def _count(self, counts: PairCounts, *, total: int) -> None:
        done = 0
        waiting: list[set[str]] = []
        async with aclosing(ahead(self._histories())) as pages:
            async for looked_at, found in pages:
                waiting += (history for history in found if history)
                done += looked_at
                if len(waiting) >= COUNTED_AT_ONCE:
                    await asyncio.to_thread(counts.add, waiting)
                    waiting = []
                self._told("counting", done, total)
        await asyncio.to_thread(counts.add, waiting)

    async def _histories(self) -> AsyncIterator[tuple[int, list[set[str]]]]:
        async for ids in _everybody():
            yield len(ids), await histories(ids, as_of=self._as_of)

    async def _write_model(self, model: Model) -> None:
        rows, done, total = iter(model.rows()), 0, len(model.items.codes)
        while some := await asyncio.to_thread(lambda: list(islice(rows, ITEMS_AT_ONCE))):
            await write_items(self._version, some, now=self._clock.now())
            done += len(some)
            self._told("model", done, total)

    async def _write_lists(self, model: Model, offered: Range, *, total: int) -> int:
        """Compute and write everybody's; while some are written, the next are read and computed."""
        scorer = await asyncio.to_thread(_engine().Scorer, model, offered.offer)
        ready = Ready(scorer=scorer, themes=offered.themes)
        done = listed = 0
        async with (
            aclosing(ahead(self._tastes())) as read,
            aclosing(ahead(self._shelves(read, ready))) as pages,
        ):
            async for looked_at, shelves in pages:
                listed += await self._write(shelves)
                done += looked_at
                self._told("lists", done, total)
        return listed

    async def _tastes(self) -> AsyncIterator[tuple[int, list[UUID], list[Taste]]]:
        async for ids in _everybody():
            willing = sorted(await members.consenting(ids, PERSONALIZATION))
            yield len(ids), willing, await tastes(willing, as_of=self._known_by)

    async def _shelves(
        self, read: AsyncIterator[tuple[int, list[UUID], list[Taste]]], ready: Ready
    ) -> AsyncIterator[tuple[int, list[Shelves]]]:
        async for looked_at, ids, found in read:
            # In parts, so that what is computed is never more than what is soon written.
            for start in range(0, max(len(ids), 1), LISTED_AT_ONCE):
                part = slice(start, start + LISTED_AT_ONCE)
                shelves = await asyncio.to_thread(compute, ready, ids[part], found[part])
                yield looked_at if part.stop >= len(ids) else 0, shelves

    async def _write(self, shelves: Sequence[Shelves]) -> int:
        if not shelves:
            return 0

        async def work() -> int:
            now = self._clock.now()
            written = await write_shelves(
                shelves,
                of=[one.member_id for one in shelves],
                version=self._version,
                anew=False,
                computed_at=self._as_of,
                now=now,
            )
            # Under the row of the version: whoever takes over waits, and clears what is written.
            await renew_training(self._version, now=now)
            return len(written)

        return await transaction(work)


async def _everybody() -> AsyncIterator[list[UUID]]:
    """The ids of all members, some hundred at a time."""
    after: UUID | None = None
    while ids := await members.standing_ids(after=after, limit=READ_AT_ONCE):
        yield ids
        after = ids[-1]


def _engine() -> Any:
    from domain.recommendations.scoring import engine

    return engine
