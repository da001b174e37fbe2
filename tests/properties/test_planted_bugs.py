"""The histories find the bugs that ledgers are known for, each by its name.

The bugs are planted from outside; the product has no switch for them. Those that only show when
several post at once are planted in tests/races.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable
from typing import Final

import pytest

from domain import storage
from domain.errors import EntryNotReversible
from domain.ledger import decisions, reversals
from domain.ledger.auditing import verify_accounts
from domain.ledger.book import allocate
from domain.ledger.entries import EntryKind, Lot, Past
from tests.properties.doings import DOINGS, earn, redeem, take_back
from tests.properties.reducing import Round, live, smallest
from tests.properties.town import Difference

pytestmark = pytest.mark.faults

MEMBERS: Final = 4
EVERYTHING: Final = tuple(range(len(DOINGS)))
EARNINGS: Final = tuple(n for n in EVERYTHING if DOINGS[n] is earn)
REFUNDS: Final = tuple(n for n in EVERYTHING if DOINGS[n] is take_back)
REDEMPTIONS: Final = tuple(n for n in EVERYTHING if DOINGS[n] is redeem)


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[None]:
    await storage.connect(sqlite_url)
    await storage.execute("PRAGMA synchronous = OFF")
    yield
    await storage.close()


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[None]:
    await storage.connect(postgres_url)
    yield
    await storage.close()


def history(doings: tuple[int, ...]) -> list[Round]:
    """Twenty rounds of four members: they earn, then do one of the doings, and again."""
    chance = random.Random(1)
    return [
        (
            (0, 0),
            tuple(
                (
                    chance.choice(doings if number % 2 else EARNINGS),
                    chance.randrange(256),
                    chance.randrange(256),
                )
                for _ in range(MEMBERS)
            ),
        )
        for number in range(20)
    ]


async def shown_by(rounds: list[Round], *, within_s: float = 0.0) -> list[str]:
    """The lines of what the history shows, made small if there is time for it."""
    with pytest.raises(Difference) as found:
        await live(rounds)
    small = await smallest(rounds, found.value, within_s=within_s)
    return str(small).splitlines()


@pytest.mark.usefixtures("sqlite")
@pytest.mark.parametrize("doings", [EVERYTHING, REFUNDS, REDEMPTIONS])
async def test_the_ledger_as_it_is_has_nothing_wrong(doings: tuple[int, ...]) -> None:
    await live(history(doings))


@pytest.mark.usefixtures("sqlite")
async def test_a_lot_leak_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is spent is checked against the balance, but only the first lot pays."""

    def allocate_one(lots: Iterable[Lot], *, points: int) -> list[tuple[Lot, int]]:
        return allocate(lots, points=points)[:1]

    monkeypatch.setattr(decisions, "allocate", allocate_one)
    what, _, *story = await shown_by(history(REDEMPTIONS), within_s=10.0)
    assert what.startswith("lots: ")
    # Two earnings and what is spent of both: little more is left of eighty steps.
    assert 3 <= len(story) <= 8
    assert await rules_broken() == {"moves", "lots"}


def check_the_kind_alone(past: Past, kind: EntryKind, points: int, **_: object) -> None:
    """What was undone before, and for which cause, is not asked."""
    if past.kind is not kind:
        raise EntryNotReversible(entry=past.seq, kind=past.kind)


@pytest.mark.usefixtures("sqlite")
async def test_a_double_refund_is_refused_by_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reversals, "_check_reversal", check_the_kind_alone)
    what, *_ = await shown_by(history(REFUNDS))
    # Either stands in the way: points_reversed of the sum, points_reversal of the same cause.
    assert what.startswith("no answer, but IntegrityError: ")
    assert "points_reversed_within" in what


@pytest.mark.usefixtures("postgres")
async def test_a_double_refund_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reversals, "_check_reversal", check_the_kind_alone)
    await storage.execute("ALTER TABLE points_reversed DROP CONSTRAINT points_reversed_within")
    await storage.execute("ALTER TABLE points_reversal DROP CONSTRAINT points_reversal_pkey")
    what, *_ = await shown_by(history(REFUNDS))
    assert "not Refused" in what
    assert await rules_broken() == {"reversals"}


async def rules_broken() -> set[str]:
    """What the ledger finds wrong with all accounts."""
    rows = await storage.fetch_all("SELECT member_id FROM points_account")
    checked = await verify_accounts([row["member_id"] for row in rows])
    return {violation.rule for violation in checked.violations}
