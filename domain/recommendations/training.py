"""Training: from the purchases of all members to a version of the model and everybody's lists.

Members are walked over in the order of their ids, some hundred at a time; what is kept in memory
goes with the products. All is written under a version that nobody reads, until one short
transaction lets it serve. Whoever is killed on the way leaves the version before it as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
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
from domain.recommendations.learning import count_pairs, learn
from domain.recommendations.lists import Shelves, write_shelves
from domain.recommendations.offering import Range, product_range
from domain.recommendations.scoring import ScoringSettings, Taste
from domain.recommendations.signals import histories, tastes
from domain.recommendations.versions import (
    ITEMS_AT_ONCE,
    LEASE,
    TrainingLost,
    activate,
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
    been at what was bought in them: `quality`, as of `Quality.as_facts`.

    Not inside a transaction. Raises TrainingUnderWay where somebody else trains, nothing changed,
    and TrainingLost where this one counted as dead and was taken over; what fails, by whatever, is
    a failed version, and the one before serves on.
    """
    assert not inside_transaction(), "a training is many transactions"
    now = clock.now()
    version = await begin_training(settings, as_of=as_of or now, now=now)
    training = _Training(
        settings,
        version=version,
        as_of=as_of or now,
        held_out=held_out,
        clock=clock,
        told=told,
    )
    try:
        async with _signs_of_life(version, clock=clock):
            await clear_versions()
            figures = await training.run()
            await activate(version, figures=figures, now=clock.now())
    except BaseException:
        # Where not even this can be written, the lease ends by itself.
        with suppress(StorageFault):
            await fail_training(version, now=clock.now())
        raise
    await clear_versions()
    return Trained(version=version, figures=figures)


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
        held_out: timedelta | None,
        clock: Clock,
        told: Told,
    ) -> None:
        self._settings = settings
        self._version = version
        self._as_of = as_of
        self._held_out = held_out
        self._clock = clock
        self._told = told

    async def run(self) -> dict[str, Any]:
        """Count, train, write the model, write the lists; returns the figures."""
        # It takes a while, and nobody else needs it: not before somebody trains, and in a thread.
        engine = await asyncio.to_thread(_engine)
        stages = _Stages()
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
        del model
        judged: dict[str, Any] = {}
        if self._held_out is not None:
            async with stages.stage("hold-out"):
                judged = await self._judge(self._held_out, total=total)
        return {
            "members": having,
            "products": len(offered.themes),
            "listed_members": listed,
            "seconds": stages.took_s,
            **judged,
        }

    async def _judge(self, held_out: timedelta, *, total: int) -> dict[str, Any]:
        """How good a model without the last days is; nothing where there is nothing to tell."""
        quality = await hold_out(
            self._settings,
            split_at=self._as_of - held_out,
            until=self._as_of,
            everybody=_everybody,
            told=lambda done: self._told("hold-out", done, total),
        )
        return {} if quality is None else {"quality": quality.as_facts()}

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
            yield len(ids), willing, await tastes(willing, as_of=self._as_of)

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
