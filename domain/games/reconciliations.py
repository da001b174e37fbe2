"""Reconciliations: what a day came to with a partner, and what differs from the partner's file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from domain.files import FileStore
from domain.games.reconciliation_differences import Difference, DifferenceKind
from domain.paging import Page, PageRequest, page_of
from domain.storage import Row, fetch_all, fetch_one


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """A day with a partner, and the file of it, whose SHA-256 (hex) is `sha256`.

    `points` is what was granted and took effect, less what was taken back. What the partner sent
    was compared at `compared_at`, and differs in `differences` items, of which those are kept that
    `differences_of` answers; all three None before.
    """

    id: UUID
    partner_id: UUID
    day: date
    items: int
    points: int
    sha256: str
    written_at: datetime
    compared_at: datetime | None = None
    compared_sha256: str | None = None
    differences: int | None = None

    @property
    def file_name(self) -> str:
        """What the file is called in the store."""
        return file_name(self.id)


def file_name(reconciliation_id: UUID) -> str:
    """What the file of this reconciliation is called: one that is written anew has a new name."""
    return f"{reconciliation_id}.ndjson"


async def find_reconciliation(partner_id: UUID, day: date) -> Reconciliation | None:
    """The partner's day; None where it is not written yet, or not kept any more."""
    row = await fetch_one(
        "SELECT * FROM game_reconciliation WHERE partner_id = $1 AND day = $2", partner_id, day
    )
    return None if row is None else reconciliation_of_row(row)


async def reconciliation_with(reconciliation_id: UUID) -> Reconciliation | None:
    """The reconciliation with this id, whosever it is."""
    row = await fetch_one("SELECT * FROM game_reconciliation WHERE id = $1", reconciliation_id)
    return None if row is None else reconciliation_of_row(row)


async def reconciliations_of(partner_id: UUID, page: PageRequest) -> Page[Reconciliation]:
    """A page of the partner's days that are kept, the newest first. Key: (day)."""
    [before] = page.after or (date.max,)
    rows = await fetch_all(
        "SELECT * FROM game_reconciliation WHERE partner_id = $1 AND day < $2"
        " ORDER BY day DESC LIMIT $3",
        *(partner_id, before, page.limit),
    )
    found = [reconciliation_of_row(row) for row in rows]
    return page_of(found, first=page.first, key=lambda one: (one.day,))


async def differences_of(reconciliation_id: UUID, page: PageRequest) -> Page[Difference]:
    """A page of what differs, in the order of the external ids' bytes. Key: (place)."""
    [after] = page.after or (0,)
    rows = await fetch_all(
        "SELECT * FROM game_difference WHERE reconciliation_id = $1 AND place > $2"
        " ORDER BY place LIMIT $3",
        *(reconciliation_id, after, page.limit),
    )
    shown = rows[: page.first]
    found = [
        Difference(
            external_id=row["external_id"],
            kind=DifferenceKind(row["kind"]),
            ours=row["ours"],
            theirs=row["theirs"],
        )
        for row in shown
    ]
    keys = [(row["place"],) for row in shown]
    return Page(items=found, keys=keys, has_next=len(rows) > page.first)


def reconciliation_of_row(row: Row) -> Reconciliation:
    """The reconciliation in a row of `game_reconciliation`."""
    return Reconciliation(
        id=row["id"],
        partner_id=row["partner_id"],
        day=row["day"],
        items=row["items"],
        points=row["points"],
        sha256=row["sha256"],
        written_at=row["written_at"],
        compared_at=row["compared_at"],
        compared_sha256=row["compared_sha256"],
        differences=row["differences"],
    )


def delete_files(files: FileStore, *reconciliation_ids: UUID) -> None:
    """Delete the files of these; there need not be any."""
    for one in reconciliation_ids:
        files.delete(file_name(one))
