"""Importing purchases: read and stage the file, then record it order by order.

The file is judged as a whole before anything is recorded. Each batch of orders is one transaction
of the same writer that shops' pushes go through, so a run that is killed leaves whole batches, and
the same command run again skips what is there and goes on with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from api.imports.mapping import ColumnMapping
from api.imports.progress import Reporter, Stage
from api.imports.purchase_rows import PurchaseForm, PurchaseLine, PurchaseRows
from api.imports.reading import SourceFile, Values
from api.imports.rejects import Reject, RejectCode, Rejects
from api.imports.staging import StagedOrder, Staging
from domain.errors import Refusal
from domain.purchases import (
    FILE_ORDER_LINES_MAX,
    ORDERS_MAX,
    EarningRule,
    ImportedOrder,
    ImportOrders,
    import_orders,
)

_BATCH_LINES = 5_000
"""A batch ends with the order that reaches so many lines, or with 500 orders."""

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseImport:
    """What to import and how. `source` names where the orders come from: their ids are its own."""

    file: SourceFile
    mapping: ColumnMapping
    form: PurchaseForm
    rule: EarningRule
    source: str
    create_members: bool
    rejects_path: Path


@dataclass(slots=True, kw_only=True)
class PurchaseCounts:
    """What came of a file; every row is imported, known from before, or rejected."""

    rows: int = 0
    imported: int = 0
    known: int = 0
    rejected: int = 0
    orders: int = 0
    """Orders that were recorded, or got lines that they did not have."""
    points: int = 0
    rejected_by_code: dict[str, int] = field(default_factory=dict)

    def told(self) -> Sequence[str]:
        """What became of the rows, in words."""
        return [
            f"{self.imported:,} imported",
            f"{self.known:,} there already",
            f"{self.rejected:,} rejected",
            f"{self.orders:,} orders",
            f"{self.points:,} points",
        ]


async def import_purchases(
    command: PurchaseImport, *, now: Now, reporter: Reporter
) -> PurchaseCounts:
    """Import the file into the connected database; returns the counts.

    Raises UnusableFile, with nothing recorded, where the file as a whole cannot be read.
    """
    counts = PurchaseCounts()
    staging, rejects = Staging(), Rejects()
    try:
        _stage(command, staging=staging, rejects=rejects, counts=counts, now=now, reporter=reporter)
        with reporter.stage("recording", total=counts.rows - rejects.count) as stage:
            for batch in _batches(staging, rejects, stage):
                await _record(batch, command, rejects=rejects, counts=counts, now=now)
                stage.advance(sum(len(staged.rows) for staged in batch))
        rejects.write(command.rejects_path, command.file)
        counts.rejected = rejects.count
        counts.rejected_by_code = dict(rejects.by_code)
        assert counts.imported + counts.known + counts.rejected == counts.rows, "no row is lost"
    finally:
        staging.close()
        rejects.close()
    return counts


def _stage(
    command: PurchaseImport,
    *,
    staging: Staging,
    rejects: Rejects,
    counts: PurchaseCounts,
    now: Now,
    reporter: Reporter,
) -> None:
    """Read all rows: sound ones into the staging, the others to the rejects."""
    reader = PurchaseRows(command.mapping, command.form, now=now())
    width_differs = Reject(
        RejectCode.COLUMN_COUNT.value, f"the row does not have {len(command.file.columns)} columns"
    )
    with reporter.stage("reading", total=command.file.rows_total) as stage:
        for chunk in command.file.chunks(command.mapping.columns):
            lines: list[tuple[int, PurchaseLine]] = []
            refused: list[tuple[int, Reject]] = []
            places: list[tuple[int, tuple[str, str]]] = []
            for row, values in enumerate(chunk, start=counts.rows + 1):
                outcome = width_differs if values is None else reader.read(values)
                if isinstance(outcome, PurchaseLine):
                    lines.append((row, outcome))
                else:
                    refused.append((row, outcome))
                    places.extend(_place(reader, row, values))
            staging.add(lines)
            staging.add_refused(places)
            rejects.add(refused)
            counts.rows += len(chunk)
            stage.advance(len(chunk))


def _place(
    reader: PurchaseRows, row: int, values: Values | None
) -> Iterator[tuple[int, tuple[str, str]]]:
    place = None if values is None else reader.place_of(values)
    if place is not None:
        yield row, place


def _batches(staging: Staging, rejects: Rejects, stage: Stage) -> Iterator[list[StagedOrder]]:
    """The orders in batches of a bounded size; rows that no order can have are rejected."""
    batch: list[StagedOrder] = []
    lines = 0
    for staged in staging.orders(lines_max=FILE_ORDER_LINES_MAX):
        if not isinstance(staged, StagedOrder):
            rejects.add(staged)
            stage.advance(len(staged))
            continue
        batch.append(staged)
        lines += len(staged.rows)
        if len(batch) == ORDERS_MAX or lines >= _BATCH_LINES:
            yield batch
            batch, lines = [], 0
    if batch:
        yield batch


async def _record(
    batch: Sequence[StagedOrder],
    command: PurchaseImport,
    *,
    rejects: Rejects,
    counts: PurchaseCounts,
    now: Now,
) -> None:
    outcomes = await import_orders(
        ImportOrders(
            source=command.source,
            orders=[staged.order for staged in batch],
            create_members=command.create_members,
        ),
        rule=command.rule,
        now=now(),
    )
    for staged, outcome in zip(batch, outcomes, strict=True):
        if outcome.refusal is not None:
            reject = Reject(outcome.refusal.code.value, _reason(outcome.refusal))
            rejects.add((row, reject) for row in staged.rows.values())
            continue
        if outcome.differing:
            rejects.add(_differing(staged, outcome))
        counts.imported += len(outcome.added)
        counts.known += len(outcome.known)
        counts.orders += bool(outcome.added)
        counts.points += outcome.points_earned


def _differing(staged: StagedOrder, outcome: ImportedOrder) -> Iterator[tuple[int, Reject]]:
    for line_id in outcome.differing:
        reason = f"line {line_id!r} was imported before with another product or number"
        yield staged.rows[line_id], Reject("IDEMPOTENCY_CONFLICT", reason)


def _reason(refusal: Refusal) -> str:
    """The refusal of a whole order in words: its documentation, and its facts."""
    documented = (type(refusal).__doc__ or "").partition("\n")[0]
    return f"the order was refused: {documented.removeprefix('Returned when ').rstrip('.')}"
