"""Imports that meet: the same members in opposite roles, and a check of an account under writes."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
import structlog.testing

from domain.ledger import Never, lock_accounts, verify_account
from domain.members import ByExternalReference, resolve_members
from domain.purchases import (
    EarningRule,
    ImportOrders,
    Order,
    OrderLine,
    import_orders,
)
from domain.storage import execute, fetch_all, transaction
from tests.domain.access.fixtures import NOW
from tests.races.contention import Gate
from tests.races.posting import post_all
from tests.races.test_postings import earn

RULE = EarningRule(code="standard", version=0, permille_per_yuan=1_000, expiry=Never())


def order(external_id: str, member: str, *lines: str) -> Order:
    made = [
        OrderLine(line_id=line, product_code="tea", quantity=1, amount_fen=10_000) for line in lines
    ]
    return Order(
        external_id=external_id,
        member=ByExternalReference(member),
        placed_at=NOW,
        paid_fen=10_000 * len(made),
        lines=made,
    )


async def bring(*orders: Order) -> None:
    command = ImportOrders(source="import", orders=orders, create_members=True)
    await import_orders(command, rule=RULE, now=NOW)


@pytest.mark.usefixtures("postgres")
async def test_imports_with_the_same_members_in_opposite_roles_do_not_deadlock(gate: Gate) -> None:
    await bring(order("A", "alice", "1"), order("B", "bob", "1"))
    await gate.hold("SELECT 1 FROM points_account FOR UPDATE")
    with structlog.testing.capture_logs() as logs:
        # One amends alice's order and records a new one of bob's; the other the other way round.
        crowd = asyncio.gather(
            bring(order("A", "alice", "1", "2"), order("C", "bob", "1")),
            bring(order("B", "bob", "1", "2"), order("D", "alice", "1")),
        )
        await gate.open(waiting=2)
        await crowd
    assert [log for log in logs if log["event"] == "stamina.retry_scheduled"] == []
    rows = await fetch_all("SELECT available FROM points_account ORDER BY member_id")
    assert [row["available"] for row in rows] == [300, 300]


async def test_an_account_is_verified_as_of_one_moment(postgres: str) -> None:
    [member_id] = await _members("alice")
    await earn(member_id, 100, "opening")
    writing = asyncio.create_task(post_all(member_id, "busy", 120))
    found = []
    while not writing.done():
        found += await verify_account(member_id)
    await writing
    assert found == []


async def _members(*names: str) -> list[UUID]:
    await bring(*(order(f"first-{name}", name, "1") for name in names))
    resolved = await resolve_members([ByExternalReference(name) for name in names])
    return [one for one in resolved if one is not None]


async def test_open_lots_are_read_from_their_own_index(postgres: str) -> None:
    [alice, bob] = await _members("alice", "bob")
    await post_all(bob, "others", 200)

    async def plan() -> str:
        await lock_accounts([alice])
        # In a table this small everything may be read whole; what counts is which index serves.
        await execute("SET LOCAL enable_seqscan = off")
        rows = await fetch_all(
            "EXPLAIN SELECT lot_seq FROM points_lot "
            "WHERE member_id = ANY($1::uuid[]) AND remaining > pinned",
            [alice],
        )
        return "\n".join(row["QUERY PLAN"] for row in rows)

    assert "expires_at_lot_seq_idx" in await transaction(plan)
