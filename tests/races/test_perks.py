"""Racing uses of one perk, of one key, and against a use that is given back or a merge."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from uuid import UUID

import orjson
import pytest

from domain import members
from domain.custody import MergeBecause, merge
from domain.members import ByExternalReference
from domain.paging import PageRequest
from domain.storage import fetch_all, transaction
from domain.tiers import (
    CancelPerkUse,
    PerkUse,
    PerkUsed,
    UsePerk,
    cancel_perk_use,
    define_levels,
    perk_uses,
    use_perk,
)
from tests.domain.access.fixtures import OPERATOR
from tests.domain.ledger.commands import NOW
from tests.domain.tiers.levels import LEVELS
from tests.races.contention import Gate
from tests.races.using_perks import THREE, use

AT_ONCE = 24
"""Connections of a process."""

HOLD = "SELECT 1 FROM member ORDER BY id FOR UPDATE"
COUNTED = "LOCK TABLE perk_use IN SHARE ROW EXCLUSIVE MODE"
"""Uses are counted and not written."""


async def opened() -> tuple[UUID, UUID]:
    """Alice and Bob, and a perk that each may use three times a day."""
    await define_levels(LEVELS, perks=[THREE], now=NOW)
    named = [ByExternalReference("alice"), ByExternalReference("bob")]
    joined = dict(await members.register_external_members(named, now=NOW))
    return joined["alice"], joined["bob"]


async def used(member_id: UUID, key: str) -> PerkUsed:
    command = UsePerk(member_id=member_id, perk_id=THREE.id, idempotency_key=key)
    return await use_perk(command, now=NOW)


async def uses(member_id: UUID) -> list[PerkUse]:
    """The uses that count."""
    page = await perk_uses(member_id, PageRequest(first=100))
    return [one for one in page.items if one.cancelled_at is None]


def told(outcomes: list[PerkUsed | BaseException]) -> Counter[str]:
    return Counter(type(one).__name__ for one in outcomes)


async def test_three_of_fifty_uses_find_a_quota_of_three(
    postgres: str, gate: Gate, tally: Callable[[str, int, int], None]
) -> None:
    """From two processes, all of them waiting for the same member."""
    alice, _ = await opened()
    await gate.hold(HOLD)
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.using_perks", postgres, str(alice), "0", "25"),
        stdout=asyncio.subprocess.PIPE,
    )
    here = asyncio.create_task(use(alice, range(25, 50)))
    await gate.open(waiting=2 * AT_ONCE)
    output, _ = await other.communicate()
    assert other.returncode == 0
    met = Counter(await here) + Counter(orjson.loads(output.splitlines()[-1]))

    assert met == {"used": 3, "quota used": 47}
    rows = await fetch_all(
        "SELECT ordinal, quota FROM perk_use WHERE member_id = $1 ORDER BY ordinal", alice
    )
    assert [(row["ordinal"], row["quota"]) for row in rows] == [(1, 3), (2, 3), (3, 3)]
    tally("uses that raced for a quota of 3", sum(met.values()), 50)
    tally("of them made", met["used"], 3)


async def test_one_key_at_once_is_one_use(postgres: str, gate: Gate) -> None:
    alice, _ = await opened()
    await gate.hold(HOLD)
    crowd = asyncio.gather(*(used(alice, "k") for _ in range(8)))
    await gate.open(waiting=8)
    answers = await crowd
    assert len({one.use.id for one in answers}) == 1
    assert {one.perk.remaining for one in answers if one.perk} == {2}
    assert len(await uses(alice)) == 1


async def test_what_is_given_back_is_used_once(postgres: str, gate: Gate) -> None:
    alice, _ = await opened()
    made = [(await used(alice, f"k-{nth}")).use for nth in range(3)]
    back = CancelPerkUse(member_id=alice, use_id=made[0].id, reason="rain")
    await gate.hold(HOLD)
    cancelling = asyncio.create_task(cancel_perk_use(back, by=OPERATOR, now=NOW))
    await gate.gather(waiting=1)
    crowd = asyncio.gather(*(used(alice, f"more-{n}") for n in range(6)), return_exceptions=True)
    await gate.open(waiting=7)
    await cancelling
    assert told(await crowd) == {"PerkUsed": 1, "PerkQuotaUsed": 5}
    assert len(await uses(alice)) == 3


async def test_two_records_that_become_one_have_one_quota(postgres: str, gate: Gate) -> None:
    """Uses of either record wait for the merge, and count together after it."""
    alice, bob = await opened()
    for member_id in (alice, bob):
        await used(member_id, "before")
    # The merge has locked both records when it comes to their uses.
    await gate.hold(COUNTED)
    work = partial(merge, alice, bob, because=MergeBecause.STAFF, by="staff:li.na", now=NOW)
    merging = asyncio.create_task(transaction(work))
    await gate.gather(waiting=1)
    crowd = asyncio.gather(
        *(used(member_id, f"{member_id}-{n}") for member_id in (alice, bob) for n in range(3)),
        return_exceptions=True,
    )
    await gate.open(waiting=7)
    assert await merging is not None
    outcomes = await crowd
    assert told(outcomes) == {"PerkUsed": 1, "PerkQuotaUsed": 5}
    assert {one.use.member_id for one in outcomes if isinstance(one, PerkUsed)} == {alice}
    assert len(await uses(alice)) == 3


async def test_the_table_holds_the_quota_where_nobody_waits(
    postgres: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: uses do not lock the member, so they count what others have not written yet."""
    alice, _ = await opened()

    async def unlocked(member_id: UUID) -> UUID:
        return member_id

    monkeypatch.setattr(members, "lock_member", unlocked)
    await gate.hold(COUNTED)
    crowd = asyncio.gather(*(used(alice, f"k-{n}") for n in range(8)), return_exceptions=True)
    await gate.open(waiting=8)
    # Who finds their number taken counts again, and finds one more used each time.
    assert told(await crowd) == {"PerkUsed": 3, "PerkQuotaUsed": 5}
    assert len(await uses(alice)) == 3
