"""Reading the audit log, newest first."""

from __future__ import annotations

from domain.audit.values import AuditEntry, Target
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all

COLUMNS = (
    "seq, at, actor, account_id, action, target_kind, target_id, before, after, request_id, hash"
)
"""What `entry_of` reads."""


async def entries(page: PageRequest, *, target: Target | None = None) -> Page[AuditEntry]:
    """A page of the log, or of what was done to one thing, by the key (seq,).

    One index range scan.
    """
    of_target = "" if target is None else "target_kind = $3 AND target_id = $4 AND "
    rows = await fetch_all(
        f"SELECT {COLUMNS} FROM audit_entry WHERE {of_target}seq < $1 ORDER BY seq DESC LIMIT $2",
        page.after[0] if page.after else 2**62,
        page.limit,
        *(() if target is None else (target.kind, target.id)),
    )
    return page_of([entry_of(row) for row in rows], first=page.first, key=lambda one: (one.seq,))


def entry_of(row: Row) -> AuditEntry:
    """The entry in a row that has COLUMNS."""
    kind = row["target_kind"]
    return AuditEntry(
        seq=row["seq"],
        at=row["at"],
        actor=row["actor"],
        account_id=row["account_id"],
        action=row["action"],
        target=None if kind is None else Target(kind=kind, id=row["target_id"]),
        before=row["before"],
        after=row["after"],
        request_id=row["request_id"],
        hash=bytes(row["hash"]),
    )
