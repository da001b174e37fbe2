"""The rules that one statement can check for many accounts: each finds the rows that break it.

All of them add up what should cancel out and keep what does not, so each reads its rows once and
finds rows without a partner too. Nothing of the code that wrote the rows is used. `WHOLE` are for
whole histories; `TAIL` look only at what came after the place to which the account was audited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter
from typing import Final
from uuid import UUID

from domain.storage import Row, fetch_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule that an account breaks, and how."""

    rule: str
    member_id: UUID
    detail: str


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule with the statement that finds what breaks it.

    `$1` are the members. Each row has `member_id` and the columns that `detail` names.
    """

    name: str
    detail: str
    sql: str

    @property
    def facts(self) -> list[str]:
        """The columns that the detail names: at most three."""
        return [name for _, name, _, _ in Formatter().parse(self.detail) if name]


CREDITED_ONCE: Final = ("adjustment", "transfer", "opening")
"""Sources whose references name one credit each. An order's number does not: two shops may use the
same one, and an order that grew earns again."""


def _rows(table: str, *, tail: bool, seq: str = "seq", since: str = "c.seq") -> str:
    """The rows `e` of a table that count: all of the members, or those after the audited place.

    The place is joined, not compared with: so only the rows after it are read.
    """
    if not tail:
        return f"{table} AS e WHERE e.member_id = ANY($1::uuid[])"
    return (
        f"points_audited AS c JOIN {table} AS e ON e.member_id = c.member_id"
        f" AND e.{seq} > {since} WHERE c.member_id = ANY($1::uuid[])"
    )


def _moves(*, tail: bool) -> StoredRule:
    """What an entry changes is what it made in lots less what it drew from lots."""
    return StoredRule(
        "moves",
        "entry {seq}: its lots less its draws are not what it changed, by {off}",
        f"""
        SELECT member_id, seq, SUM(points) AS off FROM (
            SELECT e.member_id, e.seq,
                   -(e.available_change + e.pending_change + e.held_change) AS points
            FROM {_rows("points_entry", tail=tail)}
            UNION ALL
            SELECT e.member_id, e.entry_seq, e.earned
            FROM {_rows("points_lot", tail=tail, seq="entry_seq")}
            UNION ALL
            SELECT e.member_id, e.entry_seq, -e.amount
            FROM {_rows("points_draw", tail=tail, seq="entry_seq")}
        ) AS moved
        GROUP BY member_id, seq HAVING SUM(points) <> 0
        """,
    )


_DRAWS = StoredRule(
    "draws",
    "lot {lot_seq}: earned less draws is not remaining, by {off}",
    """
    SELECT member_id, lot_seq, SUM(points) AS off FROM (
        SELECT l.member_id, l.lot_seq, l.earned - l.remaining AS points
        FROM points_lot AS l WHERE l.member_id = ANY($1::uuid[])
        UNION ALL
        SELECT d.member_id, d.lot_seq, -d.amount
        FROM points_draw AS d WHERE d.member_id = ANY($1::uuid[])
    ) AS drawn
    GROUP BY member_id, lot_seq HAVING SUM(points) <> 0
    """,
)

_PINS = StoredRule(
    "pins",
    "lot {lot_seq}: pinned is not what open holds pin, by {off}",
    """
    SELECT member_id, lot_seq, SUM(points) AS off FROM (
        SELECT l.member_id, l.lot_seq, l.pinned AS points
        FROM points_lot AS l WHERE l.member_id = ANY($1::uuid[]) AND l.pinned > 0
        UNION ALL
        SELECT p.member_id, p.lot_seq, -p.amount
        FROM points_hold AS h
        JOIN points_pin AS p ON p.member_id = h.member_id AND p.hold_id = h.hold_id
        WHERE h.member_id = ANY($1::uuid[]) AND h.state = 'OPEN'
    ) AS pinned
    GROUP BY member_id, lot_seq HAVING SUM(points) <> 0
    """,
)

_HOLD_PINS = StoredRule(
    "pins",
    "hold {hold_id}: its pins are not its amount, by {off}",
    """
    SELECT member_id, hold_id, SUM(points) AS off FROM (
        SELECT h.member_id, h.hold_id, h.amount AS points
        FROM points_hold AS h WHERE h.member_id = ANY($1::uuid[]) AND h.state = 'OPEN'
        UNION ALL
        SELECT p.member_id, p.hold_id, -p.amount
        FROM points_hold AS h
        JOIN points_pin AS p ON p.member_id = h.member_id AND p.hold_id = h.hold_id
        WHERE h.member_id = ANY($1::uuid[]) AND h.state = 'OPEN'
    ) AS pinned
    GROUP BY member_id, hold_id HAVING SUM(points) <> 0
    """,
)

_REVERSED = StoredRule(
    "reversals",
    "entry {seq}: what is kept as undone of it is not what was undone, by {off}",
    """
    SELECT member_id, seq, SUM(points) AS off FROM (
        SELECT r.member_id, r.entry_seq AS seq, r.reversed AS points
        FROM points_reversed AS r WHERE r.member_id = ANY($1::uuid[])
        UNION ALL
        SELECT e.member_id, e.reverses, -ABS(e.amount)
        FROM points_entry AS e WHERE e.member_id = ANY($1::uuid[]) AND e.reverses IS NOT NULL
    ) AS undone
    GROUP BY member_id, seq HAVING SUM(points) <> 0
    """,
)

_REVERSIBLE = StoredRule(
    "reversals",
    "entry {seq}: {reversed} of {amount} are undone of what is there",
    """
    SELECT r.member_id, r.entry_seq AS seq, r.reversed, r.amount
    FROM points_reversed AS r
    LEFT JOIN points_entry AS e ON e.member_id = r.member_id AND e.seq = r.entry_seq
    WHERE r.member_id = ANY($1::uuid[]) AND (
        e.seq IS NULL OR e.kind = 'REVERSAL' OR ABS(e.amount) <> r.amount
        OR r.reversed > ABS(e.amount)
    )
    """,
)

_OPPOSITE = StoredRule(
    "reversals",
    "entry {seq} undoes entry {reverses}, which is none that it can undo",
    """
    SELECT e.member_id, e.seq, e.reverses
    FROM points_entry AS e
    LEFT JOIN points_entry AS p ON p.member_id = e.member_id AND p.seq = e.reverses
    WHERE e.member_id = ANY($1::uuid[]) AND e.reverses IS NOT NULL AND (
        p.seq IS NULL OR p.seq >= e.seq OR (p.amount > 0) = (e.amount > 0)
    )
    """,
)

_CAUSES = StoredRule(
    "reversals",
    "entry {seq}: it has {off} causes too few (or, below zero, too many)",
    """
    SELECT member_id, seq, SUM(one) AS off FROM (
        SELECT e.member_id, e.seq, e.reverses, 1 AS one
        FROM points_entry AS e WHERE e.member_id = ANY($1::uuid[]) AND e.reverses IS NOT NULL
        UNION ALL
        SELECT v.member_id, v.seq, v.reverses, -1
        FROM points_reversal AS v WHERE v.member_id = ANY($1::uuid[])
    ) AS caused
    GROUP BY member_id, seq, reverses HAVING SUM(one) <> 0
    """,
)

_PARENTS = StoredRule(
    "parents",
    "lot {lot_seq}: {off} more came back of it than was ever taken",
    """
    SELECT member_id, lot_seq, SUM(points) AS off FROM (
        SELECT l.member_id, l.parent_lot AS lot_seq, l.earned AS points
        FROM points_lot AS l
        WHERE l.member_id = ANY($1::uuid[]) AND l.parent_lot IS NOT NULL
        UNION ALL
        SELECT d.member_id, d.lot_seq, -d.amount
        FROM points_draw AS d WHERE d.member_id = ANY($1::uuid[])
    ) AS back
    GROUP BY member_id, lot_seq HAVING SUM(points) > 0
    """,
)

_REFERENCES = StoredRule(
    "references",
    "{source_kind} {reference} was credited {times} times",
    f"""
    SELECT e.member_id, e.source_kind, t.reference, COUNT(*) AS times
    FROM points_entry AS e
    JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq
    WHERE e.member_id = ANY($1::uuid[]) AND e.amount > 0
      AND e.source_kind IN ({", ".join(f"'{kind}'" for kind in CREDITED_ONCE)})
      AND e.kind IN ('EARN', 'TRANSFER_IN', 'ADJUST') AND t.reference IS NOT NULL
    GROUP BY e.member_id, e.source_kind, t.reference HAVING COUNT(*) > 1
    """,
)

_ADJUSTMENTS = StoredRule(
    "adjustments",
    "adjustment {id}: entry {seq} is not what it says",
    """
    SELECT a.member_id, a.id, a.entry_seq AS seq
    FROM points_adjustment AS a
    LEFT JOIN points_entry AS e ON e.member_id = a.member_id AND e.seq = a.entry_seq
    WHERE a.member_id = ANY($1::uuid[]) AND a.entry_seq IS NOT NULL AND (
        e.seq IS NULL OR e.kind <> 'ADJUST' OR e.amount <> a.points
    )
    """,
)


def _unpaired(kind: str, own: str, seq: str, *, other: tuple[str, str, str]) -> str:
    """Entries of one kind whose partner is missing, or moved something else."""
    other_kind, other_member, other_seq = other
    return f"""
        SELECT e.member_id, e.seq, e.kind
        FROM points_entry AS e
        LEFT JOIN points_merge AS p ON p.{own} = e.member_id AND p.{seq} = e.seq
        LEFT JOIN points_entry AS o ON o.member_id = p.{other_member} AND o.seq = p.{other_seq}
            AND o.kind = '{other_kind}' AND o.amount = -e.amount
        WHERE e.member_id = ANY($1::uuid[]) AND e.kind = '{kind}' AND o.seq IS NULL
    """


_MERGES = StoredRule(
    "merges",
    "entry {seq}: {kind} without a partner that moves as much",
    _unpaired("MERGE_OUT", "member_id", "out_seq", other=("MERGE_IN", "to_member_id", "in_seq"))
    + " UNION ALL "
    + _unpaired("MERGE_IN", "to_member_id", "in_seq", other=("MERGE_OUT", "member_id", "out_seq")),
)

_CLOSED = StoredRule(
    "merges",
    "the account was given up, and {points} are in it",
    """
    SELECT member_id, available + pending + held + debt AS points FROM points_account
    WHERE member_id = ANY($1::uuid[]) AND merged_into IS NOT NULL
      AND available + pending + held + debt > 0
    """,
)

_CHAPTER: Final = 100
"""Entries between two snapshots, as the table's constraint says it."""

