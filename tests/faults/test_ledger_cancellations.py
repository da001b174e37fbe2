"""Whatever moves points, or serves members, is cancelled at each await point, in three ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from api.fake_wechat import RunningFake
from api.rates.settings import CAPACITY_MAX, BucketSettings, RateSettings
from api.settings import TransferSettings
from domain import storage
from domain.ledger import Posted, verify_account
from tests.domain.wechat import fixtures as wechat
from tests.faults.feedback_moves import FEEDBACK_MOVES
from tests.faults.moving import MOVES, Move, Stage, stage_of
from tests.faults.stepping import Stepped, Way
from tests.graphql.gateway import NOW, open_gateway, settings_for
from tests.graphql.programme import set_up_programme

_serving_fake = wechat._serving_fake
clock = wechat.clock
fake = wechat.fake

Tally = Callable[[str, int, int], None]

EVERY_SHORT: Final = 3
"""The short form takes each third await point; each way begins at another one."""

STEPS_MAX: Final = 400

ANY_NUMBER: Final = TransferSettings(points_per_day=10**6, times_per_day=10**6)


@pytest.fixture
async def stage(database_url: str, tmp_path: Path, fake: RunningFake) -> AsyncIterator[Stage]:
    """A gateway that limits nobody: these callers do in seconds what others do in days."""
    free = BucketSettings(capacity=CAPACITY_MAX, restored_per_minute=CAPACITY_MAX)
    rates = RateSettings(member=free, shop=free, staff=free, address=free, transfer=free)
    settings = settings_for(database_url, tmp_path, fake).model_copy(
        update={
            "rates": rates,
            "transfers": TransferSettings(points_per_day=10**6, times_per_day=10**6),
        }
    )
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=NOW)
        yield await stage_of(gateway)


@pytest.mark.faults
@pytest.mark.soak
@pytest.mark.timeout(300)
@pytest.mark.parametrize("move", [*MOVES, *FEEDBACK_MOVES], ids=lambda move: move.name)
async def test_cancelled_at_every_await_point(
    stage: Stage, move: Move, *, full_form: bool, tally: Tally
) -> None:
    cut = 0
    for place, way in enumerate(Way):
        every = 1 if full_form else EVERY_SHORT
        at = 1 if full_form else 1 + place
        while await cancelled(stage, move, at=at, way=way):
            cut += 1
            at += every
            assert at < STEPS_MAX

    for member in (stage.alice.member, stage.bob.member):
        assert await verify_account(member) == []
    floor = move.floors[full_form]
    tally(f"await points of {move.name} cancelled ({storage.dialect()})", cut, floor)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("replyTicket", "domain.feedback.replying"),
        ("acceptSubscribeMessages", "domain.notifications.channels.subscribing"),
    ],
)
async def test_a_key_that_is_not_remembered_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    """The planted bugs: what was not answered is done again."""
    [move] = [one for one in FEEDBACK_MOVES if one.name == name]
    assert not await cancelled(stage, move, at=STEPS_MAX, way=Way.AFTER)

    async def forget(*_: object, **__: object) -> None:
        """Nothing is known of any key."""

    monkeypatch.setattr(f"{place}.recall_own", forget)
    monkeypatch.setattr(f"{place}.remember_own", forget)
    with pytest.raises(AssertionError, match=name):
        await cancelled(stage, move, at=STEPS_MAX - 1, way=Way.AFTER)


async def cancelled(stage: Stage, move: Move, *, at: int, way: Way) -> bool:
    """Cancel one move at its `at`-th await point; whether there was one so far along.

    Nothing is left behind, and what the move does happens once, whatever had happened before.
    """
    act = await move.ready(stage, f"{way}-{at}")
    before = await entries(move)
    stepped = Stepped(act(), at=at, way=way)
    try:
        await stepped.run()
    except asyncio.CancelledError:
        assert stepped.reached
    statistics = storage.connection_statistics()
    assert statistics["idle"] == statistics["open"] > 0, (move.name, at, way)
    assert await idle_in_transaction() == 0, (move.name, at, way)
    assert await entries(move) in {before, before + move.entries}
    # The client knows nothing and sends it again, twice: it happens once, with one answer.
    first, second = await act(), await act()
    assert await entries(move) == before + move.entries, (move.name, at, way)
    assert answer_of(first) == answer_of(second)
    return stepped.reached


def answer_of(answer: Any) -> Any:
    """An answer without what tells a replay from the first one."""
    if isinstance(answer, Posted):
        return replace(answer, replayed=True)
    if isinstance(answer, dict) and "batch" in answer:
        return answer["batch"]["receipts"]
    return answer


async def entries(move: Move) -> int:
    """What the move counts: the entries of all journals, or the rows that it leaves elsewhere."""
    return await _count(move.counts)


async def idle_in_transaction() -> int:
    """Connections that the database holds open for a transaction that does nothing."""
    if storage.dialect() != "postgres":
        return 0
    return await _count(
        "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle in transaction%'"
    )


async def _count(sql: str) -> int:
    row = await storage.fetch_one(sql)
    assert row is not None
    return int(row["n"])
