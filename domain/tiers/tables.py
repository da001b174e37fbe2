"""The tables of levels that several use cases write in batches."""

from __future__ import annotations

from typing import Final

from domain.storage import Table

MEMBER_LEVELS: Final = Table(
    "member_level",
    member_id="uuid",
    level_code="text",
    since="timestamptz",
    keep_until="timestamptz",
    keep_after_day="date",
    changes="bigint",
    next_review_at="timestamptz",
)
LEVEL_TERMS: Final = Table(
    "level_term",
    member_id="uuid",
    id="uuid",
    level_code="text",
    kind="text",
    since="timestamptz",
    keep_until="timestamptz",
    keep_after_day="date",
    basis_after_day="date",
    asked_points="bigint",
    asked_amount_fen="bigint",
    asked_purchases="int",
    asked_match="text",
    grace_until="timestamptz",
    noticed="boolean",
    reason="text",
    came_with="uuid",
)
LEVEL_CHANGES: Final = Table(
    "level_change",
    member_id="uuid",
    seq="bigint",
    from_code="text",
    to_code="text",
    reason="text",
    qualifying_points="bigint",
    source_kind="text",
    occurred_at="timestamptz",
)
QUALIFYING_DAYS: Final = Table(
    "qualifying_day",
    member_id="uuid",
    day="date",
    points="bigint",
    amount_fen="bigint",
    purchases="int",
)