_EFFECTIVE: Final = (
    "CASE WHEN e.effective_at < e.recorded_at THEN e.effective_at ELSE e.recorded_at END"
)


def _snapshots(*, tail: bool) -> StoredRule:
    """Each complete chapter has a snapshot, which is the one before and what the chapter changed.

    The chapter's own moments are those of its entries; the latest so far, and whether it reaches
    back behind that, follow from the snapshot before.
    """
    begins = f"c.seq - c.seq % {_CHAPTER}"
    entries = _rows("points_entry", tail=tail, since=begins)
    snapshots = _rows("points_snapshot", tail=tail, since=begins)
    return StoredRule(
        "snapshots",
        "the snapshot at entry {seq} is missing, or not what its entries and the one before make",
        f"""
        SELECT member_id, seq FROM (
            SELECT e.member_id, MAX(e.seq) AS seq, 0 AS off,
                   SUM(e.available_change) AS available, SUM(e.pending_change) AS pending,
                   SUM(e.held_change) AS held, SUM(e.debt_change) AS debt,
                   MIN({_EFFECTIVE}) AS effective_from, MAX({_EFFECTIVE}) AS effective_to,
                   MAX(e.recorded_at) AS recorded_at
            FROM {entries}
            GROUP BY e.member_id, (e.seq - 1) / {_CHAPTER} HAVING COUNT(*) = {_CHAPTER}
            UNION ALL
            SELECT s.member_id, s.seq,
                   CASE WHEN s.effective_upto = CASE
                            WHEN p.effective_upto > s.effective_to THEN p.effective_upto
                            ELSE s.effective_to END
                        AND s.reaches_back = COALESCE(s.effective_from < p.effective_upto, FALSE)
                   THEN 0 ELSE 1 END,
                   COALESCE(p.available, 0) - s.available, COALESCE(p.pending, 0) - s.pending,
                   COALESCE(p.held, 0) - s.held, COALESCE(p.debt, 0) - s.debt,
                   s.effective_from, s.effective_to, s.recorded_at
            FROM (SELECT e.* FROM {snapshots}) AS s
            LEFT JOIN points_snapshot AS p
                ON p.member_id = s.member_id AND p.seq = s.seq - {_CHAPTER}
        ) AS chapters
        GROUP BY member_id, seq
        HAVING COUNT(*) <> 2 OR SUM(off) <> 0
            OR SUM(available) <> 0 OR SUM(pending) <> 0 OR SUM(held) <> 0 OR SUM(debt) <> 0
            OR MIN(effective_from) <> MAX(effective_from)
            OR MIN(effective_to) <> MAX(effective_to) OR MIN(recorded_at) <> MAX(recorded_at)
        """,
    )


