"""Pages of the journal: newest first, of some kinds or of all, and the lots that entries moved.

A page reads as many rows as it shows, wherever in the history it stands and however rare its kinds
are: one bounded range of an index per kind, merged.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

from domain.ledger.entries import EntryKind, Source
from domain.paging import KeyPart, Page, PageRequest, page_of
from domain.storage import Row, fetch_all

LOTS_MAX = 50
"""How many lots of one entry a page names; a spending of more names those it drew on first."""

_BEYOND = 2**62
"""A number above that of every entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """An entry as members read it; `amount` is signed, `balance_after` the available balance.

    `note` is what the giver of a transfer wrote, `reverses` the number of the entry it undoes.
    """

    member_id: UUID
    seq: int
    kind: EntryKind
    amount: int
    balance_after: int
    reason: str | None
    effective_at: datetime
    recorded_at: datetime
    source: Source
    note: str | None = None
    reverses: int | None = None

    @property
    def key(self) -> str:
        """What names the entry in the whole programme."""
        return f"{self.member_id}:{self.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLot:
    """What an entry moved of one lot: `points` made, or drawn, or set aside by an open hold."""

    member_id: UUID
    lot_seq: int
    points: int
    earned_at: datetime
    expires_at: datetime

    @property
    def key(self) -> str:
        """What names the lot in the whole programme."""
        return f"{self.member_id}:{self.lot_seq}"


async def journal(
    member_id: UUID, page: PageRequest, *, kinds: Collection[EntryKind] = ()
) -> Page[JournalEntry]:
    """A page of the journal, newest first, by the key (seq,); of `kinds`, or of all without any.

    One statement.
    """
    before = page.after[0] if page.after else _BEYOND
    wanted = sorted(set(kinds))
    if len(wanted) == len(EntryKind):
        wanted = []
    entries = await _entries(member_id, before=before, limit=page.limit, kinds=wanted)
    return page_of(entries, first=page.first, key=lambda one: (one.seq,))


async def entry(member_id: UUID, *, seq: int) -> JournalEntry | None:
    """One entry of the member's journal, or None."""
    found = await _entries(member_id, before=seq + 1, limit=1)
    return found[0] if found and found[0].seq == seq else None


async def entries_of(member_id: UUID, seqs: Collection[int]) -> Mapping[int, JournalEntry]:
    """Entries of one member by their numbers, in one statement; what is unknown is left out."""
    if not seqs:
        return {}
    rows = await fetch_all(_BY_NUMBER, member_id, sorted(set(seqs)))
    return {row["seq"]: journal_entry_of(row) for row in rows}


async def lots_of(
    member_id: UUID, seqs: Collection[int], *, now: datetime
) -> Mapping[int, Sequence[EntryLot]]:
    """The lots that each of the entries moved, by its number: in the order of spending.

    Of an entry that made lots these, with the points made; of any other those that it drew on, with
    the points drawn; of a hold that is open as of `now` those that it pins. At most LOTS_MAX of an
    entry. One statement whatever the number of entries.
    """
    lots: dict[int, list[EntryLot]] = {seq: [] for seq in seqs}
    if not lots:
        return lots
    for row in await fetch_all(_LOTS, member_id, sorted(lots), now):
        lots[row["seq"]].append(
            EntryLot(
                member_id=member_id,
                lot_seq=row["lot_seq"],
                points=row["points"],
                earned_at=row["earned_at"],
                expires_at=row["expires_at"],
            )
        )
    return lots


JOURNAL_COLUMNS = (
    "e.member_id, e.seq, e.kind, e.amount, e.balance_after, e.effective_at, e.recorded_at, "
    "e.source_kind, e.reverses, t.reason, t.note, t.reference"
)
"""What `journal_entry_of` reads, of an entry `e` and its texts `t`."""

_WITH_TEXTS = "LEFT JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq"

_BY_NUMBER = f"""
    SELECT {JOURNAL_COLUMNS} FROM points_entry AS e {_WITH_TEXTS}
    WHERE e.member_id = $1 AND e.seq = ANY($2::bigint[])
"""

