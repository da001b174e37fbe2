"""Which column is which field."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.imports.mapping import (
    PRODUCT_FIELDS,
    PRODUCT_PRESETS,
    PURCHASE_FIELDS,
    PURCHASE_PRESETS,
    column_mapping,
)
from api.imports.reading import UnusableFile

PLAIN = ["order", "member", "product", "quantity", "amount", "placed"]


def test_columns_that_are_named_like_their_fields_need_no_mapping() -> None:
    mapping = column_mapping(PURCHASE_FIELDS, header=[*PLAIN, "remark"])
    assert mapping.columns == PLAIN
    assert mapping.positions("amount") == [4]
    assert "shop" not in mapping


def test_a_later_source_overrides_an_earlier_one(tmp_path: Path) -> None:
    header = [*PLAIN, "basket_id", "household_id", "product_id", "sales_value", "store_id"]
    header += ["transaction_timestamp", "card", "till"]
    file = tmp_path / "mapping.toml"
    file.write_text('member = "card"\nshop = ["till", "store_id"]\n')
    mapping = column_mapping(
        PURCHASE_FIELDS,
        header=header,
        preset=PURCHASE_PRESETS["complete-journey"],
        file=file,
        given=["order=order"],
    )
    names = {
        field: [mapping.columns[at] for at in mapping.positions(field)]
        for field in PURCHASE_FIELDS.names
    }
    assert names == {
        "order": ["order"],
        "line": [],
        "member": ["card"],
        "product": ["product_id"],
        "quantity": ["quantity"],
        "amount": ["sales_value"],
        "unit-price": [],
        "placed": ["transaction_timestamp"],
        "shop": ["till", "store_id"],
        "channel": [],
    }


def test_a_unit_price_that_is_chosen_stands_before_a_column_called_amount() -> None:
    mapping = column_mapping(PURCHASE_FIELDS, header=[*PLAIN, "price"], given=["unit-price=price"])
    assert "unit-price" in mapping
    assert "amount" not in mapping


def test_alternatives_and_columns_whose_names_have_commas() -> None:
    header = ["code", "type", "category", "type,category"]
    alternatives = column_mapping(PRODUCT_FIELDS, header=header[:3], given=["title=type, category"])
    assert [alternatives.columns[at] for at in alternatives.positions("title")] == [
        "type",
        "category",
    ]
    one = column_mapping(PRODUCT_FIELDS, header=header, given=["title=type,category"])
    assert [one.columns[at] for at in one.positions("title")] == ["type,category"]


def test_json_serves_too(tmp_path: Path) -> None:
    file = tmp_path / "mapping.json"
    file.write_text('{"code": "sku", "title": ["name"]}')
    assert column_mapping(PRODUCT_FIELDS, header=["sku", "name"], file=file).columns == [
        "sku",
        "name",
    ]


@pytest.mark.parametrize(
    ("header", "given", "complaint"),
    [
        (PLAIN[1:], [], "no column for order: map it with --map order=COLUMN"),
        (PLAIN, ["basket=order"], "there is no field 'basket'"),
        (PLAIN, ["order=basket"], "the file has no column 'basket'"),
        ([*PLAIN, "order"], [], "the file has more than one column 'order'"),
        (PLAIN, ["order"], "--map takes field=column"),
        (PLAIN, ["order="], "--map takes field=column"),
        (PLAIN, ["=order"], "--map takes field=column"),
        ([*PLAIN[:4], "placed"], [], "map exactly one of amount and unit-price"),
        ([*PLAIN, "unit-price"], [], "map exactly one of amount and unit-price"),
        (
            [*PLAIN, "price"],
            ["unit-price=price", "amount=amount"],
            "map exactly one of amount and unit-price",
        ),
    ],
)
def test_a_mapping_that_cannot_be(header: list[str], given: list[str], complaint: str) -> None:
    with pytest.raises(UnusableFile, match=complaint):
        column_mapping(PURCHASE_FIELDS, header=header, given=given)


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("m.toml", "order = 3", "write field"),
        ("m.toml", "order", "not a mapping"),
        ("m.json", "[]", "write field"),
        ("m.json", '{"order": [1]}', "write field"),
        ("m.toml", "order = []", "write field"),
        ("m.json", "{", "not a mapping"),
    ],
)
def test_a_mapping_file_that_is_none(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(UnusableFile, match=complaint):
        column_mapping(PURCHASE_FIELDS, header=PLAIN, file=file)
    with pytest.raises(UnusableFile, match="No such file"):
        column_mapping(PURCHASE_FIELDS, header=PLAIN, file=tmp_path / "nothing.toml")


def test_every_preset_maps_all_that_is_required() -> None:
    for preset in PURCHASE_PRESETS.values():
        header = [name for names in preset.columns.values() for name in names]
        column_mapping(PURCHASE_FIELDS, header=header, preset=preset)
    for preset in PRODUCT_PRESETS.values():
        header = [name for names in preset.columns.values() for name in names]
        column_mapping(PRODUCT_FIELDS, header=header, preset=preset)
