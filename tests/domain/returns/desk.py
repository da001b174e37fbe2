"""A shop at whose desk things are brought back: what the tests of returns begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import ledger, rewards, tiers
from domain.ledger import Balance, EntryKind
from domain.paging import PageRequest
from domain.returns import (
    RecordRefunds,
    Refund,
    RefundBatch,
    RefundLine,
    RefundPreview,
    RefundReceipt,
    preview_refund,
    record_refunds,
)
from domain.rewards import (
    Coupon,
    CouponTerms,
    RedeemReward,
    Redemption,
    RewardDefinition,
    RewardRules,
)
from domain.storage import fetch_all
from tests.domain.purchases.shop import NOW

IN_FORCE = RewardRules()
TEN_OFF = RewardDefinition(
    id=UUID(int=21),
    code="ten-off",
    title_zh="十元券",
    title_en="Ten yuan off",
    description_zh="",
    description_en="",
    kind="COUPON",
    points_price=30,
    stock=10,
    coupon=CouponTerms(days=30),
)
MUG = replace(TEN_OFF, id=UUID(int=22), code="mug", kind="GIFT", points_price=50, stock=None)


def refund(external_id: str, order: str, amount: int, **changes: Any) -> Refund:
    """Money that was given back now; with what is changed."""
    values: dict[str, Any] = {"refunded_at": NOW, **changes}
    return Refund(external_id=external_id, order_external_id=order, amount_fen=amount, **values)


def of_line(line_id: str, amount: int, quantity: int = 1) -> RefundLine:
    return RefundLine(line_id=line_id, quantity=quantity, amount_fen=amount)


async def record(
    *refunds: Refund, batch_id: str = "refunds-1", source: str = "shop", now: datetime = NOW
) -> RefundBatch:
    """Push a batch of refunds."""
    command = RecordRefunds(source=source, batch_id=batch_id, refunds=refunds)
    return await record_refunds(command, rules_in_force=IN_FORCE, now=now)


def told(receipts: Sequence[RefundReceipt]) -> list[tuple[str, str | None, int, int]]:
    """Status, code, points taken and points then owed of each receipt."""
    return [(one.status.value, one.code, one.points_taken, one.debt_after) for one in receipts]


async def preview(
    member_id: UUID, order: str, amount: int, *, now: datetime = NOW
) -> RefundPreview | None:
    """What giving back so much of the member's order would do."""
    rows = await fetch_all(
        "SELECT id FROM purchase WHERE member_id = $1 AND external_id = $2", member_id, order
    )
    order_id = rows[0]["id"] if rows else UUID(int=404)
    return await preview_refund(
        member_id, order_id=order_id, amount_fen=amount, rules_in_force=IN_FORCE, now=now
    )


async def offer(*definitions: RewardDefinition) -> None:
    """Let these be redeemed."""
    await rewards.define_rewards(definitions or (TEN_OFF, MUG), now=NOW)


async def redeem(
    member_id: UUID, key: str, reward: RewardDefinition = TEN_OFF, *, now: datetime = NOW
) -> Redemption:
    """A redemption that is made."""
    command = RedeemReward(member_id=member_id, reward_id=reward.id, idempotency_key=key)
    return await rewards.redeem_reward(command, now=now)


async def wallet(member_id: UUID, *, now: datetime = NOW) -> list[Coupon]:
    """The member's coupons."""
    page = await rewards.coupons(member_id, PageRequest(first=100), status=None, now=now)
    return [*page.items]


async def points(member_id: UUID, *, now: datetime = NOW) -> Balance:
    return await ledger.balance(member_id, now=now)


async def journal(member_id: UUID) -> list[tuple[EntryKind, int]]:
    """Kind and amount of each entry, the oldest first."""
    page = await ledger.journal(member_id, PageRequest(first=100))
    return [(one.kind, one.amount) for one in reversed(page.items)]


async def level(member_id: UUID) -> str:
    return (await tiers.level_codes([member_id]))[member_id]
