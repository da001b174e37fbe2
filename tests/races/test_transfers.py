"""Racing transfers on PostgreSQL: crossing ones do not deadlock, and a day's limit holds."""

from __future__ import annotations

import asyncio
from uuid import UUID

from domain import storage
from domain.errors import TransferLimitExceeded
from domain.ledger import TransferLimits, TransferPoints, balance, transfer_points, verify_account
from domain.members import ById
from tests.domain.access.fixtures import NOW
from tests.races.contention import Gate
from tests.races.test_holds import join

LIMITS = TransferLimits()


def giving(giver: UUID, taker: UUID, points: int, key: str) -> TransferPoints:
    return TransferPoints(
        member_id=giver, to_member=ById(taker), points=points, idempotency_key=key
    )


async def available(member_id: UUID) -> int:
    """What is available, of an account that is sound."""
    assert await verify_account(member_id) == []
    return (await balance(member_id, now=NOW)).available


async def test_crossing_transfers_do_not_deadlock(postgres: str, gate: Gate) -> None:
    """Both lock both accounts in one order: each waits for its turn, and none is ended."""
    alice, bob = await join("alice", "bob")
    # Whoever locks in another order holds the first account while it waits for the last one.
    last = max(alice, bob)
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", last)
    with storage.observed_statements() as statements:
        crowd = asyncio.gather(
            *(
                transfer_points(command, limits=LIMITS, now=NOW)
                for n in range(8)
                for command in (giving(alice, bob, 7, f"{n}"), giving(bob, alice, 5, f"{n}"))
            )
        )
        await gate.open(waiting=16)
        await crowd
    # Each transfer locked its member once: none was ended by a deadlock and ran again.
    locking = [one for one in statements if "FROM member WHERE id" in one and "FOR NO KEY" in one]
    assert len(locking) == 16
    assert (await available(alice), await available(bob)) == (100 - 16, 100 + 16)


async def test_the_limit_of_a_day_holds_against_transfers_at_once(
    postgres: str, gate: Gate
) -> None:
    alice, bob = await join("alice", "bob")
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", alice)
    limits = TransferLimits(points_per_day=10_000, times_per_day=5)
    crowd = asyncio.gather(
        *(
            transfer_points(giving(alice, bob, 1, f"{n}"), limits=limits, now=NOW)
            for n in range(12)
        ),
        return_exceptions=True,
    )
    await gate.open(waiting=12)
    outcomes = await crowd
    assert sum(isinstance(one, tuple) for one in outcomes) == 5
    refused = [one for one in outcomes if isinstance(one, TransferLimitExceeded)]
    assert [(one.unit, one.limit, one.used) for one in refused] == [("TIMES", 5, 5)] * 7
    assert (await available(alice), await available(bob)) == (95, 105)


async def test_one_key_at_once_gives_once(postgres: str, gate: Gate) -> None:
    alice, bob = await join("alice", "bob")
    await gate.hold("SELECT 1 FROM points_account WHERE member_id = $1 FOR UPDATE", alice)
    crowd = asyncio.gather(
        *(transfer_points(giving(alice, bob, 30, "k"), limits=LIMITS, now=NOW) for _ in range(8))
    )
    await gate.open(waiting=8)
    assert await crowd == [(alice, 2)] * 8
    assert (await available(alice), await available(bob)) == (70, 130)
