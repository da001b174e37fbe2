"""The tables of this context that are keyed by a member: told, erased and joined how."""

from typing import Final

from domain.storage import Blank, Erasing, MemberTable, MemberTables, Merging

_PLACE: Final = ("recipient", "phone", "region", "street", "postcode")

# Coupons are lost with the account: nobody may use them who has found the code.
_OPEN: Final = "status IN ('ACTIVE', 'RESERVED')"
_RESERVING: Final = ("owner", "amount_fen", "discount_fen", "reserved_until")

MEMBER_TABLES: Final[MemberTables] = (
    MemberTable(
        name="redemption",
        key=("id",),
        erasing=Blank(
            dict.fromkeys((*_PLACE, "carrier", "tracking_number"), "NULL")
            # Nobody can say any more where a gift goes that was not sent.
            | {"status": "CASE status WHEN 'PLACED' THEN 'AWAITING_ADDRESS' ELSE status END"}
        ),
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
        erasing=Blank(
            {name: f"CASE WHEN {_OPEN} THEN NULL ELSE {name} END" for name in _RESERVING}
            | {
                "status": f"CASE WHEN {_OPEN} THEN 'REVOKED' ELSE status END",
                # A shop's number of an order may name a person; an id is as unique.
                "order_reference": "CASE status WHEN 'USED' THEN CAST(id AS TEXT) END",
            }
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
