"""What goes out: wins, and what takes them back, as `pushRewards` takes them."""

from __future__ import annotations

import sqlite3
from typing import Any

WINS = """
SELECT win.*, player.member_ref
FROM win JOIN player ON player.id = player_id LEFT JOIN batch ON batch.id = batch_id
WHERE state = 'NEW' AND win.not_before <= ? AND (batch.id IS NULL OR received_at IS NOT NULL)
ORDER BY won_at LIMIT ?
"""

REVERSALS = """
SELECT reversal.external_id, win_id, reversal.made_at, points, player.member_ref
FROM reversal JOIN win ON win.external_id = win_id JOIN player ON player.id = player_id
LEFT JOIN batch ON batch.id = reversal.batch_id
WHERE reversal.state = 'NEW' AND reversal.not_before <= ?
  AND (batch.id IS NULL OR received_at IS NOT NULL)
ORDER BY reversal.made_at LIMIT ?
"""


def unsent(
    db: sqlite3.Connection, campaign_id: str, *, items_max: int, at: float
) -> list[dict[str, Any]]:
    """What no open batch holds and whose time has come: wins, then what takes wins back."""
    wins = db.execute(WINS, (at, items_max)).fetchall()
    reversals = db.execute(REVERSALS, (at, items_max - len(wins))).fetchall()
    return [
        *(_grant(row, campaign_id) for row in wins),
        *(_reversal(row, campaign_id) for row in reversals),
    ]


def _grant(row: sqlite3.Row, campaign_id: str) -> dict[str, Any]:
    return {
        "externalId": row["external_id"],
        "member": {"memberRef": row["member_ref"]},
        "campaignId": campaign_id,
        "points": row["points"],
        "occurredAt": row["won_at"],
        "kind": "GRANT",
        "businessReference": row["external_id"],
        "prizeCode": row["prize_code"],
        "disclosureVersion": row["disclosure_version"],
    }


def _reversal(row: sqlite3.Row, campaign_id: str) -> dict[str, Any]:
    """It has an id of its own, under which it is told of, and names the win's."""
    return {
        "externalId": row["external_id"],
        "member": {"memberRef": row["member_ref"]},
        "campaignId": campaign_id,
        "points": row["points"],
        "occurredAt": row["made_at"],
        "kind": "REVERSAL",
        "reversesExternalId": row["win_id"],
    }