WHOLE: Final = (
    _moves(tail=False),
    _DRAWS,
    _PINS,
    _HOLD_PINS,
    _REVERSED,
    _REVERSIBLE,
    _OPPOSITE,
    _CAUSES,
    _PARENTS,
    _REFERENCES,
    _ADJUSTMENTS,
    _MERGES,
    _CLOSED,
    _snapshots(tail=False),
)
TAIL: Final = (_moves(tail=True), _PINS, _HOLD_PINS, _snapshots(tail=True))


async def stored_violations(
    rules: tuple[StoredRule, ...], member_ids: Sequence[UUID]
) -> list[Violation]:
    """What breaks the rules among these members: one statement for all of them."""
    if not member_ids:
        return []
    rows = await fetch_all(_together(rules), list(member_ids))
    return [
        Violation(
            rule=(rule := rules[row["rule"]]).name,
            member_id=row["member_id"],
            detail=_told(rule, row),
        )
        for row in rows
    ]


@lru_cache
def _together(rules: tuple[StoredRule, ...]) -> str:
    """The statements of all the rules as one: each row tells its rule, and its facts as texts."""
    return " UNION ALL ".join(
        f"SELECT {number} AS rule, member_id, {', '.join(_texts(rule))}"
        f" FROM ({rule.sql}) AS r{number}"
        for number, rule in enumerate(rules)
    )


_FACTS: Final = ("one", "two", "three")


def _texts(rule: StoredRule) -> Iterator[str]:
    """The facts that the rule's detail names, then none."""
    names = rule.facts
    for place, fact in enumerate(_FACTS):
        yield f"CAST({names[place] if place < len(names) else 'NULL'} AS TEXT) AS {fact}"


def _told(rule: StoredRule, row: Row) -> str:
    return rule.detail.format(
        **{name: row[fact] for name, fact in zip(rule.facts, _FACTS, strict=False)}
    )
