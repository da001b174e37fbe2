"""Verifying the audit log from what is stored alone: every row, in order, against its hash.

Whoever can write to the database behind the triggers can also compute a whole new chain. That is
found only by somebody who kept an older head elsewhere: give it as `kept`.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.audit import recording
from domain.audit.chain import GENESIS, link
from domain.audit.reading import COLUMNS, entry_of
from domain.audit.values import AuditEntry, Head
from domain.storage import fetch_all, fetch_one

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row at which the chain breaks, and how.

    `missing`, `altered`, `inserted`, or `not the head` where the rows are good up to this one and
    the head of the chain is another's.
    """

    seq: int
    how: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found: how many rows are good, the head, and where the chain breaks, if it does."""

    good: int
    head: Head
    broken: Broken | None


async def verify(*, kept: Head | None = None) -> Verification:
    """Verify the log as it stood at the beginning; others may write to it meanwhile.

    `kept` is a head that was noted before: it must still be in the chain.
    """
    head = await recording.head()
    last = Head(seq=0, hash=GENESIS)
    while last.seq < head.seq:
        rows = await _next_rows(last.seq, up_to=head.seq)
        if not rows:
            return Verification(last.seq, head, Broken(last.seq + 1, "missing"))
        for entry in rows:
            how = _break(last, entry, kept)
            if how is not None:
                return Verification(last.seq, head, Broken(last.seq + 1, how))
            last = Head(seq=entry.seq, hash=entry.hash)
    return Verification(last.seq, head, await _break_at_the_end(last, head, kept))


def _break(last: Head, entry: AuditEntry, kept: Head | None) -> str | None:
    """How the row breaks the chain that is good until `last`; None when it does not."""
    if entry.seq != last.seq + 1:
        return "missing"
    if link(last.hash, entry) != entry.hash:
        return "altered"
    if kept is not None and entry.seq == kept.seq and entry.hash != kept.hash:
        return "altered"
    return None


async def _break_at_the_end(last: Head, head: Head, kept: Head | None) -> Broken | None:
    if last.hash != head.hash:
        return Broken(head.seq, "not the head")
    if kept is not None and kept.seq > head.seq:
        return Broken(head.seq + 1, "missing")
    # Rows and head grow in one transaction, so one statement sees no row beyond the head.
    beyond = await fetch_one(
        "SELECT MIN(seq) AS seq FROM audit_entry"
        " WHERE seq < 1 OR seq > (SELECT seq FROM audit_head WHERE id = 1)"
    )
    if beyond is not None and beyond["seq"] is not None:
        return Broken(beyond["seq"], "inserted")
    return None


async def _next_rows(after: int, *, up_to: int) -> list[AuditEntry]:
    rows = await fetch_all(
        f"SELECT {COLUMNS} FROM audit_entry WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
        *(after, up_to, _ROWS_AT_ONCE),
    )
    return [entry_of(row) for row in rows]
