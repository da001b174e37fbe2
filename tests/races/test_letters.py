"""Racing walks that write letters on PostgreSQL: each member gets one."""

from __future__ import annotations

import asyncio

from domain.recommendations import MARKETING
from tests.domain.purchases.shop import NOW
from tests.domain.recommendations.mailing import agree, open_house, reader, send, told
from tests.domain.recommendations.mailing import letters as written
from tests.races.contention import Gate

WALKS = 8


async def test_walks_at_once_write_to_each_member_once(postgres: str, gate: Gate) -> None:
    del postgres
    await open_house()
    readers = [await reader(f"reader-{number}", "TEA") for number in range(12)]
    await gate.hold("SELECT 1 FROM member FOR UPDATE")
    crowd = asyncio.gather(*(send() for _ in range(WALKS)))
    await gate.open(waiting=WALKS)
    sent = await crowd
    assert sum(sent) == len(readers)
    assert sorted(await written()) == sorted((one, "biluochun", NOW) for one in readers)
    assert [len(await told(one)) for one in readers] == [1] * len(readers)


async def test_who_withdraws_meanwhile_is_not_written_to(postgres: str, gate: Gate) -> None:
    """The walk has found its members, and waits for their locks, when one of them withdraws."""
    del postgres
    await open_house()
    alice, bob = await reader("alice", "TEA"), await reader("bob", "TEA")
    await gate.hold("SELECT 1 FROM member FOR UPDATE")
    withdrawing = asyncio.create_task(agree(alice, MARKETING, granted=False))
    await gate.gather(1)
    walk = asyncio.create_task(send())
    await gate.open(waiting=2)
    await withdrawing
    assert await walk == 1
    assert await written() == [(bob, "biluochun", NOW)]
    assert (await told(alice), len(await told(bob))) == ([], 1)
