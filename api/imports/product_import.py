"""Importing products: each row is a product of the catalogue; a code that comes again wins."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from api.imports.mapping import PRODUCT_FIELDS, ColumnMapping
from api.imports.progress import Reporter
from api.imports.purchase_import import Now
from api.imports.reading import SourceFile, Values
from api.imports.rejects import Reject, RejectCode, Rejects
from api.imports.values import fen_of, is_negative, microseconds_of, moment_of
from domain.catalogue import BATCH_MAX, CatalogueItem, Theme, check_item, upsert_products
from domain.errors import InvalidInput

_CODES = {
    "code": RejectCode.TEXT_INVALID,
    "title": RejectCode.TEXT_INVALID,
    "theme": RejectCode.TEXT_INVALID,
    "image_url": RejectCode.TEXT_INVALID,
    "price_fen": RejectCode.AMOUNT_INVALID,
    "level_code": RejectCode.LEVEL_INVALID,
}
_ACTIVE: Final = {
    **dict.fromkeys(("true", "yes", "y", "1", "是"), True),
    **dict.fromkeys(("false", "no", "n", "0", "否"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductForm:
    """How a file writes moments, and the codes of the levels that its products may ask for."""

    zone: ZoneInfo
    date_form: str | None = None
    levels: AbstractSet[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductImport:
    """What to import and how."""

    file: SourceFile
    mapping: ColumnMapping
    form: ProductForm
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
    reader = _ProductRows(command.mapping, command.form)
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


class _Refused(Exception):
    def __init__(self, code: RejectCode, reason: str) -> None:
        self.reject = Reject(code.value, reason)


class _ProductRows:
    """Reads rows whose values stand in the order of `mapping.columns`."""

    def __init__(self, mapping: ColumnMapping, form: ProductForm) -> None:
        self._form = form
        self._positions = {name: mapping.positions(name) for name in PRODUCT_FIELDS.names}

    def read(self, values: Values) -> CatalogueItem | Reject:
        """The product; or why it is none. Without a title its code is its title."""
        try:
            item = self._item(values)
            check_item(item)
        except _Refused as refused:
            return refused.reject
        except InvalidInput as refusal:
            [name] = refusal.field or ("code",)
            return Reject(_CODES[name].value, f"{name}: {refusal.rule}")
        return item

    def _item(self, values: Values) -> CatalogueItem:
        code = self._value("code", values)
        if code is None:
            raise _Refused(RejectCode.PRODUCT_MISSING, "code is empty")
        theme = self._value("theme", values)
        return CatalogueItem(
            code=code,
            title=self._value("title", values) or code,
            theme=None if theme is None else Theme(code=theme, name_zh=theme, name_en=theme),
            image_url=self._value("image", values),
            price_fen=self._price_fen(values),
            level_code=self._level(values),
            introduced_at=self._introduced_at(values),
            active=self._active(values),
        )

    def _price_fen(self, values: Values) -> int | None:
        price = self._value("price", values)
        price_fen = None if price is None else fen_of(price)
        if price is not None and (price_fen is None or is_negative(price)):
            raise _Refused(RejectCode.AMOUNT_INVALID, "price is not an amount")
        return price_fen

    def _level(self, values: Values) -> str | None:
        """The level from which on it is shown. One that is not there would hide it from all."""
        level = self._value("level", values)
        if level is not None and level not in self._form.levels:
            there_are = ", ".join(sorted(self._form.levels)) or "none are defined"
            raise _Refused(RejectCode.LEVEL_INVALID, f"level is not one of the levels: {there_are}")
        return level

    def _introduced_at(self, values: Values) -> datetime | None:
        text = self._value("introduced", values)
        if text is None:
            return None
        form = self._form
        introduced_us = microseconds_of(text, zone=form.zone, form=form.date_form)
        if introduced_us is None or introduced_us < 0:
            raise _Refused(RejectCode.DATE_INVALID, "introduced is not a date since 1970")
        return moment_of(introduced_us)

    def _active(self, values: Values) -> bool:
        text = self._value("active", values)
        if text is None:
            return True
        active = _ACTIVE.get(text.lower())
        if active is None:
            raise _Refused(RejectCode.ACTIVE_INVALID, "active is yes or no")
        return active

    def _value(self, field: str, values: Values) -> str | None:
        for position in self._positions[field]:
            text = values[position]
            if text is not None and (stripped := text.strip()):
                return stripped
        return None
