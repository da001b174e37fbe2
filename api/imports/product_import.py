"""Importing products: each row is a product of the catalogue; a code that comes again wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.imports.mapping import ColumnMapping
from api.imports.progress import Reporter
from api.imports.purchase_import import Now
from api.imports.reading import SourceFile, Values
from api.imports.rejects import Reject, RejectCode, Rejects
from api.imports.values import fen_of, is_negative
from domain.catalogue import BATCH_MAX, CatalogueItem, Theme, check_item, upsert_products
from domain.errors import InvalidInput

_CODES = {
    "code": RejectCode.TEXT_INVALID,
    "title": RejectCode.TEXT_INVALID,
    "theme": RejectCode.TEXT_INVALID,
    "image_url": RejectCode.TEXT_INVALID,
    "price_fen": RejectCode.AMOUNT_INVALID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductImport:
    """What to import and how."""

    file: SourceFile
    mapping: ColumnMapping
    rejects_path: Path


@dataclass(slots=True, kw_only=True)
class ProductCounts:
    """What came of a file; every row is imported or rejected.

    `created` and `changed` count products; rows that say what the catalogue knows change nothing.
    """

    rows: int = 0
    imported: int = 0
    rejected: int = 0
    created: int = 0
    changed: int = 0
    rejected_by_code: dict[str, int] = field(default_factory=dict)

    def told(self) -> Sequence[str]:
        """What became of the rows, in words."""
        return [
            f"{self.imported:,} imported ({self.created:,} new, {self.changed:,} changed)",
            f"{self.rejected:,} rejected",
        ]


async def import_products(command: ProductImport, *, now: Now, reporter: Reporter) -> ProductCounts:
    """Import the file into the connected database; returns the counts.

    Each batch is one transaction, and importing again changes nothing. Raises UnusableFile where
    the file cannot be read; batches before the fault are kept.
    """
    counts = ProductCounts()
    rejects = Rejects()
    reader = _ProductRows(command.mapping)
    width_differs = Reject(
        RejectCode.COLUMN_COUNT.value, f"the row does not have {len(command.file.columns)} columns"
    )
    try:
        with reporter.stage("importing products", total=command.file.rows_total) as stage:
            for chunk in command.file.chunks(command.mapping.columns):
                items: list[CatalogueItem] = []
                for row, values in enumerate(chunk, start=counts.rows + 1):
                    outcome = width_differs if values is None else reader.read(values)
                    if isinstance(outcome, Reject):
                        rejects.add([(row, outcome)])
                    else:
                        items.append(outcome)
                await _upsert(items, counts=counts, now=now)
                counts.rows += len(chunk)
                stage.advance(len(chunk))
        rejects.write(command.rejects_path, command.file)
        counts.rejected = rejects.count
        counts.rejected_by_code = dict(rejects.by_code)
        assert counts.imported + counts.rejected == counts.rows, "no row is lost"
    finally:
        rejects.close()
    return counts


async def _upsert(items: Sequence[CatalogueItem], *, counts: ProductCounts, now: Now) -> None:
    for begin in range(0, len(items), BATCH_MAX):
        batch = items[begin : begin + BATCH_MAX]
        upserted = await upsert_products(batch, now=now())
        counts.imported += len(batch)
        counts.created += upserted.created
        counts.changed += upserted.changed


class _ProductRows:
    """Reads rows whose values stand in the order of `mapping.columns`."""

    def __init__(self, mapping: ColumnMapping) -> None:
        self._positions = {
            name: mapping.positions(name) for name in ("code", "title", "theme", "image", "price")
        }

    def read(self, values: Values) -> CatalogueItem | Reject:
        """The product; or why it is none. Without a title its code is its title."""
        code = self._value("code", values)
        if code is None:
            return Reject(RejectCode.PRODUCT_MISSING.value, "code is empty")
        price = self._value("price", values)
        price_fen = None if price is None else fen_of(price)
        if price is not None and (price_fen is None or is_negative(price)):
            return Reject(RejectCode.AMOUNT_INVALID.value, "price is not an amount")
        theme = self._value("theme", values)
        item = CatalogueItem(
            code=code,
            title=self._value("title", values) or code,
            theme=None if theme is None else Theme(code=theme, name_zh=theme, name_en=theme),
            image_url=self._value("image", values),
            price_fen=price_fen,
        )
        try:
            check_item(item)
        except InvalidInput as refusal:
            [name] = refusal.field or ("code",)
            return Reject(_CODES[name].value, f"{name}: {refusal.rule}")
        return item

    def _value(self, field: str, values: Values) -> str | None:
        for position in self._positions[field]:
            text = values[position]
            if text is not None and (stripped := text.strip()):
                return stripped
        return None
