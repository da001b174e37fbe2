"""Use cases lock their accounts once: the posting goes on with the books that the lock gave."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from domain import ledger, members
from domain.audit import Actor
from domain.errors import AccountFrozen
from domain.ledger import PointsHold
from domain.members import ByExternalReference, ById
from domain.storage import execute, fetch_all, observed_statements
from tests.domain.ledger.commands import NOW, earn

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
async def alice() -> UUID:
    joined = await members.register_external_members([ByExternalReference("alice")], now=NOW)
    await ledger.post([earn(100, member_id=joined["alice"])], now=NOW)
    return joined["alice"]


def hold(member_id: UUID, points: int = 10, *, key: str = "hold") -> Awaitable[PointsHold]:
    command = ledger.HoldPoints(
        owner="shop", member=ById(member_id), points=points, reference=key, idempotency_key=key
    )
    return ledger.hold_points(command, now=NOW)


@asynccontextmanager
async def accounts_locked(times: int) -> AsyncIterator[None]:
    with observed_statements() as sent:
        yield
    assert sum("FROM points_account" in statement for statement in sent) == times


async def test_every_use_case_locks_its_accounts_once(alice: UUID) -> None:
    joined = await members.register_external_members([ByExternalReference("bob")], now=NOW)
    async with accounts_locked(1):
        first = await hold(alice)
    second = await hold(alice, key="another")
    async with accounts_locked(1):
        await ledger.capture_points(
            ledger.CapturePoints(
                owner="shop", member_id=alice, hold_id=first.hold_id, idempotency_key="capture"
            ),
            now=NOW,
        )
    async with accounts_locked(1):
        await ledger.release_points(
            ledger.ReleasePoints(
                owner="shop", member_id=alice, hold_id=second.hold_id, idempotency_key="release"
            ),
            now=NOW,
        )
    async with accounts_locked(1):
        await ledger.adjust_points(
            ledger.AdjustPoints(member=ById(alice), points=7, reason="r", idempotency_key="adjust"),
            by=Actor(name="staff:li.na", account_id=UUID(int=1), request_id="request-1"),
            rules=ledger.AdjustmentRules(),
            now=NOW,
        )
    given = ledger.TransferPoints(
        member_id=alice, to_member=ById(joined["bob"]), points=20, idempotency_key="transfer"
    )
    # An account that is missing is made, and locked then.
    async with accounts_locked(2):
        await ledger.transfer_points(given, limits=ledger.TransferLimits(), now=NOW)
    assert (await ledger.balance(alice, now=NOW)).available == 77
    assert (await ledger.balance(joined["bob"], now=NOW)).available == 20
    assert await ledger.verify_account(alice) == []
    assert await ledger.verify_account(joined["bob"]) == []


async def test_a_book_that_was_locked_before_it_proved_unsound_is_opened_anew(alice: UUID) -> None:
    await execute("UPDATE points_account SET available = 400 WHERE member_id = $1", alice)
    with capture_logs() as logs, pytest.raises(AccountFrozen):
        await hold(alice, 300)
    assert [(one["event"], one["members"]) for one in logs] == [("ledger_unsound", (alice,))]
    assert await fetch_all("SELECT hold_id FROM points_hold") == []


async def test_a_frozen_account_is_locked_with_the_balances_of_its_journal(alice: UUID) -> None:
    held = await hold(alice, 30)
    await execute("UPDATE points_account SET held = held + 5, frozen_at = $1", NOW)
    await ledger.release_points(
        ledger.ReleasePoints(
            owner="shop", member_id=alice, hold_id=held.hold_id, idempotency_key="release"
        ),
        now=NOW,
    )
    assert (await ledger.balance(alice, now=NOW)).available == 100
    assert await ledger.verify_account(alice) == []
