"""Orders as a refund finds them: what may still be given back, and which points go with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from domain import idempotency, members
from domain.ledger import Place, earnings_known_as
from domain.purchases.recorded import SOURCE_KIND
from domain.purchases.recording import order_scope, recorded_of
from domain.purchases.rules import RefundedLine, points_kept
from domain.storage import Row, Table, fetch_all

OrderPlace: TypeAlias = tuple[UUID, UUID]
"""A purchase: whose it is, and its id."""

_PURCHASES: Final = Table(
    "purchase", member_id="uuid", id="uuid", refunded_fen="bigint", points_taken="bigint"
)
_ORDERS: Final = """
    SELECT member_id, id, external_id, placed_at, paid_fen, currency, channel, shop,
           multiplier_permille, points, refunded_fen, points_taken, came_with
    FROM purchase
    WHERE member_id = ANY($1::uuid[]) AND id = ANY($2::uuid[])
    ORDER BY id
"""
_LINES: Final = """
    SELECT purchase_id, line_id, quantity, amount_fen, rate_permille, earned_by, earned_seq
    FROM purchase_line
    WHERE member_id = ANY($1::uuid[]) AND purchase_id = ANY($2::uuid[])
    ORDER BY purchase_id, line_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """What was given back in all: of one line, or of an order."""

    quantity: int = 0
    amount_fen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundableLine:
    """A line as it was bought, at the rate that it earns at for ever."""

    quantity: int
    amount_fen: int
    rate_permille: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refundable:
    """An order as it stands. `earnings` are the entries of its points, the newest first.

    Of `points`, which it earned in all, `points_taken` were taken back with what was refunded.
    `came_with` names the merge with which it came to its member.
    """

    member_id: UUID
    id: UUID
    external_id: str
    placed_at: datetime
    paid_fen: int
    currency: str
    channel: str | None
    shop: str | None
    multiplier_permille: int
    points: int
    refunded_fen: int
    points_taken: int
    came_with: UUID | None
    lines: Mapping[str, RefundableLine]
    earnings: Sequence[Place]

    @property
    def place(self) -> OrderPlace:
        """Whose it is, and its id."""
        return self.member_id, self.id

    def points_to_take(self, refunded_fen: int, *, of_lines: Mapping[str, int]) -> int:
        """How many points go with a refund after which `refunded_fen` is given back in all.

        `of_lines` is what of it was given back for each line, in all. 0 where more were taken
        before: an order to which lines were added since may keep more than it did.
        """
        kept = points_kept(
            [
                RefundedLine(line.amount_fen, line.rate_permille, of_lines.get(line_id, 0))
                for line_id, line in self.lines.items()
            ],
            paid_fen=self.paid_fen,
            refunded_fen=refunded_fen,
            multiplier_permille=self.multiplier_permille,
        )
        return max(self.points - kept - self.points_taken, 0)


async def find_orders(source: str, external_ids: Collection[str]) -> Mapping[str, OrderPlace]:
    """The orders that this source recorded under these ids, each with who it was recorded for.

    One statement. Who has the record of that member now has the order.
    """
    known = await idempotency.recall(order_scope(source), {one: {} for one in external_ids})
    recorded = {external_id: recorded_of(recalled) for external_id, recalled in known.items()}
    return {external_id: (one.member_id, one.purchase_id) for external_id, one in recorded.items()}


async def refundable_orders(
    places: Collection[OrderPlace], *, lock: bool = False
) -> Mapping[UUID, Refundable]:
    """The orders that are there, by id; with `lock` until the caller's transaction ends.

    Whoever locks them has locked the members and their accounts. Two statements, and one more for
    orders that were recorded before it was kept with them which entries their points are.
    """
    if not places:
        return {}
    whose = sorted({member_id for member_id, _ in places})
    ids = sorted({purchase_id for _, purchase_id in places})
    orders = await fetch_all(_ORDERS + ("FOR NO KEY UPDATE" if lock else ""), whose, ids)
    lines: dict[UUID, list[Row]] = {row["id"]: [] for row in orders}
    for row in await fetch_all(_LINES, whose, ids):
        lines[row["purchase_id"]].append(row)
    unknown = [
        row
        for row in orders
        if row["points"] > 0 and any(line["earned_by"] is None for line in lines[row["id"]])
    ]
    older = await _earnings_by_reference(unknown)
    earnings = {
        row["id"]: _earnings(lines[row["id"]], older=older.get(row["id"], ())) for row in orders
    }
    return {
        row["id"]: _refundable(row, lines[row["id"]], earnings[row["id"]])
        for row in orders
        if (row["member_id"], row["id"]) in places
    }


async def write_refunded(
    totals: Mapping[OrderPlace, tuple[int, int]],
) -> None:
    """Write what was given back of each order in all, and how many points went with it."""
    await _PURCHASES.update(
        (
            {
                "member_id": member_id,
                "id": purchase_id,
                "refunded_fen": refunded_fen,
                "points_taken": points_taken,
            }
            for (member_id, purchase_id), (refunded_fen, points_taken) in sorted(totals.items())
        ),
        key=("member_id", "id"),
    )


def _earnings(lines: Sequence[Row], *, older: Collection[Place]) -> list[Place]:
    """The entries of the lines and `older` ones, the newest first."""
    found = {(row["earned_by"], row["earned_seq"]) for row in lines if row["earned_by"] is not None}
    return sorted({*found, *older}, key=lambda place: (place[1], place[0]), reverse=True)


async def _earnings_by_reference(orders: Sequence[Row]) -> dict[UUID, list[Place]]:
    """The entries of orders of which some line does not tell its entry."""
    if not orders:
        return {}
    # An entry stays in the journal in which it was written, be that of a record that was given up.
    records = await members.records_of({row["member_id"] for row in orders})
    leads = await members.heirs(records)
    known = await earnings_known_as(
        records, source_kind=SOURCE_KIND, references={row["external_id"] for row in orders}
    )
    found: dict[UUID, list[Place]] = {}
    for row in orders:
        for one in known.get((row["external_id"], row["placed_at"]), ()):
            if leads.get(one[0]) == row["member_id"]:
                found.setdefault(row["id"], []).append(one)
    return found


def _refundable(row: Row, lines: Sequence[Row], earnings: Sequence[Place]) -> Refundable:
    return Refundable(
        member_id=row["member_id"],
        id=row["id"],
        external_id=row["external_id"],
        placed_at=row["placed_at"],
        paid_fen=row["paid_fen"],
        currency=row["currency"],
        channel=row["channel"],
        shop=row["shop"],
        multiplier_permille=row["multiplier_permille"],
        points=row["points"],
        refunded_fen=row["refunded_fen"],
        points_taken=row["points_taken"],
        came_with=row["came_with"],
        lines={
            line["line_id"]: RefundableLine(
                quantity=line["quantity"],
                amount_fen=line["amount_fen"],
                rate_permille=line["rate_permille"],
            )
            for line in lines
        },
        earnings=earnings,
    )
