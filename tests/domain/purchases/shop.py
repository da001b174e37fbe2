"""A shop with members, products, a rule and levels: what the tests of this folder begin with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain import catalogue, ledger, members, tiers
from domain.catalogue import CatalogueItem, Theme
from domain.ledger import Never
from domain.members import ByExternalReference
from domain.purchases import (
    EarningRule,
    Order,
    OrderLine,
    PurchaseBatch,
    Receipt,
    RecordPurchases,
    publish_rule,
    record_purchases,
)
from domain.storage import fetch_all

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PLACED_AT = NOW - timedelta(hours=1)

TEA = Theme(code="TEA", name_zh="茶", name_en="Tea")
PRODUCTS = (
    CatalogueItem(code="longjing", title="龙井", theme=TEA),
    CatalogueItem(code="cup", title="Cup"),
)
RULE = EarningRule(
    code="standard",
    version=0,
    permille_per_yuan=1_000,
    themes={"TEA": 1_500},
    expiry=Never(),
)
LEVELS = (
    tiers.LevelDefinition(code="member", rank=0, name_zh="会员", name_en="Member", threshold=0),
    tiers.LevelDefinition(code="gold", rank=1, name_zh="金卡", name_en="Gold", threshold=1_000),
)
PERKS = (
    tiers.PerkDefinition(
        id=UUID(int=1),
        level_code="gold",
        code="double",
        position=0,
        kind="EARNING_MULTIPLIER",
        value="2",
        title_zh="双倍积分",
        title_en="Double points",
        description_zh="",
        description_en="",
    ),
)


@dataclass(frozen=True, slots=True)
class Shop:
    """The members by the references that the shop knows them by."""

    members: dict[str, UUID]
    rule: EarningRule

    async def record(
        self, *orders: Order, batch_id: str = "batch-1", source: str = "shop", now: datetime = NOW
    ) -> PurchaseBatch:
        """Push a batch."""
        command = RecordPurchases(source=source, batch_id=batch_id, orders=orders)
        return await record_purchases(command, now=now)

    async def available(self, reference: str) -> int:
        """The member's available points."""
        return (await ledger.balance(self.members[reference], now=NOW)).available

    async def verify(self) -> None:
        """Every account is sound, and its points are those of its purchases."""
        for reference, member_id in self.members.items():
            assert await ledger.verify_account(member_id) == []
            rows = await fetch_all("SELECT points FROM purchase WHERE member_id = $1", member_id)
            assert await self.available(reference) == sum(row["points"] for row in rows)


async def open_shop(*references: str) -> Shop:
    """Make the catalogue, the rule, the levels, a perk, and a member for each reference."""
    await catalogue.upsert_products(PRODUCTS, now=NOW)
    await tiers.define_levels(LEVELS, perks=PERKS, now=NOW)
    joined = await members.register_external_members(
        [ByExternalReference(reference) for reference in references], now=NOW
    )
    return Shop(members=dict(joined), rule=await publish_rule(RULE, now=NOW))


def line(product_code: str, amount_fen: int, **changes: Any) -> OrderLine:
    """One piece, with its product's code for an id; with what is changed."""
    values = {"line_id": product_code, "quantity": 1, **changes}
    return OrderLine(product_code=product_code, amount_fen=amount_fen, **values)


def order(external_id: str, reference: str, *lines: OrderLine, **changes: Any) -> Order:
    """An order of a cup for 88 yuan, paid in full; with what is changed."""
    bought: Sequence[OrderLine] = lines or [line("cup", 8_800)]
    values: dict[str, Any] = {
        "member": ByExternalReference(reference),
        "placed_at": PLACED_AT,
        "paid_fen": sum(one.amount_fen for one in bought),
        "lines": bought,
        **changes,
    }
    return Order(external_id=external_id, **values)


def outcomes(receipts: Sequence[Receipt]) -> list[tuple[str, str | None, int]]:
    """Status, code and points of each receipt."""
    return [(one.status.value, one.code, one.points_earned) for one in receipts]


async def lines_of(external_id: str) -> list[tuple[str, str, int, int, int]]:
    """The stored lines of an order: id, product, quantity, amount, rate; by id."""
    rows = await fetch_all(
        "SELECT l.line_id, l.product_code, l.quantity, l.amount_fen, l.rate_permille "
        "FROM purchase p JOIN purchase_line l "
        "ON l.member_id = p.member_id AND l.purchase_id = p.id WHERE p.external_id = $1",
        external_id,
    )
    return sorted(
        (r["line_id"], r["product_code"], r["quantity"], r["amount_fen"], r["rate_permille"])
        for r in rows
    )
