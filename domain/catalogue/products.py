"""Products and themes: what is sold, and what groups of it are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import InvalidInput
from domain.outbox import Event, announce
from domain.storage import Row, Table, fetch_all, transaction
from domain.texts import is_storable

CODE_LENGTH_MAX = 64
LEVEL_LENGTH_MAX = 32
TITLE_LENGTH_MAX = 256
URL_LENGTH_MAX = 2_048
PRICE_FEN_MAX = 2**53 - 1
BATCH_MAX = 1_000

_THEMES = Table("theme", code="text", name_zh="text", name_en="text")
_PRODUCTS = Table(
    "product",
    id="uuid",
    code="text",
    title="text",
    theme_code="text",
    image_url="text",
    price_fen="bigint",
    active="boolean",
    updated_at="timestamptz",
    level_code="text",
    introduced_at="timestamptz",
)
THEMES: Final = "SELECT code, name_zh, name_en FROM theme"
"""All themes with their names, as SQL: for statements of other contexts."""
_SELECT = """
    SELECT p.id, p.code, p.title, p.image_url, p.price_fen,
           t.code AS theme_code, t.name_zh, t.name_en
    FROM product p LEFT JOIN theme t ON t.code = p.theme_code
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """What a group of products is about. Themes are the merchant's own: an open set."""

    code: str
    name_zh: str
    name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something that is sold; `code` is the merchant's own, `price_fen` in the programme's fen."""

    id: UUID
    code: str
    title: str
    theme: Theme | None
    image_url: str | None
    price_fen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueItem:
    """A product as the merchant describes it, whole. A theme that is not there yet is made from it.

    It is shown to members from the level `level_code` on, None for everybody; whether there is the
    level is for the caller to see. `introduced_at` is since when it is new, None where it was
    always there; one that is not `active` is no longer sold, and shown to nobody.
    """

    code: str
    title: str
    theme: Theme | None = None
    image_url: str | None = None
    price_fen: int | None = None
    level_code: str | None = None
    introduced_at: datetime | None = None
    active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Upserted:
    """How many products a batch made, how many it changed, how many were so already."""

    created: int
    changed: int
    unchanged: int


def check_item(item: CatalogueItem) -> None:
    """Refused with InvalidInput, which names the field and its rule."""
    _check_text("code", item.code, length_max=CODE_LENGTH_MAX)
    _check_text("title", item.title, length_max=TITLE_LENGTH_MAX)
    if item.theme is not None:
        _check_text("theme", item.theme.code, length_max=CODE_LENGTH_MAX)
        _check_text("theme", item.theme.name_zh, length_max=TITLE_LENGTH_MAX)
        _check_text("theme", item.theme.name_en, length_max=TITLE_LENGTH_MAX)
    if item.image_url is not None:
        _check_text("image_url", item.image_url, length_max=URL_LENGTH_MAX)
    if item.price_fen is not None and not 0 <= item.price_fen <= PRICE_FEN_MAX:
        raise InvalidInput(field=("price_fen",), rule=f"0 to {PRICE_FEN_MAX} fen")
    if item.level_code is not None:
        _check_text("level_code", item.level_code, length_max=LEVEL_LENGTH_MAX)


async def upsert_products(items: Sequence[CatalogueItem], *, now: datetime) -> Upserted:
    """Make or change products, by code; a code that comes twice is what came last.

    At most 1,000 items, in a fixed number of statements. New themes are made; the names of a theme
    that exists are left as they are. Refused with InvalidInput, nothing changed, where an item
    breaks a rule.
    """
    assert len(items) <= BATCH_MAX, "the caller splits larger batches"
    for item in items:
        check_item(item)
    # In the order of their codes, so that two batches never wait for each other in a circle.
    wanted = {item.code: item for item in sorted(items, key=lambda item: item.code)}
    return await transaction(lambda: _upsert(wanted, now=now))


async def _upsert(wanted: dict[str, CatalogueItem], *, now: datetime) -> Upserted:
    themes = {item.theme.code: item.theme for item in wanted.values() if item.theme}
    known = await themes_by_code(themes)
    await _THEMES.insert(
        (
            {"code": theme.code, "name_zh": theme.name_zh, "name_en": theme.name_en}
            for code, theme in sorted(themes.items())
            if code not in known
        ),
        or_ignore=True,
    )
    present = await _described(wanted)
    changed = {
        code: item
        for code, item in wanted.items()
        if code in present and present[code] != _description(item)
    }
    await _PRODUCTS.insert(
        {"id": uuid7(), **_columns_of(item, now=now)}
        for code, item in wanted.items()
        if code not in present
    )
    await _PRODUCTS.update((_columns_of(item, now=now) for item in changed.values()), key=("code",))
    if changed or len(present) < len(wanted):
        facts = {"created": len(wanted) - len(present), "changed": len(changed)}
        await announce([Event(kind="CatalogueChanged", member_id=None, facts=facts)], now=now)
    return Upserted(
        created=len(wanted) - len(present),
        changed=len(changed),
        unchanged=len(present) - len(changed),
    )


async def products_by_code(codes: Iterable[str]) -> dict[str, Product]:
    """The products of these codes; a code that is not in the answer is not in the catalogue."""
    rows = await fetch_all(f"{_SELECT} WHERE p.code = ANY($1::text[])", sorted(set(codes)))
    return {row["code"]: _product_of(row) for row in rows}


async def products_by_id(ids: Iterable[UUID]) -> dict[UUID, Product]:
    """The products of these ids; an id that is not in the answer is nobody's."""
    rows = await fetch_all(f"{_SELECT} WHERE p.id = ANY($1::uuid[])", sorted(set(ids)))
    return {row["id"]: _product_of(row) for row in rows}


