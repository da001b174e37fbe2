"""Which column of a file is which field: presets, mapping files, `--map field=column`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from api.imports.reading import UnusableFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields of one kind of file: all of them, and those that must be mapped."""

    names: Sequence[str]
    required: Sequence[str]
    one_of: Sequence[str] = ()


PURCHASE_FIELDS: Final = Fields(
    names=(
        "order",
        "line",
        "member",
        "product",
        "quantity",
        "amount",
        "unit-price",
        "placed",
        "shop",
        "channel",
    ),
    required=("order", "member", "product", "quantity", "placed"),
    one_of=("amount", "unit-price"),
)
PRODUCT_FIELDS: Final = Fields(
    names=("code", "title", "theme", "image", "price", "level", "introduced", "active"),
    required=("code",),
)
MEMBER_FIELDS: Final = Fields(
    names=(
        "external_id",
        "member_id",
        "phone",
        "wechat_openid",
        "wechat_unionid",
        "alipay",
        "shop_card",
        "nickname",
        "avatar_url",
        "gender",
        "birthday",
        "preferred_channel",
        "joined_at",
        "interests",
        "level",
        "level_since",
        "level_keep_until",
        "points",
        "points_expires_at",
        "points_earned_at",
        "points_matures_at",
        "lots",
        "debt",
    ),
    required=("external_id",),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The columns of a well-known file, and the member values that mean a guest in it."""

    columns: Mapping[str, Sequence[str]]
    guests: frozenset[str] = frozenset()


PURCHASE_PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "complete-journey": Preset(
            columns={
                "order": ["basket_id"],
                "member": ["household_id"],
                "product": ["product_id"],
                "quantity": ["quantity"],
                "amount": ["sales_value"],
                "placed": ["transaction_timestamp"],
                "shop": ["store_id"],
            }
        ),
        "online-retail": Preset(
            columns={
                "order": ["InvoiceNo"],
                "member": ["CustomerID"],
                "product": ["StockCode"],
                "quantity": ["Quantity"],
                "unit-price": ["UnitPrice"],
                "placed": ["InvoiceDate"],
            },
            guests=frozenset({"0"}),
        ),
    }
)
PRODUCT_PRESETS: Final[Mapping[str, Preset]] = MappingProxyType(
    {
        "complete-journey": Preset(
            columns={
                "code": ["product_id"],
                "title": ["product_type", "product_category"],
                "theme": ["department"],
            }
        ),
        "online-retail": Preset(columns={"code": ["StockCode"], "title": ["Description"]}),
    }
)


class ColumnMapping:
    """Each field's columns; of several, the first that has a value counts."""

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        self._columns = {field: list(names) for field, names in columns.items()}
        # Each column is read once, in this order.
        self.columns = list(dict.fromkeys(name for names in columns.values() for name in names))

    def __contains__(self, field: str) -> bool:
        return field in self._columns

    def positions(self, field: str) -> list[int]:
        """Where, among `columns`, the field's values stand; empty for a field without a column."""
        return [self.columns.index(name) for name in self._columns.get(field, [])]


def column_mapping(
    fields: Fields,
    *,
    header: Sequence[str],
    preset: Preset | None = None,
    file: Path | None = None,
    given: Sequence[str] = (),
) -> ColumnMapping:
    """The mapping of a file with this header.

    A later source overrides an earlier one: columns that are named like their fields, the preset,
    the mapping file, `given` (texts like `order=basket_id`, `title=type,category`). Raises
    UnusableFile for fields that do not exist, columns that the file lacks or has twice, and
    required fields without a column.
    """
    named: dict[str, Sequence[str]] = {name: [name] for name in fields.names if name in header}
    chosen = dict(preset.columns) if preset else {}
    if file is not None:
        chosen |= _read_mapping(file)
    chosen |= dict(_parse_given(text, header) for text in given)
    _check_fields(chosen, fields)
    if fields.one_of and any(name in chosen for name in fields.one_of):
        named = {name: column for name, column in named.items() if name not in fields.one_of}
    columns = named | chosen
    _check_columns(columns, fields, header)
    return ColumnMapping(columns)


_MAPPING_FORM: Final = '{path}: write field = "column" or field = ["first", "second"]'


def _read_mapping(path: Path) -> dict[str, Sequence[str]]:
    try:
        text = path.read_text(encoding="utf-8")
        parsed: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as failure:
        raise UnusableFile(f"{path}: {failure.strerror or failure}") from failure
    except ValueError as failure:
        raise UnusableFile(f"{path}: not a mapping: {failure}") from failure
    if not isinstance(parsed, dict):
        raise UnusableFile(_MAPPING_FORM.format(path=path))
    columns: dict[str, Sequence[str]] = {}
    for field, value in parsed.items():
        names = [value] if isinstance(value, str) else value
        if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
            raise UnusableFile(_MAPPING_FORM.format(path=path))
        columns[field] = names
    return columns


def _parse_given(text: str, header: Sequence[str]) -> tuple[str, Sequence[str]]:
    field, equals, column = text.partition("=")
    if not equals or not field.strip() or not column.strip():
        raise UnusableFile(f"--map takes field=column, not {text!r}")
    names = [column] if column in header else [name.strip() for name in column.split(",")]
    return field.strip(), names


def _check_fields(chosen: Mapping[str, Sequence[str]], fields: Fields) -> None:
    for field in chosen:
        if field not in fields.names:
            raise UnusableFile(f"there is no field {field!r}, only: {', '.join(fields.names)}")


def _check_columns(
    columns: Mapping[str, Sequence[str]], fields: Fields, header: Sequence[str]
) -> None:
    missing = [field for field in fields.required if field not in columns]
    if missing:
        raise UnusableFile(
            f"no column for {', '.join(missing)}: map it with --map {missing[0]}=COLUMN "
            f"(the file has: {', '.join(header)})"
        )
    if fields.one_of and sum(field in columns for field in fields.one_of) != 1:
        raise UnusableFile(f"map exactly one of {' and '.join(fields.one_of)}")
    for names in columns.values():
        for name in names:
            if header.count(name) != 1:
                fault = "no column" if name not in header else "more than one column"
                raise UnusableFile(f"the file has {fault} {name!r} (it has: {', '.join(header)})")
