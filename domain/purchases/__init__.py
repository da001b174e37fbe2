"""Purchases: orders pushed by shops or read from files, and the rules by which they earn points."""

from domain.purchases.amending import ImportedOrder
from domain.purchases.batches import (
    LINES_MAX,
    PurchaseBatch,
    Receipt,
    ReceiptStatus,
    RecordPurchases,
    record_purchases,
)
from domain.purchases.earning import (
    DEFAULT_RULE,
    EarningRule,
    current_rule,
    publish_rule,
    rule_flaws,
    rule_from_json,
    rule_to_json,
)
from domain.purchases.importing import FILE_ORDER_LINES_MAX, ImportOrders, import_orders
from domain.purchases.member_tables import MEMBER_TABLES
from domain.purchases.orders import (
    AMOUNT_FEN_MAX,
    CHANNEL_LENGTH_MAX,
    EXTERNAL_ID_LENGTH_MAX,
    FUTURE_TOLERANCE,
    LINE_ID_LENGTH_MAX,
    PRODUCT_CODE_LENGTH_MAX,
    QUANTITY_MAX,
    SHOP_LENGTH_MAX,
    Order,
    OrderLine,
    date_refusal,
    digestible,
    identity_invalid,
    microseconds,
    text_invalid,
)
from domain.purchases.popularity import most_bought
from domain.purchases.presence import any_purchase, last_placed
from domain.purchases.publishing import (
    PublishedRule,
    newest_rules,
    publish_earning_rule,
    published_rules,
)
from domain.purchases.reading import Purchase, PurchaseLine, lines_of, purchase, purchases
from domain.purchases.recording import ORDERS_MAX
from domain.purchases.refunding import (
    OrderPlace,
    Refundable,
    RefundableLine,
    Refunded,
    find_orders,
    refundable_orders,
    write_refunded,
)
from domain.purchases.timeline import TIMELINE

__all__ = [
    "AMOUNT_FEN_MAX",
    "CHANNEL_LENGTH_MAX",
    "DEFAULT_RULE",
    "EXTERNAL_ID_LENGTH_MAX",
    "FILE_ORDER_LINES_MAX",
    "FUTURE_TOLERANCE",
    "LINES_MAX",
    "LINE_ID_LENGTH_MAX",
    "MEMBER_TABLES",
    "ORDERS_MAX",
    "PRODUCT_CODE_LENGTH_MAX",
    "QUANTITY_MAX",
    "SHOP_LENGTH_MAX",
    "TIMELINE",
    "EarningRule",
    "ImportOrders",
    "ImportedOrder",
    "Order",
    "OrderLine",
    "OrderPlace",
    "PublishedRule",
    "Purchase",
    "PurchaseBatch",
    "PurchaseLine",
    "Receipt",
    "ReceiptStatus",
    "RecordPurchases",
    "Refundable",
    "RefundableLine",
    "Refunded",
    "any_purchase",
    "current_rule",
    "date_refusal",
    "digestible",
    "find_orders",
    "identity_invalid",
    "import_orders",
    "last_placed",
    "lines_of",
    "microseconds",
    "most_bought",
    "newest_rules",
    "publish_earning_rule",
    "publish_rule",
    "published_rules",
    "purchase",
    "purchases",
    "record_purchases",
    "refundable_orders",
    "rule_flaws",
    "rule_from_json",
    "rule_to_json",
    "text_invalid",
    "write_refunded",
]
