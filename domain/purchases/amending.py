"""Adding lines to orders that are recorded.

What the whole order earns now, less what it earned before, is posted; reckoned by the rule and the
multiplier that were frozen when it was recorded. New lines are paid in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import catalogue, idempotency
from domain.errors import AmountInvalid, Refusal
from domain.ledger import Place, post
from domain.outbox import Event, announce
from domain.program import Programme
from domain.purchases.earning import EarningRule, rules_at
from domain.purchases.orders import AMOUNT_FEN_MAX, Order
from domain.purchases.recorded import (
    LevelEffect,
    Recorded,
    earn_of,
    line_row,
    qualify_for_levels,
    rate_permille,
    sorted_by_outcome,
    write_lines,
)
from domain.purchases.rules import EarningLine, points_earned
from domain.storage import Row, Table, fetch_all

_PURCHASES = Table("purchase", member_id="uuid", id="uuid", paid_fen="bigint", points="bigint")

# The purchases are locked, in one order, so that two imports do not add the same line.
_LOCK_PURCHASES = """
    SELECT member_id, id, placed_at, paid_fen, rule_code, rule_version, multiplier_permille, points,
           came_with, refunded_fen
    FROM purchase
    WHERE member_id = ANY($1::uuid[]) AND id = ANY($2::uuid[])
    ORDER BY id
    FOR NO KEY UPDATE
"""
_LINES = """
    SELECT purchase_id, line_id, product_code, quantity, amount_fen, rate_permille
    FROM purchase_line
    WHERE member_id = ANY($1::uuid[]) AND purchase_id = ANY($2::uuid[])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendable:
    """An order as it comes now, and the purchase that it is recorded as."""

    order: Order
    purchase: Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedOrder:
    """What became of one order: a refusal of the whole, or what became of each line id.

    `added` are recorded now, `known` were before, `differing` were before with other content and
    are refused. `points_earned` is what was posted now.
    """

    refusal: Refusal | None = None
    added: Sequence[str] = ()
    known: Sequence[str] = ()
    differing: Sequence[str] = ()
    points_earned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    """A purchase, the lines that it gets as they are stored, and what it then amounts to.

    `earned` is the purchase with the points that the new lines add.
    """

    index: int
    stored: Row
    rule: EarningRule
    lines: Sequence[dict[str, Any]]
    paid_fen: int
    earned: Recorded

    @property
    def bought_again(self) -> int:
        """1 where nothing was paid, or all was refunded, so that it was no purchase, and is now."""
        return int(self.paid_fen > self.stored["paid_fen"] == self.stored["refunded_fen"])


async def amend(
    orders: Sequence[Amendable], *, source: str, programme: Programme, now: datetime
) -> list[ImportedOrder]:
    """Add to each purchase the lines that it does not have; inside the caller's transaction.

    A fixed number of statements whatever the number of orders; one outcome per order, in order.
    """
    if not orders:
        return []
    member_ids = sorted({o.purchase.member_id for o in orders})
    purchase_ids = sorted({o.purchase.purchase_id for o in orders})
    stored = {row["id"]: row for row in await fetch_all(_LOCK_PURCHASES, member_ids, purchase_ids)}
    lines: dict[UUID, list[Row]] = {purchase_id: [] for purchase_id in purchase_ids}
    for row in await fetch_all(_LINES, member_ids, purchase_ids):
        lines[row["purchase_id"]].append(row)

    outcomes = [_compared(o.order, lines[o.purchase.purchase_id]) for o in orders]
    growths = await _grow(orders, outcomes, stored=stored, lines=lines)
    refused, earned = await _earn(growths, orders=orders, programme=programme, now=now)
    grown = [growth for growth in growths if growth.index not in refused]
    await _write(grown, earned=earned, orders=orders, source=source, now=now)
    await qualify_for_levels(
        [
            LevelEffect(
                member_id=g.earned.member_id,
                points=g.earned.points,
                purchases=g.bought_again,
                paid_fen=g.paid_fen - g.stored["paid_fen"],
                placed_at=g.stored["placed_at"],
                came_with=g.stored["came_with"],
            )
            for g in grown
        ],
        programme=programme,
        now=now,
    )
    for growth in grown:
        outcomes[growth.index] = replace(outcomes[growth.index], points_earned=growth.earned.points)
    for index, refusal in refused.items():
        outcomes[index] = ImportedOrder(refusal=refusal)
    return outcomes


def _compared(order: Order, stored: Sequence[Row]) -> ImportedOrder:
    """Each line of the order against those that are stored."""
    by_id = {row["line_id"]: row for row in stored}
    added, known, differing = [], [], []
    for line in order.lines:
        row = by_id.get(line.line_id)
        if row is None:
            added.append(line.line_id)
        elif (row["product_code"], row["quantity"], row["amount_fen"]) == (
            line.product_code,
            line.quantity,
            line.amount_fen,
        ):
            known.append(line.line_id)
        else:
            differing.append(line.line_id)
    return ImportedOrder(added=added, known=known, differing=differing)


