"""How good shelves are: what members were shown as of a day, beside what they bought after it.

Recall@10 of a member is hits / min(10, products bought later): of the first ten products shown, how
many were bought after the day, against how many could have been. A shelf's recall is the mean over
its members. The shelf of what was bought before is judged by all that was bought later, the shelf
of discoveries by what of it was new to the member.

Everything here counts codes of products and decides purely; who is asked about is the caller's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import sqrt
from typing import Any, Final, Self

PLACES: Final = 10
"""The first places of a shelf: what is seen without scrolling, and what floors are stated for."""

CUTS: Final = (1, 2, 3, 5, PLACES, 20, 40)
"""Recall is told for so many first places."""

HISTORY_FROM: Final = (1, 5, 20, 100)
"""Members are grouped by how many distinct products they had: from 1, from 5, and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One member: what was had and shown as of the day, best first, and what was bought later.

    `explained` tells for how many of the first ten discoveries a product of the history speaks;
    the others are there by themes and popularity alone.
    """

    history: Collection[str]
    later: Collection[str]
    again: Sequence[str]
    discover: Sequence[str]
    explained: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfQuality:
    """One shelf over its members. Shares are from 0 to 1.

    `recall` has the recall for each of CUTS, `error` the standard error of the one at 10, `popular`
    what the plain popular list, which everybody else sees, reached at 10 for the same members.
    `coverage` is the share of the products on offer that anybody saw among the first ten, `cold`
    the share of members whose first ten no product of their own speaks for.
    """

    members: int
    recall: Mapping[int, float]
    error: float
    popular: float
    coverage: float
    cold: float

    @property
    def recall_at_10(self) -> float:
        """The figure that floors are stated for."""
        return self.recall[PLACES]

    def as_facts(self) -> dict[str, Any]:
        """The figures as JSON keeps them."""
        return asdict(self) | {"recall": {str(cut): value for cut, value in self.recall.items()}}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """What `as_facts` told."""
        recall = {int(cut): value for cut, value in facts["recall"].items()}
        return cls(**{**facts, "recall": recall})


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryGroup:
    """Members who had from `least` to `most` distinct products (None: or more); recall at 10."""

    least: int
    most: int | None
    members: int
    again: float
    discover: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What a model trained up to `split_at` knew of purchases from then to `until`.

    `cold` is the shelf of discoveries of members who had nothing by then, judged by all that they
    bought later; the other shelves are of members who had something. `cold_share` is the share of
    those without among all who bought later.
    """

    split_at: datetime
    until: datetime
    again: ShelfQuality
    discover: ShelfQuality
    cold: ShelfQuality
    cold_share: float
    by_history: Sequence[HistoryGroup]

    def as_facts(self) -> dict[str, Any]:
        """The figures as JSON keeps them."""
        return {
            "split_at": self.split_at.isoformat(),
            "until": self.until.isoformat(),
            "again": self.again.as_facts(),
            "discover": self.discover.as_facts(),
            "cold": self.cold.as_facts(),
            "cold_share": self.cold_share,
            "by_history": [asdict(group) for group in self.by_history],
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """What `as_facts` told."""
        return cls(
            split_at=datetime.fromisoformat(facts["split_at"]),
            until=datetime.fromisoformat(facts["until"]),
            again=ShelfQuality.from_facts(facts["again"]),
            discover=ShelfQuality.from_facts(facts["discover"]),
            cold=ShelfQuality.from_facts(facts["cold"]),
            cold_share=facts["cold_share"],
            by_history=[HistoryGroup(**group) for group in facts["by_history"]],
        )


def recall(shown: Sequence[str], later: Collection[str], *, places: int = PLACES) -> float:
    """Hits among the first places, against what could have been hit. `later` is not empty."""
    hits = sum(code in later for code in shown[:places])
    return hits / min(places, len(later))


@dataclass(slots=True)
class _Tally:
    members: int = 0
    recalls: dict[int, float] = field(default_factory=lambda: dict.fromkeys(CUTS, 0.0))
    squares: float = 0.0
    popular: float = 0.0
    cold: int = 0
    seen: set[str] = field(default_factory=set)

    def add(
        self, shown: Sequence[str], later: Collection[str], *, popular: Sequence[str], cold: bool
    ) -> None:
        self.members += 1
        for cut in CUTS:
            self.recalls[cut] += recall(shown, later, places=cut)
        self.squares += recall(shown, later) ** 2
        self.popular += recall(popular, later)
        self.cold += cold
        self.seen.update(shown[:PLACES])

    def result(self, *, offered: int) -> ShelfQuality:
        among = max(self.members, 1)
        means = {cut: total / among for cut, total in self.recalls.items()}
        variance = max(self.squares / among - means[PLACES] ** 2, 0.0)
        return ShelfQuality(
            members=self.members,
            recall=means,
            error=sqrt(variance / among),
            popular=self.popular / among,
            coverage=len(self.seen) / max(offered, 1),
            cold=self.cold / among,
        )


class QualityCount:
    """Counts members one by one; memory goes with the products that were shown.

    `offered` is the number of products on offer. `popular` are products by popularity, best first:
    enough that ten are left of them without any member's own.
    """

    def __init__(self, *, offered: int, popular: Sequence[str]) -> None:
        self._offered = offered
        self._popular = popular
        self._again, self._discover, self._cold = _Tally(), _Tally(), _Tally()
        self._groups = [(_Tally(), _Tally()) for _ in HISTORY_FROM]

    def add(self, outcome: Outcome) -> None:
        """Count a member; who bought nothing later tells nothing, and is passed over."""
        later = frozenset(outcome.later)
        if not later:
            return
        if not outcome.history:
            self._cold.add(outcome.discover, later, popular=self._popular, cold=True)
            return
        again, discover = self._groups[_group_of(len(outcome.history))]
        for tally in (self._again, again):
            tally.add(outcome.again, later, popular=self._popular, cold=not outcome.again)
        if new := later - frozenset(outcome.history):
            others = list(self._popular_without(outcome.history))
            for tally in (self._discover, discover):
                tally.add(outcome.discover, new, popular=others, cold=not outcome.explained)

    def result(self, *, split_at: datetime, until: datetime) -> Quality:
        """The figures of those who were counted so far."""
        after = [*(least - 1 for least in HISTORY_FROM[1:]), None]
        return Quality(
            split_at=split_at,
            until=until,
            again=self._again.result(offered=self._offered),
            discover=self._discover.result(offered=self._offered),
            cold=self._cold.result(offered=self._offered),
            cold_share=self._cold.members / max(self._cold.members + self._again.members, 1),
            by_history=[
                HistoryGroup(
                    least=least,
                    most=most,
                    members=again.members,
                    again=again.result(offered=self._offered).recall_at_10,
                    discover=discover.result(offered=self._offered).recall_at_10,
                )
                for least, most, (again, discover) in zip(
                    HISTORY_FROM, after, self._groups, strict=True
                )
            ],
        )

    def _popular_without(self, history: Collection[str]) -> Iterator[str]:
        """The first ten of what is popular and the member does not have."""
        left = PLACES
        for code in self._popular:
            if left and code not in history:
                left -= 1
                yield code


def _group_of(products: int) -> int:
    return sum(products >= least for least in HISTORY_FROM) - 1
