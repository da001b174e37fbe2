"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

_PLACE: Final = ("recipient", "phone", "region", "street", "postcode")

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="redemption",
        key=("id",),
        erasing=Blank(dict.fromkeys((*_PLACE, "carrier", "tracking_number"), "NULL")),
        merging=Merging.MOVE,
        told=(
            "reward_id",
            "quantity",
            "status",
            "points_spent",
            "redeemed_at",
            *_PLACE,
            "carrier",
            "tracking_number",
            "shipped_at",
            "delivered_at",
            "cancelled_at",
        ),
    ),
    MemberTable(
        name="coupon",
        key=("id",),
        # A shop's number of an order may name a person; an id is as unique.
        erasing=Blank(
            {"order_reference": "CASE WHEN owner IS NULL THEN NULL ELSE CAST(id AS TEXT) END"}
        ),
        merging=Merging.MOVE,
        told=(
            "code",
            "title_zh",
            "title_en",
            "status",
            "issued_at",
            "expires_at",
            "terms_zh",
            "terms_en",
            "order_reference",
            "amount_fen",
            "discount_fen",
            "used_at",
        ),
    ),
    MemberTable(
        name="member_address",
        key=("id",),
        erasing=Erasing.DELETE,
        merging=Merging.MOVE,
        told=(*_PLACE, "added_at"),
    ),
)