_NEWEST = f"""
    SELECT {JOURNAL_COLUMNS} FROM points_entry AS e {_WITH_TEXTS}
    WHERE e.member_id = $1 AND e.seq < $2
    ORDER BY e.seq DESC
    LIMIT $3
"""


@cache
def newest_of_kinds(count: int) -> str:
    """The statement of a page of `count` kinds: each kind is a short range of its own.

    One range over several kinds would have to be sorted first, or be searched in for what is rare.
    """
    ranges = " UNION ALL ".join(
        f"SELECT * FROM (SELECT seq FROM points_entry WHERE member_id = $1 AND kind = ${place}"
        f" AND seq < $2 ORDER BY seq DESC LIMIT $3) AS of_{place}"
        for place in range(4, 4 + count)
    )
    return f"""
    SELECT {JOURNAL_COLUMNS}
    FROM (SELECT seq FROM ({ranges}) AS merged ORDER BY seq DESC LIMIT $3) AS page
    JOIN points_entry AS e ON e.member_id = $1 AND e.seq = page.seq {_WITH_TEXTS}
    ORDER BY e.seq DESC
    """


# What an entry made counts before what it drew: an earning that paid debt drew on its own lot.
_LOTS = f"""
    SELECT seq, lot_seq, points, earned_at, expires_at
    FROM (
        SELECT m.*, ROW_NUMBER() OVER (PARTITION BY seq ORDER BY expires_at, lot_seq) AS place
        FROM (
            SELECT l.entry_seq AS seq, l.lot_seq, l.earned AS points, l.earned_at, l.expires_at
            FROM points_lot AS l
            WHERE l.member_id = $1 AND l.entry_seq = ANY($2::bigint[])
            UNION ALL
            SELECT d.entry_seq AS seq, l.lot_seq, d.amount AS points, l.earned_at, l.expires_at
            FROM points_draw AS d
            JOIN points_lot AS l ON l.member_id = d.member_id AND l.lot_seq = d.lot_seq
            WHERE d.member_id = $1 AND d.entry_seq = ANY($2::bigint[])
              AND NOT EXISTS (
                SELECT 1 FROM points_lot AS own
                WHERE own.member_id = d.member_id AND own.entry_seq = d.entry_seq)
            UNION ALL
            SELECT h.entry_seq AS seq, l.lot_seq, p.amount AS points, l.earned_at, l.expires_at
            FROM points_hold AS h
            JOIN points_pin AS p ON p.member_id = h.member_id AND p.hold_id = h.hold_id
            JOIN points_lot AS l ON l.member_id = p.member_id AND l.lot_seq = p.lot_seq
            WHERE h.member_id = $1 AND h.entry_seq = ANY($2::bigint[])
              AND h.state = 'OPEN' AND h.expires_at > $3
        ) AS m
    ) AS placed
    WHERE place <= {LOTS_MAX}
    ORDER BY seq, place
"""


async def _entries(
    member_id: UUID, *, before: KeyPart, limit: int, kinds: Sequence[EntryKind] = ()
) -> Sequence[JournalEntry]:
    statement = newest_of_kinds(len(kinds)) if kinds else _NEWEST
    rows = await fetch_all(statement, member_id, before, limit, *(kind.value for kind in kinds))
    return [journal_entry_of(row) for row in rows]


def journal_entry_of(row: Row) -> JournalEntry:
    """An entry from its row (JOURNAL_COLUMNS)."""
    return JournalEntry(
        member_id=row["member_id"],
        seq=row["seq"],
        kind=EntryKind(row["kind"]),
        amount=row["amount"],
        balance_after=row["balance_after"],
        reason=row["reason"],
        effective_at=row["effective_at"],
        recorded_at=row["recorded_at"],
        source=Source(kind=row["source_kind"], reference=row["reference"] or ""),
        note=row["note"],
        reverses=row["reverses"],
    )
