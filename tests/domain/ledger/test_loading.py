"""What is loaded of a member with many lots: only what matters, and nobody can tell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest

from domain.ledger import NEVER, Posted, loading, post, verify_account
from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    GiveBack,
    Release,
    SetAside,
    TakeBack,
)
from domain.ledger.entries import Lot, Source
from domain.ledger.loading import lot_of
from domain.storage import Row, fetch_all
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem, tuples

pytestmark = pytest.mark.usefixtures("database")

STEPS = 120
SOURCE = Source(kind="test", reference="t")


async def test_a_redemption_loads_no_more_lots_than_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await post([earn(10, expires=NOW + days(day)) for day in range(1, 401)], now=NOW)
    loaded: list[Row] = []

    def counted(row: Row) -> Lot:
        loaded.append(row)
        return lot_of(row)

    monkeypatch.setattr(loading, "lot_of", counted)
    [few] = await post([redeem(25)], now=NOW)
    assert isinstance(few, Posted)
    assert len(loaded) == loading.LOTS_AT_ONCE + 1
    # Three lots changed; the next moment of change is that of the third, which has 5 left.
    assert await next_change() == NOW + days(3)

    loaded.clear()
    [many] = await post([redeem(3_000)], now=NOW)
    assert isinstance(many, Posted)
    assert len(loaded) == loading.LOTS_AT_ONCE + 1 + 398
    assert await next_change() == NOW + days(303)
    assert await verify_account(ALICE) == []


async def test_lots_that_were_not_loaded_are_remembered_by_their_moment() -> None:
    lots = [earn(10, expires=NOW + days(day)) for day in range(1, 101)]
    await post([*lots, earn(5, matures=NOW + days(1.5), expires=NEVER)], now=NOW)
    # All that was loaded is held; the first lot that was not still expires on its day.
    hold = SetAside(
        member_id=ALICE,
        hold_id=UUID(int=1),
        owner="tests",
        points=10 * loading.LOTS_AT_ONCE,
        expires_at=NOW + days(99),
        source=SOURCE,
    )
    await post([hold], now=NOW)
    assert await next_change() == NOW + days(1.5)
    await post([earn(1, expires=NEVER)], now=NOW + days(2))
    assert await next_change() == NOW + days(loading.LOTS_AT_ONCE + 1)


@pytest.mark.parametrize("seed", range(2))
async def test_histories_are_the_same_however_few_lots_are_loaded_at_once(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    for member_id, at_once in ((ALICE, 2), (BOB, 10_000)):
        monkeypatch.setattr(loading, "LOTS_AT_ONCE", at_once)
        seqs: list[int] = []
        for command, now in history(member_id, seed=seed, seqs=seqs):
            [outcome] = await post([command], now=now)
            if isinstance(outcome, Posted):
                seqs.append(outcome.seq)
        assert await verify_account(member_id) == []
    few, all_of_them = [await kept(member_id) for member_id in (ALICE, BOB)]
    assert len(few[1]) > STEPS // 2
    assert few == all_of_them


def history(member_id: UUID, *, seed: int, seqs: list[int]) -> Iterator[tuple[Command, datetime]]:
    """A random history, the same for every member; `seqs` are the entries posted so far."""
    dice = random.Random(seed)
    now = NOW
    for step in range(STEPS):
        now += timedelta(hours=dice.choice((0, 0, 1, 12, 30)))
        yield command(member_id, dice, now=now, step=step, seqs=seqs), now


def command(
    member_id: UUID, dice: random.Random, *, now: datetime, step: int, seqs: list[int]
) -> Command:
    points = dice.randint(1, 60)
    past = dice.choice(seqs) if seqs else 1
    source = Source(kind="test", reference=f"step-{step}")
    expires_at = dice.choice((NOW + days(dice.randint(1, 60)), NEVER))
    whom: dict[str, Any] = {"member_id": member_id, "source": source}
    kind = dice.choice(("earn", "earn", "earn", "earn", "spend", "hold", "close", "undo", "adjust"))
    if kind == "earn":
        matures = now + days(dice.choice((-1, 0, 0, 1, 5)))
        return earn(points, member_id=member_id, at=now, matures=matures, expires=expires_at)
    if kind == "spend":
        return redeem(points, member_id=member_id)
    if kind == "hold":
        hold_id = uuid5(UUID(int=0), f"{step}")
        ends_at = now + days(dice.choice((1, 20)))
        return SetAside(hold_id=hold_id, owner="tests", points=points, expires_at=ends_at, **whom)
    if kind == "close":
        hold_id = uuid5(UUID(int=0), f"{dice.randrange(step + 1)}")
        if dice.random() < 0.5:
            return Release(hold_id=hold_id, **whom)
        return Capture(hold_id=hold_id, points=dice.choice((None, points)), **whom)
    if kind == "undo" and dice.random() < 0.5:
        return TakeBack(entry_seq=past, points=points, **whom)
    if kind == "undo":
        return GiveBack(entry_seq=past, points=points, grace_until=now + days(7), **whom)
    signed = dice.choice((points, -points))
    return Adjust(points=signed, reason="tests", expires_at=expires_at, **whom)


async def next_change() -> datetime:
    [row] = await fetch_all("SELECT next_change_at FROM points_account WHERE member_id = $1", ALICE)
    moment: datetime = row["next_change_at"]
    return moment


async def kept(member_id: UUID) -> list[list[tuple[Any, ...]]]:
    """The account, the journal, the lots and the draws, without what is random or the member's."""
    return [
        tuples(
            await fetch_all(
                f"SELECT {columns} FROM {table} WHERE member_id = $1 {order}", member_id
            )
        )
        for table, columns, order in (
            ("points_account", "available, pending, held, debt, version, next_change_at", ""),
            ("points_entry", "seq, kind, amount, balance_after, effective_at", "ORDER BY seq"),
            (
                "points_lot",
                "lot_seq, remaining, pinned, pending, matures_at, expires_at",
                "ORDER BY lot_seq",
            ),
            ("points_draw", "entry_seq, lot_seq, amount", "ORDER BY entry_seq, lot_seq"),
        )
    ]
