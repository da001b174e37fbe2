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
