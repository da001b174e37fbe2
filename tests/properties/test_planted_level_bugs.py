"""The histories of levels find the bugs that such programmes are known for, each by its name.

They are planted from outside; the product has no switch for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any, Final

import pytest

from domain import storage
from domain.tiers import careers, qualifying, terms, windows
from domain.tiers.careers import Career
from domain.tiers.terms import Term
from domain.tiers.windows import TermDates
from tests.properties.career import DAY, Difference, live

pytestmark = pytest.mark.faults

STREETS_MAX: Final = 8


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[None]:
    await storage.connect(sqlite_url)
    await storage.execute("PRAGMA synchronous = OFF")
    yield
    await storage.close()


def refunds_lower_nobody(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Career, "_fell", lambda _self, _term: False)


def grace_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Career, "_grace_end", lambda _self, term: term.keep_until)


def what_is_earned_in_grace_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Career, "renew", lambda _self, now: None)


def what_gained_a_level_keeps_it(patch: pytest.MonkeyPatch) -> None:
    dated = windows.term_dates

    def counted_twice(*args: Any, **facts: Any) -> TermDates:
        dates = dated(*args, **facts)
        return TermDates(
            keep_until=dates.keep_until,
            keep_after_day=dates.basis_after_day,
            basis_after_day=dates.basis_after_day,
        )

    patch.setattr(careers, "term_dates", counted_twice)


def a_posting_settles_nothing(patch: pytest.MonkeyPatch) -> None:
    async def nothing(_careers: object, *, now: object) -> None:
        """What is due stays due."""

    patch.setattr(qualifying, "settle", nothing)


def a_grant_stands_for_what_is_earned(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Term, "earned", property(lambda _term: True))


def a_level_ends_all_that_is_below_it(patch: pytest.MonkeyPatch) -> None:
    kept = terms.joined

    def highest_alone(held: Any) -> Any:
        found = kept(held)
        order = {"base": 0, "silver": 1, "gold": 2, "jade": 3}
        top = max((order[one.level_code] for one in found.values()), default=0)
        return {key: one for key, one in found.items() if order[one.level_code] == top}

    patch.setattr(careers, "joined", highest_alone)


def the_last_day_does_not_count(patch: pytest.MonkeyPatch) -> None:
    counted = Career.total
    patch.setattr(
        Career,
        "total",
        lambda self, *, after, through=date.max: counted(
            self, after=after, through=through if through == date.max else through - DAY
        ),
    )


PLANTED: Final[tuple[tuple[Callable[[pytest.MonkeyPatch], None], int], ...]] = (
    (refunds_lower_nobody, 0),
    (grace_is_forgotten, 2),
    (what_is_earned_in_grace_is_forgotten, 2),
    (what_gained_a_level_keeps_it, 0),
    (a_posting_settles_nothing, 2),
    (a_grant_stands_for_what_is_earned, 0),
    (a_level_ends_all_that_is_below_it, 2),
    (the_last_day_does_not_count, 2),
)
"""Each with the programme in which it shows soon."""


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize(
    ("plant", "programme"), PLANTED, ids=lambda one: getattr(one, "__name__", "")
)
async def test_a_planted_bug_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], programme: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(Difference):
        await streets(programme)


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize("programme", sorted({programme for _, programme in PLANTED}))
async def test_without_a_bug_none_is_found(programme: int) -> None:
    await streets(programme, count=1)


async def streets(programme: int, *, count: int = STREETS_MAX) -> None:
    for number in range(count):
        await live(programme, seed=f"{number}", steps=40, punctual=False, done=Counter())
