"""What partners push in a storm: made from a seed, with everything that a partner may do wrong.

The batches of a plan are cut from a shuffled heap, so that items come in any order: reversals
before their grants, repeats before what they repeat. They are pushed in any order, too, at once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Final

MEMBERS_OF_A_PARTNER: Final = 30
POINTS_PER_ITEM: Final = 50
"""Of every campaign. Grants are of 1 to 40 points."""

GRANT_POINTS_MAX: Final = 40
GROUPS: Final = 2
"""Batches of two groups have no member in common, so that nothing keeps them apart but the budgets
and the day; those of one group wait for one another at its members."""

REVERSED: Final = 0.13
REPEATED: Final = 0.1
ALTERED: Final = 0.02


class Stage(StrEnum):
    """The campaigns of a partner: which of their limits bind."""

    WIDE = "wide"
    """None."""
    TIGHT = "tight"
    """The budget."""
    CAPPED = "capped"
    """What a member may get in a day."""
    CLOSED = "closed"
    """It is over."""


class Who(StrEnum):
    """Whom an item names that no partner may reward."""

    STRANGER = "stranger"
    """A member who does not allow the partner."""
    NOBODY = "nobody"
    """There is no such member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One item, as it will be sent. `member` is the place of one who allows the partner.

    `refused` is the code with which it is refused whatever else happens.
    """

    external_id: str
    member: int | Who
    points: int
    occurred_at: datetime
    stage: Stage = Stage.WIDE
    reverses: str | None = None
    event: str | None = None
    by_id: bool = False
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one partner sends: batches by their ids.

    `gives_tight_back`: it reverses grants of the campaign whose budget binds.
    """

    batches: Mapping[str, Sequence[Planned]]
    gives_tight_back: bool

    @property
    def items(self) -> Iterator[tuple[str, int, Planned]]:
        """Every item with its place: batch and index."""
        for batch_id, items in self.batches.items():
            for index, item in enumerate(items):
                yield batch_id, index, item


def plan_of(number: int, *, batches: int, size: int, now: datetime) -> Plan:
    """The plan of the partner with this number: items for so many batches of at most so many."""
    chance = random.Random(number)
    gives_tight_back = number % 2 == 1
    room = batches * size
    heap: list[Planned] = []
    for one in _grants(chance, now=now):
        heap.append(one)
        reversible = one.refused is None and one.event is None
        if one.stage is Stage.TIGHT and not gives_tight_back:
            reversible = False
        if reversible and chance.random() < REVERSED:
            back = replace(one, external_id=f"back-{one.external_id}", reverses=one.external_id)
            heap.append(back)
            if chance.random() < 0.2:
                heap.append(replace(back, external_id=f"again-{one.external_id}"))
        elif reversible and chance.random() < ALTERED:
            heap.append(replace(one, points=one.points + 1))
        if chance.random() < REPEATED:
            heap.append(one)
        if len(heap) >= room:
            break
    heap = heap[:room]
    chance.shuffle(heap)
    cut: dict[str, Sequence[Planned]] = {}
    for group in range(GROUPS):
        mine = [one for one in heap if _group_of(one) == group]
        for begin in range(0, len(mine), size):
            cut[f"b{group}-{begin // size}"] = mine[begin : begin + size]
    return Plan(batches=cut, gives_tight_back=gives_tight_back)


def _group_of(item: Planned) -> int:
    return 0 if isinstance(item.member, Who) else item.member % GROUPS


def _grants(chance: random.Random, *, now: datetime) -> Iterator[Planned]:
    """Grants without end, most of them sound."""
    for number in count():
        one = Planned(
            external_id=f"g{number}",
            member=chance.randrange(MEMBERS_OF_A_PARTNER),
            points=chance.randint(1, GRANT_POINTS_MAX),
            occurred_at=now - timedelta(minutes=chance.randint(1, 60)),
            by_id=chance.random() < 0.3,
        )
        match chance.randrange(50):
            case 0:
                yield replace(one, member=Who.STRANGER, refused="NOT_BOUND")
            case 1:
                yield replace(one, member=Who.NOBODY, refused="MEMBER_NOT_FOUND")
            case 2:
                yield replace(one, stage=Stage.CLOSED, refused="CAMPAIGN_CLOSED")
            case 3:
                yield replace(one, points=POINTS_PER_ITEM + 1, refused="AMOUNT_INVALID")
            case 4:
                long_ago = now - timedelta(days=40)
                yield replace(one, occurred_at=long_ago, refused="TOO_OLD")
            case 5:
                yield replace(one, event=f"e{number}")
                yield replace(one, event=f"e{number}", external_id=f"twin-{number}")
            case 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13:
                yield replace(one, stage=Stage.TIGHT)
            case 14 | 15 | 16 | 17 | 18 | 19 | 20 | 21:
                yield replace(one, stage=Stage.CAPPED)
            case _:
                yield one
