"""Comparing a partner's file with ours: one walk over both, whatever their size.

Nothing is kept of a file that breaks a rule. What another one said before is replaced whole, so the
same file, or a better one, may be sent as often as one likes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import BinaryIO, Final
from uuid import UUID

from domain.files import FileStore
from domain.games.reconciliation_differences import (
    Difference,
    DifferenceKind,
    Pair,
    difference_of,
    pairs_of,
    unequal_of,
)
from domain.games.reconciliation_lines import Line, line_of, read_lines
from domain.games.reconciliations import Reconciliation
from domain.games.reward_items import kept_item_of
from domain.ledger import local_midnight
from domain.program import program
from domain.storage import Table, execute, fetch_all, transaction

DIFFERENCES_KEPT: Final = 10_000
_WRITTEN_AT_ONCE: Final = 1_000

_DIFFERENCES: Final = Table(
    "game_difference",
    reconciliation_id="uuid",
    place="int",
    external_id="text",
    kind="text",
    ours="text",
    theirs="text",
)


class ReconciliationReplaced(Exception):
    """Raised when our file was written anew while one was compared with it: compare again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What a partner sent: a file at its beginning, and its SHA-256 (hex)."""

    file: BinaryIO
    sha256: str


@dataclass(slots=True, kw_only=True)
class Compared:
    """What came of a comparison: how many differences of each kind, and the first of them."""

    by_kind: Counter[DifferenceKind] = field(default_factory=Counter)
    kept: list[Difference] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many there are, also of those that are not kept."""
        return self.by_kind.total()

    def add(self, differences: Sequence[Difference]) -> None:
        """Some more of them."""
        self.by_kind.update(one.kind for one in differences)
        self.kept += differences[: DIFFERENCES_KEPT - len(self.kept)]


async def compare_upload(
    reconciliation: Reconciliation, upload: Upload, *, files: FileStore, now: datetime
) -> Compared:
    """Compare what the partner sent with our file of the day, and keep what differs.

    Raises LineRefused for the first line that breaks a rule, ReconciliationReplaced.
    """
    path = files.find(reconciliation.file_name)
    if path is None:
        raise ReconciliationReplaced
    with path.open("rb") as ours:
        compared = await _compare(reconciliation, ours, upload.file)

    async def keep() -> None:
        await _keep(reconciliation, compared, sha256=upload.sha256, now=now)

    await transaction(keep)
    return compared


async def _compare(reconciliation: Reconciliation, ours: BinaryIO, theirs: BinaryIO) -> Compared:
    zone = (await program()).zone
    day = reconciliation.day
    bounds = (local_midnight(day, zone), local_midnight(day + timedelta(days=1), zone))
    pairs = pairs_of(read_lines(ours), read_lines(theirs))
    compared, is_last = Compared(), False
    while not is_last:
        # Reading lines is work for the processor, and others want to be served meanwhile.
        unequal, is_last = await asyncio.to_thread(unequal_of, pairs)
        standing = await _standing(reconciliation.partner_id, unequal, bounds=bounds)
        judged = [_judged(pair, standing.get(pair.external_id)) for pair in unequal]
        compared.add([one for one in judged if one is not None])
    return compared


@dataclass(frozen=True, slots=True)
class _Standing:
    """How an item stands with us now, and whether it was received on the day in question."""

    line: Line
    is_of_day: bool


def _judged(pair: Pair, standing: _Standing | None) -> Difference | None:
    if standing is None:
        return difference_of(pair, None, is_of_day=False)
    return difference_of(pair, standing.line, is_of_day=standing.is_of_day)


async def _standing(
    partner_id: UUID, pairs: Sequence[Pair], *, bounds: tuple[datetime, datetime]
) -> Mapping[str, _Standing]:
    """How these items stand now, by their external ids. No statement for none."""
    if not pairs:
        return {}
    begins, ends = bounds
    rows = await fetch_all(
        "SELECT * FROM reward_item WHERE partner_id = $1 AND external_id = ANY($2::text[])",
        *(partner_id, [one.external_id for one in pairs]),
    )
    items = [kept_item_of(row) for row in rows]
    return {
        one.external_id: _Standing(line_of(one), begins <= one.received_at < ends) for one in items
    }


async def _keep(
    reconciliation: Reconciliation, compared: Compared, *, sha256: str, now: datetime
) -> None:
    """Put what differs in the place of what differed before. Raises ReconciliationReplaced."""
    marked = await execute(
        "UPDATE game_reconciliation SET compared_at = $2, compared_sha256 = $3, differences = $4"
        " WHERE id = $1",
        *(reconciliation.id, now, sha256, compared.total),
    )
    if not marked:
        raise ReconciliationReplaced
    await execute("DELETE FROM game_difference WHERE reconciliation_id = $1", reconciliation.id)
    rows = [
        {
            "reconciliation_id": reconciliation.id,
            "place": place,
            "external_id": one.external_id,
            "kind": one.kind.value,
            "ours": one.ours,
            "theirs": one.theirs,
        }
        for place, one in enumerate(compared.kept, 1)
    ]
    for begin in range(0, len(rows), _WRITTEN_AT_ONCE):
        await _DIFFERENCES.insert(rows[begin : begin + _WRITTEN_AT_ONCE])
