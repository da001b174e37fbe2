"""What is shown to a member, and why: precomputed lists, or what is popular. One statement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from domain.catalogue import Product, Theme
from domain.recommendations.offering import INTRODUCED_LATELY
from domain.recommendations.scoring import ListKind, ReasonKind, ScoringSettings, listed_of
from domain.recommendations.scoring import Reason as ScoredReason
from domain.recommendations.serving_statement import statement
from domain.recommendations.surfaces import Shelf, Surface, lists_of, shelf_of
from domain.storage import Row, dialect, fetch_all

_WEIGHTS: Final = (ScoringSettings().discover_popularity, ScoringSettings().theme_weight)
_DECIMALS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReason:
    """Why something is shown: `contribution` is what the score would lose without it, exactly.

    The product or the theme that it names, by its kind; None for popularity.
    """

    kind: ReasonKind
    contribution: float
    product: Product | None = None
    theme: Theme | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommended:
    """A product to show; `rank` from 1. Scores compare within one shelf of one answer only."""

    rank: int
    score: float
    shelf: Shelf
    product: Product
    reasons: Sequence[ShownReason] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendations:
    """What a surface shows, best first.

    `personalized` says whether anything about the member chose or ordered it.
    """

    surface: Surface
    personalized: bool
    items: Sequence[Recommended]


async def recommended(
    member_id: UUID, *, surface: Surface, shelf: Shelf | None = None, first: int, now: datetime
) -> Recommendations:
    """The `first` products to show to the member there, all or those of a shelf. One statement.

    Who does not agree to personal recommendations is shown what everybody is: the most bought
    products that everybody may see. Who agrees is shown what was computed for them, but for what
    they do not want, may not see, have by now, or is no longer sold; as long as nothing is, what is
    popular, that of the themes that they declare first. Only BUY_AGAIN has no such stand-in.
    It changes with an event of the member or of the programme, and with what `changes` tells.
    """
    kinds = [kind.value for kind in lists_of(surface, shelf)]
    lately = (now - INTRODUCED_LATELY,) if surface is Surface.LETTERS else ()
    rows = await fetch_all(
        statement(surface, dialect()),
        *(member_id, kinds, now, first, shelf is not Shelf.BUY_AGAIN, *_WEIGHTS, *lately),
    )
    return _recommendations(surface, rows)


# By `ORDER BY`, as the largest value of a view is not looked up in an index.
_LAST_INTRODUCED: Final = """(
    SELECT c.introduced_at FROM product_card AS c WHERE c.introduced_at <= {until}
    ORDER BY c.introduced_at DESC LIMIT 1
)"""
_JOINED: Final[dict[str, str]] = {
    "postgres": "STRING_AGG(CAST(s.reward_id AS TEXT), ',')",
    "sqlite": "GROUP_CONCAT(s.reward_id)",
}
CHANGE_COLUMNS: Final = (
    "reward_product_due_at",
    "rewards_sold_out",
    "introduced_at",
    "no_longer_new_at",
)


def changes(engine: str) -> str:
    """What is shown changes without an event when one of these `CHANGE_COLUMNS` does.

    The last moments by $2 at which a reward began or ended, a product came, or is no longer new,
    where $5 is `INTRODUCED_LATELY` before $2; and which rewards with products are sold out. For
    statements of other contexts.
    """
    return f"""
    (SELECT MAX(w.at) FROM (
        SELECT r.begins_at AS at FROM reward_product AS r WHERE r.begins_at <= $2
        UNION ALL
        SELECT r.ends_at FROM reward_product AS r WHERE r.ends_at <= $2
    ) AS w) AS reward_product_due_at,
    (SELECT {_JOINED[engine]} FROM (
        SELECT r.reward_id FROM reward_product AS r WHERE r.stock = 0 ORDER BY r.reward_id
    ) AS s) AS rewards_sold_out,
    {_LAST_INTRODUCED.format(until="$2")} AS introduced_at,
    {_LAST_INTRODUCED.format(until="$5")} AS no_longer_new_at
    """


def _recommendations(surface: Surface, rows: Iterable[Row]) -> Recommendations:
    parts: dict[str, list[Row]] = {"ITEM": [], "PRODUCT": [], "THEME": [], "POPULAR": []}
    for row in rows:
        parts[row["part"]].append(row)
    if parts["ITEM"]:
        products = {row["code"]: product_of(row) for row in parts["PRODUCT"]}
        themes = {row["theme_code"]: _theme_of(row) for row in parts["THEME"]}
        return _of_lists(surface, parts["ITEM"], products=products, themes=themes)
    return _of_popular(surface, sorted(parts["POPULAR"], key=lambda row: int(row["nth"])))


def _of_lists(
    surface: Surface,
    rows: Iterable[Row],
    *,
    products: Mapping[str, Product],
    themes: Mapping[str, Theme],
) -> Recommendations:
    def reason(scored: ScoredReason) -> ShownReason:
        return ShownReason(
            kind=scored.kind,
            contribution=scored.contribution,
            product=products.get(scored.code or "") if scored.kind is ReasonKind.BOUGHT else None,
            theme=themes.get(scored.code or "") if scored.kind is ReasonKind.INTEREST else None,
        )

    def item(rank: int, row: Row) -> Recommended:
        [listed] = listed_of([orjson.loads(row["item"])])
        return Recommended(
            rank=rank,
            score=listed.score,
            shelf=shelf_of(ListKind(row["list"])),
            product=product_of(row),
            reasons=tuple(map(reason, listed.reasons)),
        )

    in_turn = sorted(rows, key=lambda row: (row["nth"], row["list"] == ListKind.BUY_AGAIN))
    items = tuple(item(rank, row) for rank, row in enumerate(in_turn, 1))
    return Recommendations(surface=surface, personalized=True, items=items)


def _of_popular(surface: Surface, rows: Sequence[Row]) -> Recommendations:
    items = tuple(
        Recommended(
            rank=rank,
            score=_score(row),
            shelf=Shelf.POPULAR,
            product=product_of(row),
            reasons=_popular_reasons(row),
        )
        for rank, row in enumerate(rows, 1)
    )
    return Recommendations(
        surface=surface, personalized=any(row["themed"] for row in rows), items=items
    )


def _score(row: Row) -> float:
    themed: float = row["theme_part"] + row["popular_part"]
    return round(themed, _DECIMALS) if row["themed"] else float(row["score"])


def _popular_reasons(row: Row) -> Sequence[ShownReason]:
    """The parts of a score in which themes count, the larger first; none where they do not."""
    if not row["themed"]:
        return ()
    theme = product_of(row).theme
    reasons = (
        ShownReason(
            kind=ReasonKind.INTEREST, contribution=round(row["theme_part"], _DECIMALS), theme=theme
        ),
        ShownReason(kind=ReasonKind.POPULARITY, contribution=round(row["popular_part"], _DECIMALS)),
    )
    positive = [one for one in reasons if one.contribution > 0]
    return tuple(sorted(positive, key=lambda one: -one.contribution))


def product_of(row: Row) -> Product:
    """The product of a row that has the columns of `product_card`."""
    return Product(
        # What SQLite joins from several parts comes as text.
        id=row["id"] if isinstance(row["id"], UUID) else UUID(row["id"]),
        code=row["code"],
        title=row["title"],
        image_url=row["image_url"],
        price_fen=row["price_fen"],
        theme=None if row["theme_code"] is None else _theme_of(row),
    )


def _theme_of(row: Row) -> Theme:
    return Theme(code=row["theme_code"], name_zh=row["theme_name_zh"], name_en=row["theme_name_en"])
