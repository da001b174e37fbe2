"""The hold-out: a model that knows nothing of the last days, judged by what was bought in them.

It is trained like the one that will serve, by the same settings, on what happened up to the split,
and is thrown away afterwards. Only members who agree to personal recommendations are looked at one
by one, and only some of them: which, a digest of their ids decides, so a second run asks the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from domain import members
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.learning import count_pairs, learn
from domain.recommendations.offering import Range, product_range
from domain.recommendations.quality import PLACES, Outcome, Quality, QualityCount
from domain.recommendations.scoring import ListKind, ReasonKind, Rows, ScoringSettings, Taste
from domain.recommendations.signals import bought_between, histories, tastes

if TYPE_CHECKING:
    from domain.recommendations.scoring.engine import Model, PairCounts, Scorer

MEMBERS_MAX: Final = 5_000
"""So many members are looked at: the standard error of a recall is then about half a percent."""

COUNTED_AT_ONCE: Final = 5_000
LISTED_AT_ONCE: Final = 250

Walk: TypeAlias = Callable[[], AsyncIterator[list[UUID]]]
"""The ids of all members, some at a time."""


class _Sample:
    """Some of the members who come by, whoever they are: those of the smallest digests."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[int, UUID]] = []

    def add(self, member_id: UUID) -> None:
        digest = int.from_bytes(hashlib.blake2b(member_id.bytes, digest_size=8).digest(), "big")
        # The heap's first is the largest digest, which goes as a smaller one comes.
        if len(self._kept) < self._size:
            heapq.heappush(self._kept, (-digest, member_id))
        else:
            heapq.heappushpop(self._kept, (-digest, member_id))

    def ids(self) -> list[UUID]:
        return sorted(member_id for _, member_id in self._kept)


async def hold_out(
    settings: ScoringSettings,
    *,
    split_at: datetime,
    until: datetime,
    everybody: Walk,
    told: Callable[[int], None],
) -> Quality | None:
    """How good a model of what happened up to `split_at` is at what was bought until `until`.

    None where nobody had bought anything before, or nobody who agrees bought anything after.
    `told` hears of how many members were walked over. Nothing is written.
    """
    offered = await product_range(as_of=split_at)
    engine = await asyncio.to_thread(_engine)
    ids: list[UUID] = []

    async def count(counts: PairCounts) -> None:
        sample = await _count(
            counts, split_at=split_at, until=until, everybody=everybody, told=told
        )
        ids[:] = sample.ids()

    counts = await count_pairs(engine.Items.of(offered.themes), count)
    if not counts.members or not ids:
        return None
    model = await learn(counts, settings)
    scorer = await asyncio.to_thread(engine.Scorer, model, offered.offer)
    result = QualityCount(offered=len(offered.offer.active), popular=_popular(model, offered))
    for start in range(0, len(ids), LISTED_AT_ONCE):
        part = ids[start : start + LISTED_AT_ONCE]
        signals = await tastes(part, as_of=split_at, said_by=split_at)
        later = await bought_between(part, after=split_at, until=until)
        for outcome in await asyncio.to_thread(_outcomes, scorer, signals, later):
            result.add(outcome)
    return result.result(split_at=split_at, until=until)


async def _count(
    counts: PairCounts,
    *,
    split_at: datetime,
    until: datetime,
    everybody: Walk,
    told: Callable[[int], None],
) -> _Sample:
    """Count what everybody had by the split; returns some who agree and bought something after."""
    sample, done = _Sample(MEMBERS_MAX), 0
    waiting: list[set[str]] = []
    async for ids in everybody():
        waiting += (history for history in await histories(ids, as_of=split_at) if history)
        later = await bought_between(ids, after=split_at, until=until)
        buyers = [one for one, bought in zip(ids, later, strict=True) if bought]
        for member_id in await members.consenting(buyers, PERSONALIZATION):
            sample.add(member_id)
        if len(waiting) >= COUNTED_AT_ONCE:
            await asyncio.to_thread(counts.add, waiting)
            waiting = []
        done += len(ids)
        told(done)
    await asyncio.to_thread(counts.add, waiting)
    return sample


def _outcomes(
    scorer: Scorer, signals: Sequence[Taste], later: Sequence[Collection[str]]
) -> list[Outcome]:
    return [
        outcome_of(taste, lists, bought)
        for taste, lists, bought in zip(signals, scorer.lists(signals), later, strict=True)
    ]


def outcome_of(taste: Taste, lists: Mapping[ListKind, Rows], later: Collection[str]) -> Outcome:
    """What came of the lists of one member."""
    discover = lists[ListKind.DISCOVER]
    return Outcome(
        history=taste.history(),
        later=later,
        again=[row[0] for row in lists[ListKind.BUY_AGAIN]],
        discover=[row[0] for row in discover],
        explained=sum(
            any(kind == ReasonKind.BOUGHT.value for kind, *_ in row[2]) for row in discover[:PLACES]
        ),
    )


def _popular(model: Model, offered: Range) -> list[str]:
    """What everybody may see, by popularity; equally popular ones by code."""
    shown = offered.offer.active - offered.offer.level_ranks.keys()
    popular = zip(model.items.codes, model.popularity.tolist(), strict=True)
    ordered = sorted((-share, code) for code, share in popular if code in shown)
    return [code for _, code in ordered]


def _engine() -> Any:
    from domain.recommendations.scoring import engine

    return engine
