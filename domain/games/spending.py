"""Budgets of campaigns and days of partners: what is spent of them, never more than there is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from domain.storage import Row, Table, execute, fetch_all, fetch_one

_SPENT: Final = Table("game_campaign", id="uuid", spent="bigint")


class BudgetMoved(Exception):
    """Raised when others have spent so much meanwhile that what was decided does not hold."""


async def day_points(partner_id: UUID, day: date) -> int:
    """What the partner granted on this day so far."""
    row = await fetch_one(
        "SELECT points FROM game_day WHERE partner_id = $1 AND day = $2", partner_id, day
    )
    return 0 if row is None else int(row["points"])


async def lock_spending(partner_id: UUID, day: date, campaign_ids: Collection[UUID]) -> None:
    """Lock the budgets, sorted, and the day, before they are read: for whoever lost a race."""
    await _locked_budgets(partner_id, campaign_ids)
    await execute(
        "INSERT INTO game_day (partner_id, day, points) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING",
        *(partner_id, day),
    )
    await fetch_one(
        "SELECT points FROM game_day WHERE partner_id = $1 AND day = $2 FOR NO KEY UPDATE",
        *(partner_id, day),
    )


async def spend(
    partner_id: UUID, day: date, *, budgets: Mapping[UUID, int], granted: int, cap: int
) -> None:
    """Take from the budgets, or give back to them, and count what was granted on the day.

    The last locks of the transaction. Raises BudgetMoved where it would be more than there is.
    """
    moved = {campaign_id: points for campaign_id, points in budgets.items() if points}
    rows: Sequence[Row] = await _locked_budgets(partner_id, moved) if moved else []
    spent = [{"id": row["id"], "spent": row["spent"] + moved[row["id"]]} for row in rows]
    if any(new["spent"] > row["budget"] for new, row in zip(spent, rows, strict=True)):
        raise BudgetMoved
    await _SPENT.update(spent, key=("id",))
    if not granted:
        return
    counted = await execute(
        "INSERT INTO game_day (partner_id, day, points) VALUES ($1, $2, $3)"
        " ON CONFLICT (partner_id, day) DO UPDATE SET points = game_day.points + excluded.points"
        " WHERE game_day.points + excluded.points <= $4",
        *(partner_id, day, granted, cap),
    )
    if not counted:
        raise BudgetMoved


async def _locked_budgets(partner_id: UUID, campaign_ids: Collection[UUID]) -> Sequence[Row]:
    """Of the partner's own campaigns alone: nobody waits for what others name."""
    return await fetch_all(
        "SELECT id, budget, spent FROM game_campaign"
        " WHERE partner_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE",
        *(partner_id, sorted(campaign_ids)),
    )
