"""Reading a member's purchases: pages of orders, newest first, and the lines of several at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import catalogue
from domain.catalogue import Product
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """An order that was paid; `points` is what it has earned in all, amounts are in fen.

    Of them `refunded_fen` was given back, and `points_taken` went with it.
    """

    member_id: UUID
    id: UUID
    external_id: str
    placed_at: datetime
    paid_fen: int
    currency: str
    channel: str | None
    shop: str | None
    points: int
    refunded_fen: int
    points_taken: int

    @property
    def key(self) -> str:
        """What names the purchase in the whole programme."""
        return f"{self.member_id}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseLine:
    """One line of an order; `product` is None while the catalogue does not have it."""

    member_id: UUID
    purchase_id: UUID
    line_id: str
    product_code: str
    quantity: int
    amount_fen: int
    currency: str
    product: Product | None

    @property
    def key(self) -> str:
        """What names the line in the whole programme."""
        return f"{self.member_id}:{self.purchase_id}:{self.line_id}"


_COLUMNS = (
    "member_id, id, external_id, placed_at, paid_fen, currency, channel, shop, points,"
    " refunded_fen, points_taken"
)

_PAGE = f"""
    SELECT {_COLUMNS} FROM purchase
    WHERE member_id = $1 AND (placed_at < $2 OR placed_at = $2 AND id < $3)
    ORDER BY placed_at DESC, id DESC
    LIMIT $4
"""

_END = (datetime.fromisoformat("9999-12-30T00:00:00+00:00"), UUID(int=2**128 - 1))


async def purchases(member_id: UUID, page: PageRequest) -> Page[Purchase]:
    """A page of the member's orders, newest first, by the key (placed_at, id)."""
    before, before_id = page.after or _END
    rows = await fetch_all(_PAGE, member_id, before, before_id, page.limit)
    found = [_purchase(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.placed_at, one.id))


async def purchase(member_id: UUID, *, purchase_id: UUID) -> Purchase | None:
    """One order of the member, or None."""
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM purchase WHERE member_id = $1 AND id = $2", member_id, purchase_id
    )
    return _purchase(rows[0]) if rows else None


async def lines_of(
    member_id: UUID, purchase_ids: Collection[UUID]
) -> dict[UUID, Sequence[PurchaseLine]]:
    """The lines of these orders of the member by order, in the order of their ids.

    Two statements: the lines, then the catalogue's products.
    """
    rows = await fetch_all(
        """
        SELECT l.purchase_id, l.line_id, l.product_code, l.quantity, l.amount_fen, p.currency
        FROM purchase_line AS l
        JOIN purchase AS p ON p.member_id = l.member_id AND p.id = l.purchase_id
        WHERE l.member_id = $1 AND l.purchase_id = ANY($2::uuid[])
        ORDER BY l.purchase_id, l.line_id
        """,
        member_id,
        sorted(purchase_ids),
    )
    products = await catalogue.products_by_code(row["product_code"] for row in rows)
    found: dict[UUID, list[PurchaseLine]] = {one: [] for one in purchase_ids}
    for row in rows:
        found[row["purchase_id"]].append(
            PurchaseLine(
                member_id=member_id,
                purchase_id=row["purchase_id"],
                line_id=row["line_id"],
                product_code=row["product_code"],
                quantity=row["quantity"],
                amount_fen=row["amount_fen"],
                currency=row["currency"],
                product=products.get(row["product_code"]),
            )
        )
    return {**found}


def _purchase(row: Row) -> Purchase:
    return Purchase(
        member_id=row["member_id"],
        id=row["id"],
        external_id=row["external_id"],
        placed_at=row["placed_at"],
        paid_fen=row["paid_fen"],
        currency=row["currency"],
        channel=row["channel"],
        shop=row["shop"],
        points=row["points"],
        refunded_fen=row["refunded_fen"],
        points_taken=row["points_taken"],
    )
