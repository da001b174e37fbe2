"""Racing staff, on PostgreSQL: two approvers have one effect, small parts are summed in turn."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain import members, program
from domain.audit import Actor
from domain.errors import AdjustmentNotPending
from domain.ledger import (
    Adjustment,
    AdjustmentRules,
    AdjustPoints,
    ApproveAdjustment,
    adjust_points,
    approve_adjustment,
    balance,
    verify_account,
)
from domain.members import ByExternalReference, ById
from tests.domain.ledger.commands import NOW, SHANGHAI
from tests.races.contention import Gate

RULES = AdjustmentRules(alone_max=100)


def person(number: int) -> Actor:
    return Actor(name=f"staff:{number}", account_id=UUID(int=number), request_id=f"r-{number}")


@pytest.fixture
async def member_id(postgres: str) -> UUID:
    """A member without a points account."""
    del postgres
    programme = program.Programme(name_zh="茶", name_en="Tea", zone=SHANGHAI, currency="CNY")
    await program.set_up(programme, now=NOW)
    reference = ByExternalReference("alice")
    return (await members.register_external_members([reference], now=NOW))["alice"]


async def adjust(member_id: UUID, points: int, *, by: int = 1, key: str = "k") -> Adjustment:
    command = AdjustPoints(
        member=ById(member_id), points=points, reason="a race", idempotency_key=key
    )
    return await adjust_points(command, by=person(by), rules=RULES, now=NOW)


async def approve(adjustment_id: UUID, *, by: int, key: str) -> Adjustment:
    command = ApproveAdjustment(adjustment_id=adjustment_id, idempotency_key=key)
    return await approve_adjustment(command, by=person(by), rules=RULES, now=NOW)


async def test_twelve_approvals_at_once_have_one_effect(member_id: UUID, gate: Gate) -> None:
    """Two people, each with three keys that are sent twice."""
    asked = await adjust(member_id, 500)
    await gate.hold("SELECT 1 FROM points_adjustment FOR UPDATE")
    crowd = asyncio.gather(
        *(
            approve(asked.id, by=by, key=key)
            for by in (2, 3)
            for key in ("a", "b", "c")
            for _ in range(2)
        ),
        return_exceptions=True,
    )
    await gate.open(waiting=12)
    outcomes = await crowd
    made = [one for one in outcomes if isinstance(one, Adjustment)]
    # Whoever was first, and the same key sent again.
    assert len(made) == 2
    assert made[0] == made[1]
    assert (made[0].status, made[0].entry_seq) == ("APPLIED", 1)
    refused = [one for one in outcomes if not isinstance(one, Adjustment)]
    assert [type(one) for one in refused] == [AdjustmentNotPending] * 10
    assert (await balance(member_id, now=NOW)).available == 500
    assert await verify_account(member_id) == []


async def test_many_small_parts_at_once_do_not_pass_the_threshold(
    member_id: UUID, gate: Gate
) -> None:
    """The member has no account yet: there is no row that all could lock from the beginning."""
    await gate.hold("LOCK TABLE points_adjustment IN ACCESS EXCLUSIVE MODE")
    crowd = asyncio.gather(*(adjust(member_id, 30, key=str(n)) for n in range(10)))
    await gate.open(waiting=10)
    statuses = [str(one.status) for one in await crowd]
    assert (statuses.count("APPLIED"), statuses.count("PENDING")) == (3, 7)
    assert (await balance(member_id, now=NOW)).available == 90
    assert await verify_account(member_id) == []


async def test_one_key_ten_times_at_once_is_one_adjustment(member_id: UUID, gate: Gate) -> None:
    await gate.hold("LOCK TABLE points_adjustment IN ACCESS EXCLUSIVE MODE")
    crowd = asyncio.gather(*(adjust(member_id, 30) for _ in range(10)))
    await gate.open(waiting=10)
    made = await crowd
    assert {one.id for one in made} == {made[0].id}
    assert {(one.status, one.entry_seq) for one in made} == {("APPLIED", 1)}
    assert (await balance(member_id, now=NOW)).available == 30


async def test_approvals_and_requests_sent_again_do_not_deadlock(
    member_id: UUID, gate: Gate
) -> None:
    """An approval has the adjustment's row and wants the account, which a request waits for."""
    asked = await adjust(member_id, 500)
    await adjust(member_id, 30, key="it makes the account")
    await gate.hold("SELECT 1 FROM points_account FOR UPDATE")
    with capture_logs() as logs:
        again = [asyncio.create_task(adjust(member_id, 500)) for _ in range(4)]
        await gate.gather(4)
        approvals = [asyncio.create_task(approve(asked.id, by=2, key="a")) for _ in range(2)]
        await gate.gather(6)
        again += [asyncio.create_task(adjust(member_id, 500)) for _ in range(4)]
        await gate.open(waiting=10)
        told, approved = await asyncio.gather(*again), await asyncio.gather(*approvals)
    assert {one.id for one in told} == {asked.id}
    assert {(one.status, one.entry_seq) for one in told} == {("PENDING", None)}
    assert {(one.status, one.entry_seq) for one in approved} == {("APPLIED", 2)}
    # Nothing ran a second time, as the victim of a deadlock does.
    assert [log for log in logs if log["event"] == "stamina.retry_scheduled"] == []
