"""Returns: what shops give back of orders, and what goes with it: points, coupons, levels.

The rules, worked through, are in docs/shops.md. `planning` decides, for `record_refunds` and for
`preview_refund` alike.
"""

from domain.returns.batches import RecordRefunds, RefundBatch, RefundReceipt, record_refunds
from domain.returns.member_tables import MEMBER_TABLES
from domain.returns.preview import RefundPreview, preview_refund
from domain.returns.reading import PurchaseRefund, refunds_of
from domain.returns.refunds import REFUNDS_MAX, Refund, RefundLine
from domain.returns.timeline import TIMELINE

__all__ = [
    "MEMBER_TABLES",
    "REFUNDS_MAX",
    "TIMELINE",
    "PurchaseRefund",
    "RecordRefunds",
    "Refund",
    "RefundBatch",
    "RefundLine",
    "RefundPreview",
    "RefundReceipt",
    "preview_refund",
    "record_refunds",
    "refunds_of",
]
