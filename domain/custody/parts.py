"""The tables that are keyed by a member, over all contexts."""

from typing import Final

from domain import (
    feedback,
    games,
    ledger,
    members,
    notifications,
    outbox,
    purchases,
    recommendations,
    returns,
    rewards,
    tiers,
)
from domain.custody.member_tables import MEMBER_TABLES
from domain.storage import MemberTables

PARTS: Final[tuple[tuple[str, MemberTables], ...]] = (
    ("outbox", outbox.MEMBER_TABLES),
    ("notifications", notifications.MEMBER_TABLES),
    ("ledger", ledger.MEMBER_TABLES),
    ("tiers", tiers.MEMBER_TABLES),
    ("purchases", purchases.MEMBER_TABLES),
    ("rewards", rewards.MEMBER_TABLES),
    ("returns", returns.MEMBER_TABLES),
    ("recommendations", recommendations.MEMBER_TABLES),
    ("games", games.MEMBER_TABLES),
    ("feedback", feedback.MEMBER_TABLES),
    ("members", members.MEMBER_TABLES),
    ("custody", MEMBER_TABLES),
)
"""By context. Rows are told in this order, and erased in the opposite one: what others' rows refer
to comes before them, and the streams of events are locked last, as whoever announces does."""
