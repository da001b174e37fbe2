"""What is recorded of an order, whether it is new or grows: its points, its lines, its effects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import tiers
from domain.errors import Refusal
from domain.ledger import Earn, Outcome, Place, Source
from domain.program import Programme
from domain.purchases.earning import EarningRule
from domain.purchases.orders import OrderLine
from domain.storage import Table

SOURCE_KIND: Final = "purchase"

_LINES = Table(
    "purchase_line",
    member_id="uuid",
    purchase_id="uuid",
    line_id="text",
    product_code="text",
    quantity="int",
    amount_fen="bigint",
    rate_permille="int",
    came_with="uuid",
    earned_by="uuid",
    earned_seq="bigint",
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An order that is recorded: whose it is, and the points that it earned at first."""

    purchase_id: UUID
    member_id: UUID
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelEffect:
    """What an order, or what was added to one, counts towards the member's level.

    `came_with` is the merge with which the order came to the member.
    """

    member_id: UUID
    points: int
    purchases: int
    paid_fen: int
    placed_at: datetime
    came_with: UUID | None = None


def earn_of(
    purchase: Recorded, *, reference: str, placed_at: datetime, rule: EarningRule, zone: Any
) -> Earn:
    """The ledger's command for the points of an order, which its own key makes idempotent."""
    matures_at, expires_at = rule.lifetime(placed_at, zone)
    return Earn(
        member_id=purchase.member_id,
        points=purchase.points,
        source=Source(kind=SOURCE_KIND, reference=reference),
        effective_at=placed_at,
        matures_at=matures_at,
        expires_at=expires_at,
    )


def sorted_by_outcome(
    outcomes: Mapping[int, Outcome],
) -> tuple[dict[int, Refusal], dict[int, Place]]:
    """The refusals by index, and the entries that were written, by whose journals they are in."""
    refused = {index: one for index, one in outcomes.items() if isinstance(one, Refusal)}
    earned = {
        index: (one.member_id, one.seq)
        for index, one in outcomes.items()
        if not isinstance(one, Refusal)
    }
    return refused, earned


def line_row(
    purchase: Recorded, line: OrderLine, *, rate_permille: int, earned: Place | None
) -> dict[str, Any]:
    """A line as it is stored, with the rate that it earns at for ever.

    `earned` is the entry of what the order earned when the line was recorded, if it earned.
    """
    earned_by, earned_seq = earned or (None, None)
    return {
        "member_id": purchase.member_id,
        "purchase_id": purchase.purchase_id,
        "line_id": line.line_id,
        "product_code": line.product_code,
        "quantity": line.quantity,
        "amount_fen": line.amount_fen,
        "rate_permille": rate_permille,
        "earned_by": earned_by,
        "earned_seq": earned_seq,
    }


def rate_permille(line: OrderLine, *, rule: EarningRule, themes: Mapping[str, str | None]) -> int:
    """What the line earns per yuan; a line of no quantity sold nothing, so it earns nothing."""
    return rule.rate_permille(themes.get(line.product_code)) if line.quantity > 0 else 0


async def write_lines(rows: Sequence[dict[str, Any]]) -> None:
    """Insert lines, one statement."""
    await _LINES.insert(rows)


async def qualify_for_levels(
    effects: Sequence[LevelEffect], *, programme: Programme, now: datetime
) -> None:
    """Count the effects towards levels, and upgrade whom they lift."""
    await tiers.qualify(
        [
            tiers.Qualifying(
                member_id=effect.member_id,
                points=effect.points,
                purchases=effect.purchases,
                amount_fen=effect.paid_fen,
                occurred_at=effect.placed_at,
                source_kind=SOURCE_KIND,
                came_with=effect.came_with,
            )
            for effect in effects
        ],
        zone=programme.zone,
        now=now,
    )