async def themes_of_products(codes: Iterable[str]) -> dict[str, str | None]:
    """The theme's code for each product code in the catalogue, None for a product without one."""
    rows = await fetch_all(
        "SELECT code, theme_code FROM product WHERE code = ANY($1::text[])", sorted(set(codes))
    )
    return {row["code"]: row["theme_code"] for row in rows}


async def themes() -> list[Theme]:
    """All themes, in the order of their codes."""
    rows = await fetch_all("SELECT code, name_zh, name_en FROM theme")
    # Sorted here: the two databases collate text differently.
    return sorted((_theme_of(row) for row in rows), key=lambda theme: theme.code)


async def themes_by_code(codes: Iterable[str]) -> dict[str, Theme]:
    """The themes of these codes; a code that is not in the answer names none."""
    rows = await fetch_all(
        "SELECT code, name_zh, name_en FROM theme WHERE code = ANY($1::text[])", sorted(set(codes))
    )
    return {row["code"]: _theme_of(row) for row in rows}


async def themes_with_products(codes: Iterable[str]) -> set[str]:
    """Those of these codes that are the theme of a product."""
    possible = {code for code in codes if is_storable(code, characters_max=CODE_LENGTH_MAX)}
    rows = await fetch_all(
        "SELECT code FROM theme AS t WHERE code = ANY($1::text[])"
        " AND EXISTS (SELECT 1 FROM product AS p WHERE p.theme_code = t.code)",
        sorted(possible),
    )
    return {row["code"] for row in rows}


async def missing_themes(codes: Iterable[str]) -> list[str]:
    """Which of these codes name no theme, sorted."""
    wanted = set(codes)
    possible = (code for code in wanted if is_storable(code, characters_max=CODE_LENGTH_MAX))
    return sorted(wanted - (await themes_by_code(possible)).keys())


def _check_text(field: str, text: str, *, length_max: int) -> None:
    if not is_storable(text, characters_max=length_max):
        raise InvalidInput(field=(field,), rule=f"1 to {length_max} characters of plain text")


async def _described(codes: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What is kept of the products of these codes, by code."""
    rows = await fetch_all(
        "SELECT code, title, theme_code, image_url, price_fen, active, level_code, introduced_at"
        " FROM product WHERE code = ANY($1::text[])",
        sorted(set(codes)),
    )
    return {row["code"]: dict(row) for row in rows}


def _description(item: CatalogueItem) -> dict[str, Any]:
    return {
        "code": item.code,
        "title": item.title,
        "theme_code": item.theme.code if item.theme else None,
        "image_url": item.image_url,
        "price_fen": item.price_fen,
        "active": item.active,
        "level_code": item.level_code,
        "introduced_at": item.introduced_at,
    }


def _columns_of(item: CatalogueItem, *, now: datetime) -> dict[str, Any]:
    return _description(item) | {"updated_at": now}


def _product_of(row: Row) -> Product:
    theme = None
    if row["theme_code"] is not None:
        theme = Theme(code=row["theme_code"], name_zh=row["name_zh"], name_en=row["name_en"])
    return Product(
        id=row["id"],
        code=row["code"],
        title=row["title"],
        theme=theme,
        image_url=row["image_url"],
        price_fen=row["price_fen"],
    )


def _theme_of(row: Row) -> Theme:
    return Theme(code=row["code"], name_zh=row["name_zh"], name_en=row["name_en"])
