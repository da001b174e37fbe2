"""The tables that are keyed by a member, over all contexts."""

from typing import Final

from domain import ledger, members, notifications, outbox, purchases, rewards, tiers
from domain.storage import MemberTables

PARTS: Final[tuple[tuple[str, MemberTables], ...]] = (
    ("outbox", outbox.MEMBER_TABLES),
    ("notifications", notifications.MEMBER_TABLES),
    ("ledger", ledger.MEMBER_TABLES),
    ("tiers", tiers.MEMBER_TABLES),
    ("purchases", purchases.MEMBER_TABLES),
    ("rewards", rewards.MEMBER_TABLES),
    ("members", members.MEMBER_TABLES),
)
"""By context; `members` is last, whose rows the others' may refer to."""
