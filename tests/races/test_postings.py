"""Racing postings on one account, from two processes, on PostgreSQL."""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID, uuid4

import orjson
import pytest

from domain import storage
from domain.errors import IdempotencyConflict, InsufficientPoints
from domain.ledger import NEVER, Earn, Key, Posted, Redeem, Source, balance, post, verify_account
from tests.closing import ClosingReport
from tests.domain.access.fixtures import NOW
from tests.races.contention import Gate
from tests.races.posting import post_all

PER_PROCESS = 50
OPENING = 100


@pytest.fixture
async def member_id(postgres: str) -> UUID:
    member_id = uuid4()
    await earn(member_id, OPENING, "opening")
    return member_id


async def earn(member_id: UUID, points: int, key: str) -> None:
    source = Source(kind="race", reference=key)
    command = Earn(
        member_id=member_id,
        points=points,
        source=source,
        effective_at=NOW,
        expires_at=NEVER,
        key=Key(scope="race", key=key),
    )
    [outcome] = await post([command], now=NOW)
    assert isinstance(outcome, Posted)


async def lock_account(gate: Gate, member_id: UUID) -> None:
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", member_id)


async def test_a_hundred_postings_from_two_processes(
    postgres: str, member_id: UUID, gate: Gate, report: ClosingReport
) -> None:
    await lock_account(gate, member_id)
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.posting", postgres, str(member_id), "there", str(PER_PROCESS)),
        stdout=asyncio.subprocess.PIPE,
    )
    here = asyncio.create_task(post_all(member_id, "here", PER_PROCESS))
    # Each process has 24 connections; every one of them comes to wait for the account.
    await gate.open(waiting=48)
    amounts = await here
    output, _ = await other.communicate()
    assert other.returncode == 0
    amounts += orjson.loads(output.splitlines()[-1])

    assert len(amounts) == 2 * PER_PROCESS
    assert amounts.count(7) == PER_PROCESS
    held = await balance(member_id, now=NOW)
    assert held.available == OPENING + sum(amounts)
    entries = await storage.fetch_all(
        "SELECT seq FROM points_entry WHERE member_id = $1 ORDER BY seq", member_id
    )
    effects = 1 + sum(1 for amount in amounts if amount)
    assert [row["seq"] for row in entries] == list(range(1, effects + 1))
    assert await verify_account(member_id) == []
    report.notes.append("100 racing postings from two processes: 48 backends seen waiting")


async def test_twenty_redemptions_of_what_covers_ten(member_id: UUID, gate: Gate) -> None:
    await earn(member_id, 900, "more")
    await lock_account(gate, member_id)
    crowd = asyncio.gather(*(post([redemption(member_id, n)], now=NOW) for n in range(20)))
    await gate.open(waiting=20)
    outcomes = [outcome for [outcome] in await crowd]
    assert sum(isinstance(outcome, Posted) for outcome in outcomes) == 10
    refused = [outcome for outcome in outcomes if isinstance(outcome, InsufficientPoints)]
    assert [(one.available, one.requested) for one in refused] == [(0, 100)] * 10
    assert (await balance(member_id, now=NOW)).available == 0
    assert await verify_account(member_id) == []


async def test_one_key_twenty_times_at_once(member_id: UUID, gate: Gate) -> None:
    await lock_account(gate, member_id)
    crowd = asyncio.gather(*(post([redemption(member_id, 1)], now=NOW) for _ in range(20)))
    await gate.open(waiting=20)
    outcomes = [outcome for [outcome] in await crowd]
    posted = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    assert len(posted) == 20
    assert sorted(one.replayed for one in posted) == [False] + [True] * 19
    assert {(one.seq, one.amount, one.balance_after) for one in posted} == {(2, -100, 0)}
    assert (await balance(member_id, now=NOW)).available == 0


async def test_the_same_keys_from_two_processes_take_effect_once(
    postgres: str, member_id: UUID, gate: Gate
) -> None:
    """Both processes post the same 20 commands under the same keys, at once."""
    await earn(member_id, 1_000, "enough for all")
    await lock_account(gate, member_id)
    other = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.posting", postgres, str(member_id), "twin", "20"),
        stdout=asyncio.subprocess.PIPE,
    )
    here = asyncio.create_task(post_all(member_id, "twin", 20))
    await gate.open(waiting=40)
    output, _ = await other.communicate()
    assert other.returncode == 0
    assert orjson.loads(output.splitlines()[-1]) == await here == [7, -5] * 10
    assert (await balance(member_id, now=NOW)).available == OPENING + 1_000 + 20
    entries = await storage.fetch_all("SELECT seq FROM points_entry ORDER BY seq")
    assert [row["seq"] for row in entries] == list(range(1, 23))
    assert await verify_account(member_id) == []


async def test_one_key_for_two_members_at_once_belongs_to_one_of_them(
    member_id: UUID, gate: Gate
) -> None:
    """Nothing but the key is common to them: its unique constraint decides."""
    members = [member_id, uuid4()]
    await earn(members[1], OPENING, "the other's")
    await gate.hold("LOCK TABLE idempotency IN SHARE MODE")
    crowd = asyncio.gather(*(post([redemption(each, 1)], now=NOW) for each in members))
    await gate.open(waiting=2)
    outcomes = [outcome for [outcome] in await crowd]
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Posted)]
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, IdempotencyConflict)]
    assert refused.differing == ("member_id",)
    for each in members:
        left = 0 if each == winner.member_id else OPENING
        assert (await balance(each, now=NOW)).available == left
        assert await verify_account(each) == []


async def test_batches_that_name_the_same_members_in_any_order_do_not_deadlock(
    member_id: UUID, gate: Gate
) -> None:
    """Accounts are locked in one order: each batch waits for its turn, and none is ended."""
    members = sorted([member_id, *(uuid4() for _ in range(5))])
    for number, each in enumerate(members):
        if each != member_id:
            await earn(each, OPENING, f"m{number}")
    orders = [members, members[::-1], members[::2] + members[1::2]] * 4
    # Whoever locks in another order holds the first account while it waits for the last one.
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", members[-1])
    batches = [
        [redemption(each, 100 * number + place) for place, each in enumerate(order)]
        for number, order in enumerate(orders)
    ]
    with storage.observed_statements() as statements:
        crowd = asyncio.gather(*(post(batch, now=NOW) for batch in batches))
        await gate.open(waiting=len(batches))
        outcomes = [outcome for batch in await crowd for outcome in batch]
    # Each batch locked once: none was ended by a deadlock and ran again.
    assert sum("NO KEY UPDATE" in statement for statement in statements) == len(batches)
    # Each member's 100 were spent once.
    assert sum(isinstance(outcome, Posted) for outcome in outcomes) == len(members)
    for each in members:
        assert (await balance(each, now=NOW)).available == 0
        assert await verify_account(each) == []


async def test_postings_under_way_are_no_violations(member_id: UUID) -> None:
    """An account is verified as of one moment, not entry by entry while others write."""
    posting = asyncio.create_task(post_all(member_id, "here", 60))
    verified = 0
    while not posting.done():
        assert await verify_account(member_id) == []
        verified += 1
    await posting
    assert await verify_account(member_id) == []
    assert verified >= 3


def redemption(member_id: UUID, number: int) -> Redeem:
    return Redeem(
        member_id=member_id,
        points=100,
        source=Source(kind="race", reference=f"r{number}"),
        key=Key(scope="race", key=f"redemption-{number}"),
    )