async def _grow(
    orders: Sequence[Amendable],
    outcomes: Sequence[ImportedOrder],
    *,
    stored: Mapping[UUID, Row],
    lines: Mapping[UUID, Sequence[Row]],
) -> list[_Growth]:
    """Decide what each order with new lines amounts to."""
    growing = {index: set(outcome.added) for index, outcome in enumerate(outcomes) if outcome.added}
    if not growing:
        return []
    rules = await rules_at((row["rule_code"], row["rule_version"]) for row in stored.values())
    themes = await catalogue.themes_of_products(
        line.product_code
        for index, added in growing.items()
        for line in orders[index].order.lines
        if line.line_id in added
    )
    growths = []
    for index, added in growing.items():
        purchase = orders[index].purchase
        row = stored[purchase.purchase_id]
        rule = rules[row["rule_code"], row["rule_version"]]
        new = [
            # A line goes where its purchase goes, should the records of two members be parted.
            line_row(
                purchase,
                line,
                rate_permille=rate_permille(line, rule=rule, themes=themes),
                earned=None,
            )
            | {"came_with": row["came_with"]}
            for line in orders[index].order.lines
            if line.line_id in added
        ]
        paid_fen = row["paid_fen"] + sum(line["amount_fen"] for line in new)
        points = points_earned(
            (
                EarningLine(line["amount_fen"], line["rate_permille"])
                for line in (*lines[purchase.purchase_id], *new)
            ),
            paid_fen=paid_fen,
            multiplier_permille=row["multiplier_permille"],
        )
        earned = replace(purchase, points=points - row["points"])
        growths.append(
            _Growth(index=index, stored=row, rule=rule, lines=new, paid_fen=paid_fen, earned=earned)
        )
    return growths


async def _earn(
    growths: Sequence[_Growth],
    *,
    orders: Sequence[Amendable],
    programme: Programme,
    now: datetime,
) -> tuple[dict[int, Refusal], dict[int, Place]]:
    """Post what the new lines add; returns the refusals and the entries by index."""
    refused: dict[int, Refusal] = {
        growth.index: AmountInvalid(field=("paid",), amount_fen=growth.paid_fen)
        for growth in growths
        if growth.paid_fen > AMOUNT_FEN_MAX
    }
    earning = [g for g in growths if g.earned.points > 0 and g.index not in refused]
    outcomes = await post(
        [
            earn_of(
                growth.earned,
                reference=orders[growth.index].order.external_id,
                placed_at=growth.stored["placed_at"],
                rule=growth.rule,
                zone=programme.zone,
            )
            for growth in earning
        ],
        now=now,
    )
    not_taken, earned = sorted_by_outcome(
        {growth.index: outcome for growth, outcome in zip(earning, outcomes, strict=True)}
    )
    return refused | not_taken, earned


async def _write(
    grown: Sequence[_Growth],
    *,
    earned: Mapping[int, Place],
    orders: Sequence[Amendable],
    source: str,
    now: datetime,
) -> None:
    await _PURCHASES.update(
        (
            {
                "member_id": growth.earned.member_id,
                "id": growth.earned.purchase_id,
                "paid_fen": growth.paid_fen,
                "points": growth.stored["points"] + growth.earned.points,
            }
            for growth in grown
        ),
        key=("member_id", "id"),
    )
    await write_lines([line | _entry(earned, growth) for growth in grown for line in growth.lines])
    await announce(
        (
            Event(
                kind="PurchaseAmended",
                member_id=growth.earned.member_id,
                facts={
                    "purchase_id": str(growth.earned.purchase_id),
                    "source": source,
                    "external_id": orders[growth.index].order.external_id,
                    "paid_fen": growth.paid_fen,
                    "points_added": growth.earned.points,
                },
            )
            for growth in grown
        ),
        now=now,
    )
    await idempotency.remember(
        f"purchases.amendment:{source}",
        dict(_answer(growth, orders[growth.index].order.external_id) for growth in grown),
        now=now,
    )


def _entry(earned: Mapping[int, Place], growth: _Growth) -> dict[str, Any]:
    """Where the points of the new lines stand, if they added any."""
    earned_by, earned_seq = earned.get(growth.index, (None, None))
    return {"earned_by": earned_by, "earned_seq": earned_seq}


def _answer(growth: _Growth, external_id: str) -> tuple[str, tuple[dict[str, str], Any]]:
    """What is remembered of an addition: its key names the order and the set of new lines."""
    digests = idempotency.digests({"lines": sorted(line["line_id"] for line in growth.lines)})
    return f"{external_id}:{digests['lines']}", (digests, {"points": growth.earned.points})
