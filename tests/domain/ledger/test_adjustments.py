"""Corrections by staff: alone or with a second person, once, against the balance of the moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain import members, program
from domain.audit import Actor, Target, entries
from domain.errors import (
    AccountFrozen,
    AdjustmentNotPending,
    AdjustmentUnknown,
    ApprovalByRequester,
    IdempotencyConflict,
    InsufficientPoints,
    InvalidInput,
    MemberNotFound,
    PointsOutOfRange,
    Refusal,
)
from domain.ledger import (
    POINTS_MAX,
    Adjustment,
    AdjustmentRules,
    AdjustmentStatus,
    AdjustPoints,
    ApproveAdjustment,
    adjust_points,
    approve_adjustment,
    balance,
    journal,
    pending_adjustments,
    post,
    verify_account,
)
from domain.members import ByExternalReference, ById, MemberRef
from domain.paging import PageRequest
from domain.storage import execute, fetch_one
from tests.domain.ledger.commands import NOW, SHANGHAI, days, earn
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

LI_NA = Actor(name="staff:li.na", account_id=UUID(int=1), request_id="request-1")
WANG = Actor(name="staff:wang", account_id=UUID(int=2), request_id="request-2")
RULES = AdjustmentRules(alone_max=100)


async def member(name: str) -> UUID:
    return (await members.register_external_members([ByExternalReference(name)], now=NOW))[name]


@pytest.fixture
async def alice(database: str) -> UUID:
    """A member with 50 points."""
    del database
    await program.set_up(
        program.Programme(name_zh="茶", name_en="Tea", zone=SHANGHAI, currency="CNY"), now=NOW
    )
    member_id = await member("alice")
    await post([earn(50, member_id=member_id)], now=NOW)
    return member_id


async def adjust(
    points: int,
    *,
    of: UUID | MemberRef,
    by: Actor = LI_NA,
    key: str = "k",
    reason: str = "the parcel was late",
    now: datetime = NOW,
    rules: AdjustmentRules = RULES,
) -> Adjustment:
    member = ById(of) if isinstance(of, UUID) else of
    command = AdjustPoints(member=member, points=points, reason=reason, idempotency_key=key)
    return await adjust_points(command, by=by, rules=rules, now=now)


async def approve(
    adjustment_id: UUID, *, by: Actor = WANG, key: str = "a", now: datetime = NOW
) -> Adjustment:
    command = ApproveAdjustment(adjustment_id=adjustment_id, idempotency_key=key)
    return await approve_adjustment(command, by=by, rules=RULES, now=now)


async def available(member_id: UUID, *, now: datetime = NOW) -> int:
    assert await verify_account(member_id) == []
    return (await balance(member_id, now=now)).available


async def waiting(*, first: int = 20) -> list[UUID]:
    page = await pending_adjustments(PageRequest(first=first), by=WANG, now=NOW)
    return [one.id for one in page.items]


async def test_a_small_one_takes_effect_at_once(alice: UUID) -> None:
    made = await adjust(100, of=alice)
    assert (made.status, made.approvals_needed, made.entry_seq) == ("APPLIED", 0, 2)
    assert (made.requester, made.requested_at, made.applied_at) == ("staff:li.na", NOW, NOW)
    assert (made.approver, made.approved_by) == (None, None)
    assert await available(alice) == 150
    [newest, _] = (await journal(alice, PageRequest(first=2))).items
    assert (newest.kind, newest.amount, newest.reason) == ("ADJUST", 100, "the parcel was late")
    assert (newest.source.kind, newest.source.reference) == ("adjustment", str(made.id))
    down = await adjust(-30, of=alice, key="down", by=WANG)
    assert down.entry_seq == 3
    assert await available(alice) == 120


async def test_what_is_added_expires_at_a_midnight_of_the_programme(alice: UUID) -> None:
    await adjust(10, of=alice)
    lot = await fetch_one("SELECT expires_at FROM points_lot WHERE earned = 10")
    assert lot is not None
    # Valid through 1 March 2027 in Shanghai.
    assert lot["expires_at"] == datetime(2027, 3, 1, 16, tzinfo=UTC)
    rules = AdjustmentRules(alone_max=100, expiry_months=1)
    await adjust(11, of=alice, key="k2", rules=rules)
    lot = await fetch_one("SELECT expires_at FROM points_lot WHERE earned = 11")
    assert lot is not None
    assert lot["expires_at"] == datetime(2026, 4, 1, 16, tzinfo=UTC)


@pytest.mark.parametrize("points", [101, -101])
async def test_a_large_one_waits_for_somebody_else(alice: UUID, points: int) -> None:
    await post([earn(100, member_id=alice)], now=NOW)
    asked = await adjust(points, of=alice)
    assert (asked.status, asked.approvals_needed, asked.entry_seq) == ("PENDING", 1, None)
    assert await available(alice) == 150
    assert await waiting() == [asked.id]
    made = await approve(asked.id, now=NOW + days(1))
    assert (made.status, made.approvals_needed, made.entry_seq) == ("APPLIED", 0, 3)
    assert (made.approver, made.applied_at) == ("staff:wang", NOW + days(1))
    assert await available(alice, now=NOW + days(1)) == 150 + points
    assert await waiting() == []


async def test_many_small_ones_by_one_person_for_one_member_count_together(alice: UUID) -> None:
    assert (await adjust(60, of=alice, key="1")).status == "APPLIED"
    assert (await adjust(-40, of=alice, key="2")).status == "APPLIED"
    third = await adjust(1, of=alice, key="3")
    assert third.status == "PENDING"
    # Somebody else's, another member's, and what was approved are not counted.
    assert (await adjust(100, of=alice, by=WANG, key="1")).status == "APPLIED"
    bob = await member("bob")
    assert (await adjust(100, of=bob, key="4")).status == "APPLIED"
    await approve(third.id)
    almost = NOW + timedelta(hours=24) - timedelta(microseconds=1)
    assert (await adjust(1, of=alice, key="5", now=almost)).status == "PENDING"
    later = NOW + timedelta(hours=24)
    assert (await adjust(100, of=alice, key="6", now=later)).status == "APPLIED"
    assert await available(alice, now=later) == 50 + 60 - 40 + 100 + 1 + 100


async def test_with_nothing_to_decide_alone_everything_waits(alice: UUID) -> None:
    none = AdjustmentRules(alone_max=0)
    assert (await adjust(1, of=alice, rules=none)).status == "PENDING"
    assert (await adjust(-1, of=alice, rules=none, key="2")).status == "PENDING"


async def test_it_is_decided_against_the_balance_at_the_approval(alice: UUID) -> None:
    asked = await adjust(-150, of=alice)
    async with nothing_changes():
        over = await refused(InsufficientPoints, approve(asked.id))
        assert (over.available, over.requested) == (50, 150)
    assert await waiting() == [asked.id]
    await post([earn(100, member_id=alice)], now=NOW)
    # The same key may succeed later: a refusal is not remembered.
    assert (await approve(asked.id)).status == "APPLIED"
    assert await available(alice) == 0


async def refused(refusal: type[Refusal], adjusting: Awaitable[Adjustment]) -> Any:
    with pytest.raises(refusal) as raised:
        await adjusting
    return raised.value


@asynccontextmanager
async def nothing_changes() -> AsyncIterator[None]:
    before = await everything_kept()
    yield
    assert await everything_kept() == before


async def test_an_approval_is_refused_for_good_reasons(alice: UUID) -> None:
    asked = await adjust(101, of=alice)
    async with nothing_changes():
        await refused(ApprovalByRequester, approve(asked.id, by=LI_NA))
        await refused(AdjustmentUnknown, approve(UUID(int=404)))
    await approve(asked.id)
    small = await adjust(1, of=alice, key="small")
    async with nothing_changes():
        twice = await refused(AdjustmentNotPending, approve(asked.id, key="another"))
        assert twice.status == "APPLIED"
        await refused(ApprovalByRequester, approve(asked.id, by=LI_NA))
        await refused(AdjustmentNotPending, approve(small.id, key="small"))
        await refused(IdempotencyConflict, approve(small.id))
    assert await available(alice) == 152


async def test_an_adjustment_is_refused_for_good_reasons(alice: UUID) -> None:
    nobody = ByExternalReference("nobody")
    async with nothing_changes():
        over = await refused(InsufficientPoints, adjust(-51, of=alice))
        assert (over.available, over.requested) == (50, 51)
        for points in (0, POINTS_MAX + 1, -POINTS_MAX - 1):
            out = await refused(PointsOutOfRange, adjust(points, of=alice))
            assert out.field == ("points",)
        assert (await refused(MemberNotFound, adjust(1, of=nobody))).field == ("member",)
        for reason in ("", " ", "\n\t ", "x" * 501, "a\0b", "\ud800"):
            bad = await refused(InvalidInput, adjust(1, of=alice, reason=reason))
            assert bad.field == ("reason",)
        for key in ("", "x" * 129, "a\nb"):
            bad = await refused(InvalidInput, adjust(1, of=alice, key=key))
            assert bad.field == ("idempotency_key",)
    await execute("UPDATE points_account SET frozen_at = $1", NOW)
    async with nothing_changes():
        await refused(AccountFrozen, adjust(-1, of=alice))
    assert (await adjust(1, of=alice)).status == "APPLIED"


async def test_more_than_fits_is_refused_at_the_approval(alice: UUID) -> None:
    asked = await adjust(POINTS_MAX, of=alice)
    await refused(PointsOutOfRange, approve(asked.id))
    assert await waiting() == [asked.id]


async def test_a_member_without_a_journal_is_adjusted_too(alice: UUID) -> None:
    bob = await member("bob")
    for _ in range(2):
        asked = await adjust(101, of=bob)
        account = await fetch_one("SELECT version FROM points_account WHERE member_id = $1", bob)
        assert account is None
    await refused(InsufficientPoints, adjust(-1, of=bob, key="2"))
    assert (await approve(asked.id)).entry_seq == 1
    assert await available(bob) == 101


async def test_the_first_answer_is_given_again(alice: UUID) -> None:
    first = await adjust(101, of=alice)
    made = await approve(first.id)
    again = await adjust(101, of=alice, now=NOW + days(400))
    assert again == first
    assert again.status is AdjustmentStatus.PENDING
    assert await approve(first.id, now=NOW + days(400)) == made
    assert await available(alice) == 151
    small = await adjust(7, of=alice, key="small")
    assert await adjust(7, of=alice, key="small", now=NOW + days(2)) == small
    # Each person has keys of their own.
    assert (await adjust(7, of=alice, key="small", by=WANG)).id != small.id
    assert await available(alice) == 165


async def test_a_key_with_other_input_is_refused_and_says_what_differs(alice: UUID) -> None:
    await adjust(5, of=alice)
    for field, other in (
        ("member", adjust(5, of=ByExternalReference("alice"))),
        ("points", adjust(6, of=alice)),
        ("reason", adjust(5, of=alice, reason="another")),
    ):
        conflict = await refused(IdempotencyConflict, other)
        assert conflict.differing == (field,)
    assert await available(alice) == 55


async def test_the_audit_log_tells_each_act_and_no_words(alice: UUID) -> None:
    asked = await adjust(101, of=alice)
    await adjust(101, of=alice)
    await approve(asked.id)
    await waiting()
    page = await entries(PageRequest(first=4))
    asking, again, approving, looking = reversed(page.items)
    target = Target(kind="member", id=str(alice))
    facts = {
        "adjustment": str(asked.id),
        "entry": None,
        "points": 101,
        "requester": "staff:li.na",
        "status": "PENDING",
    }
    assert (asking.actor, asking.action, asking.target) == ("staff:li.na", "points.adjust", target)
    assert asking.before is None
    assert orjson.loads(asking.after or "") == facts
    assert again.action == "points.adjust"
    assert orjson.loads(again.after or "") == {**facts, "replayed": True}
    assert (approving.actor, approving.action) == ("staff:wang", "points.approve")
    assert orjson.loads(approving.before or "") == facts
    assert orjson.loads(approving.after or "") == {**facts, "entry": 2, "status": "APPLIED"}
    assert (looking.action, looking.target) == ("adjustments.read", None)
    assert "parcel" not in str(page.items)


async def test_those_that_wait_are_read_page_by_page_oldest_first(alice: UUID) -> None:
    asked = [
        await adjust(200, of=alice, key=str(n), now=NOW + timedelta(seconds=n % 3))
        for n in range(7)
    ]
    expected = [one.id for one in sorted(asked, key=lambda one: (one.requested_at, one.id))]
    seen: list[UUID] = []
    page = await pending_adjustments(PageRequest(first=3), by=WANG, now=NOW)
    while True:
        seen += [one.id for one in page.items]
        if not page.has_next:
            break
        request = PageRequest(first=3, after=page.keys[-1])
        page = await pending_adjustments(request, by=WANG, now=NOW)
    assert seen == expected
    for one in asked[:3]:
        await approve(one.id, key=str(one.id))
    assert set(await waiting()) == {one.id for one in asked[3:]}
