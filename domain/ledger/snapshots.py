"""Balances as of each hundredth entry, so that nobody need read a whole history.

A snapshot ends a chapter of CHAPTER entries. It holds the balances after its last entry, and what
is needed to pass over chapters that do not matter: between which moments its entries took effect,
the latest moment of all entries so far, and whether the chapter reaches back before that of the
chapters before it, as backdated orders do.

An entry takes effect at its `effective_at`, but never after it was written (EFFECTIVE).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from domain.storage import Row, Table, fetch_all, moment_of

CHAPTER: Final = 100
"""Entries between two snapshots. The table's constraint says it too."""

EFFECTIVE: Final = (
    "(CASE WHEN e.effective_at < e.recorded_at THEN e.effective_at ELSE e.recorded_at END)"
)
"""When an entry `e` counts from."""

BALANCES: Final = ("available", "pending", "held", "debt")

_SNAPSHOTS = Table(
    "points_snapshot",
    member_id="uuid",
    seq="bigint",
    available="bigint",
    pending="bigint",
    held="bigint",
    debt="bigint",
    effective_from="timestamptz",
    effective_to="timestamptz",
    effective_upto="timestamptz",
    reaches_back="boolean",
    recorded_at="timestamptz",
)

# Complete chapters after each member's newest snapshot.
_CHAPTERS = f"""
    SELECT e.member_id, MAX(e.seq) AS seq,
           p.available AS old_available, p.pending AS old_pending, p.held AS old_held,
           p.debt AS old_debt, p.effective_upto AS old_upto,
           SUM(e.available_change)::bigint AS available, SUM(e.pending_change)::bigint AS pending,
           SUM(e.held_change)::bigint AS held, SUM(e.debt_change)::bigint AS debt,
           MIN({EFFECTIVE}) AS effective_from, MAX({EFFECTIVE}) AS effective_to,
           MAX(e.recorded_at) AS recorded_at
    FROM (
        SELECT a.member_id, COALESCE((
            SELECT s.seq FROM points_snapshot AS s WHERE s.member_id = a.member_id
            ORDER BY s.seq DESC LIMIT 1
        ), 0) AS newest
        FROM points_account AS a WHERE a.member_id = ANY($1::uuid[])
    ) AS b
    LEFT JOIN points_snapshot AS p ON p.member_id = b.member_id AND p.seq = b.newest
    JOIN points_entry AS e ON e.member_id = b.member_id AND e.seq > b.newest
    GROUP BY e.member_id, (e.seq - 1) / {CHAPTER},
             p.available, p.pending, p.held, p.debt, p.effective_upto
    HAVING COUNT(*) = {CHAPTER}
    ORDER BY e.member_id, seq
"""


def ends_a_chapter(version: int, *, entries: int) -> bool:
    """Whether the newest `entries` of a journal of `version` entries complete a chapter."""
    return version // CHAPTER > (version - entries) // CHAPTER


async def take_snapshots(member_ids: Collection[UUID]) -> None:
    """Write the snapshots that are missing. The accounts are locked and their entries written.

    Two statements, none without members. Two transactions never take the same snapshot, for each
    has the account's lock.
    """
    if not member_ids:
        return
    snapshots: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for row in await fetch_all(_CHAPTERS, sorted(member_ids)):
        if before is not None and before["member_id"] != row["member_id"]:
            before = None
        before = _snapshot(row, before=before)
        snapshots.append(before)
    await _SNAPSHOTS.insert(snapshots)


def _snapshot(chapter: Row, *, before: dict[str, Any] | None) -> dict[str, Any]:
    """The snapshot that ends a chapter; `before` is that of the chapter before, if it is new."""
    if before is not None:
        balances, upto = {name: before[name] for name in BALANCES}, before["effective_upto"]
    else:
        balances = {name: chapter[f"old_{name}"] or 0 for name in BALANCES}
        upto = chapter["old_upto"] and moment_of(chapter["old_upto"])
    begins, ends = moment_of(chapter["effective_from"]), moment_of(chapter["effective_to"])
    return {
        "member_id": chapter["member_id"],
        "seq": chapter["seq"],
        **{name: balances[name] + chapter[name] for name in BALANCES},
        "effective_from": begins,
        "effective_to": ends,
        "effective_upto": ends if upto is None else max(upto, ends),
        "reaches_back": upto is not None and begins < upto,
        "recorded_at": moment_of(chapter["recorded_at"]),
    }
