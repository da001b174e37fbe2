"""Why a member sees a product, or does not: for staff, who are asked.

Where it stands in the member's lists, as they were computed; what its score is by what is known of
the member now, with the reasons for it; and what keeps it from being shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import orjson

from domain import catalogue, members
from domain.catalogue import Product, Theme
from domain.recommendations.consenting import PERSONALIZATION
from domain.recommendations.scoring import (
    Listed,
    ListKind,
    Reason,
    ReasonKind,
    Taste,
    explain,
    listed_of,
)
from domain.recommendations.serving import ShownReason, product_of
from domain.recommendations.signals import tastes
from domain.recommendations.surfaces import Shelf
from domain.recommendations.versions import RecommendationModel, active_model, item_of
from domain.storage import Row, fetch_all, fetch_one
from domain.tiers import level_allows


class HiddenBy(StrEnum):
    """What keeps a product from being shown to a member."""

    NO_CONSENT = "NO_CONSENT"
    """The member does not agree to personal recommendations: nothing of them is considered."""
    UNAVAILABLE = "UNAVAILABLE"
    """It is not sold."""
    LEVEL = "LEVEL"
    """It is for members of a higher level."""
    NOT_INTERESTED = "NOT_INTERESTED"
    """The member does not want to be shown it."""
    OWNED = "OWNED"
    """The member has it: it is no discovery, but may be shown to be bought again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a list of the member's, from 1, with its score and reasons when computed."""

    kind: ListKind
    rank: int
    score: float
    reasons: Sequence[ShownReason]
    computed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a member sees a product.

    `score` and `reasons` are those of the shelf `shelf`, by what is known now: to be bought again
    where the member bought it, else to be discovered. They are None and empty without a model that
    knows the product, and of a member who does not agree; nothing else is told of that one either.
    """

    product: Product
    hidden_by: Sequence[HiddenBy]
    places: Sequence[Place] = ()
    shelf: Shelf | None = None
    score: float | None = None
    reasons: Sequence[ShownReason] = ()
    model_version: int | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    """The products and themes that reasons name, by their codes."""

    products: Mapping[str, Product]
    themes: Mapping[str, Theme]

    def reasons(self, listed: Listed) -> tuple[ShownReason, ...]:
        return tuple(map(self._reason, listed.reasons))

    def _reason(self, scored: Reason) -> ShownReason:
        code = scored.code or ""
        bought, interest = ReasonKind.BOUGHT, ReasonKind.INTEREST
        return ShownReason(
            kind=scored.kind,
            contribution=scored.contribution,
            product=self.products.get(code) if scored.kind is bought else None,
            theme=self.themes.get(code) if scored.kind is interest else None,
        )


_CARD: Final = f"""
    SELECT c.id, c.code, c.title, c.image_url, c.price_fen, c.theme_code, c.theme_name_zh,
           c.theme_name_en, c.active, {level_allows("c.level_code", member="$1")} AS allowed,
           EXISTS (SELECT 1 FROM not_interested AS n
                   WHERE n.member_id = $1 AND n.product_code = c.code) AS unwanted
    FROM product_card AS c WHERE c.id = $2
"""
_ITEM: Final = """
    SELECT product_code, popularity, theme_code, theme_share, neighbors
    FROM recommendation_item WHERE version = $1 AND product_code = $2
"""
_LISTS: Final = """
    SELECT list, items, computed_at FROM recommendation_list
    WHERE member_id = $1 AND version = $2 ORDER BY list
"""


async def why(member_id: UUID, product_id: UUID, *, now: datetime) -> Why | None:
    """Why the member sees the product, or does not; None where there is no such product.

    A fixed number of statements. `member_id` is that of a record that stands.
    """
    card = await fetch_one(_CARD, member_id, product_id)
    if card is None:
        return None
    model = await active_model()
    known = Why(
        product=product_of(card),
        hidden_by=(HiddenBy.NO_CONSENT,),
        model_version=model.version if model else None,
        as_of=model.as_of if model else None,
    )
    if not await members.has_consented(member_id, PERSONALIZATION):
        return known
    [taste] = await tastes([member_id], as_of=now)
    scored = None if model is None else await _scored(taste, known.product.code, model)
    places = [] if model is None else await _listed(member_id, known.product.code, model)
    names = await _names([*([scored] if scored else []), *(listed for _, _, listed, _ in places)])
    again = known.product.code in taste.bought
    return Why(
        product=known.product,
        hidden_by=tuple(_hidden_by(card, taste)),
        places=[
            Place(
                kind=kind,
                rank=rank,
                score=listed.score,
                reasons=names.reasons(listed),
                computed_at=computed_at,
            )
            for kind, rank, listed, computed_at in places
        ],
        shelf=None if scored is None else Shelf.BUY_AGAIN if again else Shelf.DISCOVER,
        score=None if scored is None else scored.score,
        reasons=() if scored is None else names.reasons(scored),
        model_version=known.model_version,
        as_of=known.as_of,
    )


def _hidden_by(card: Row, taste: Taste) -> Iterable[HiddenBy]:
    if not card["active"]:
        yield HiddenBy.UNAVAILABLE
    if not card["allowed"]:
        yield HiddenBy.LEVEL
    if card["unwanted"]:
        yield HiddenBy.NOT_INTERESTED
    if card["code"] in taste.history():
        yield HiddenBy.OWNED


async def _scored(taste: Taste, code: str, model: RecommendationModel) -> Listed | None:
    row = await fetch_one(_ITEM, model.version, code)
    if row is None:
        return None
    kind = ListKind.BUY_AGAIN if code in taste.bought else ListKind.DISCOVER
    rows = await fetch_all(
        "SELECT product_code, theme_code FROM recommendation_item"
        " WHERE version = $1 AND product_code = ANY($2::text[])",
        *(model.version, sorted(taste.history())),
    )
    themes = {one["product_code"]: one["theme_code"] for one in rows}
    return explain(model.settings, taste, item_of(row), kind=kind, themes=themes)


async def _listed(
    member_id: UUID, code: str, model: RecommendationModel
) -> list[tuple[ListKind, int, Listed, datetime]]:
    return [
        (ListKind(row["list"]), rank, listed, row["computed_at"])
        for row in await fetch_all(_LISTS, member_id, model.version)
        for rank, listed in enumerate(listed_of(orjson.loads(row["items"])), 1)
        if listed.product_code == code
    ]


async def _names(found: Iterable[Listed]) -> _Names:
    reasons = [reason for listed in found for reason in listed.reasons if reason.code is not None]
    codes = {
        kind: {reason.code for reason in reasons if reason.kind is kind and reason.code}
        for kind in (ReasonKind.BOUGHT, ReasonKind.INTEREST)
    }
    return _Names(
        products=await catalogue.products_by_code(codes[ReasonKind.BOUGHT]),
        themes=await catalogue.themes_by_code(codes[ReasonKind.INTEREST]),
    )
