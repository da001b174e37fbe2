"""Why one member sees one product: the same arithmetic as of lists, for one pair, in plain Python.

It needs one row of the model, that of the product, and no matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from domain.recommendations.scoring.interest import BROWSED, inferred
from domain.recommendations.scoring.listed import DECIMALS, Listed, ListKind, Reason, ReasonKind
from domain.recommendations.scoring.settings import ScoringSettings
from domain.recommendations.scoring.taste import Taste


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemFacts:
    """A product as a model knows it: its row.

    `popularity` and `theme_share` are above 0 and at most 1: how many have it against the product
    that most have, of all and of its theme (0 without a theme). `neighbors` are the products that
    speak for this one, or against it where the weight is negative, as pairs of code and weight.
    """

    product_code: str
    popularity: float
    theme_code: str | None
    theme_share: float
    neighbors: Sequence[tuple[str, float]]


def explain(
    settings: ScoringSettings,
    taste: Taste,
    item: ItemFacts,
    *,
    kind: ListKind,
    themes: Mapping[str, str | None],
    reasons_max: int | None = None,
) -> Listed:
    """The score of a product in a list of a member, with as many reasons as a list cites.

    `reasons_max` asks for more of them, or fewer.
    `themes` has the theme of each product of the history (of those that the model knows).
    Equal to what `Scorer.lists` answers of the product where it is listed. The score of what is not
    listed, for whatever cause, is what it would have there; for BUY_AGAIN 0 orders count as none.
    """
    if kind is ListKind.BUY_AGAIN:
        parts = _again(settings, taste, item)
    else:
        parts = _liked(settings, taste, item, kind=kind, themes=themes)
    score, reasons = parts
    cited = [
        Reason(kind=kind, code=code, contribution=round(contribution, DECIMALS))
        for kind, code, contribution in reasons
    ]
    cited.sort(key=lambda reason: -reason.contribution)
    return Listed(
        product_code=item.product_code,
        score=round(score, DECIMALS),
        reasons=tuple([reason for reason in cited if reason.contribution > 0])[
            : settings.reasons_max if reasons_max is None else reasons_max
        ],
    )


_Parts: TypeAlias = tuple[float, list[tuple[ReasonKind, str | None, float]]]
"""A score, and what it would lose without each of these."""


def _again(settings: ScoringSettings, taste: Taste, item: ItemFacts) -> _Parts:
    orders = taste.bought.get(item.product_code, 0)
    popular = settings.again_popularity * item.popularity
    return orders + popular, [
        (ReasonKind.BOUGHT, item.product_code, orders),
        (ReasonKind.POPULARITY, None, popular),
    ]


def _liked(
    settings: ScoringSettings,
    taste: Taste,
    item: ItemFacts,
    *,
    kind: ListKind,
    themes: Mapping[str, str | None],
) -> _Parts:
    history = taste.history()
    newest = kind is ListKind.AFTER_PURCHASE
    speaking = history.intersection(taste.newest_order) if newest else history
    weights = {code: weight for code, weight in item.neighbors if code in speaking}
    theme = item.theme_code
    of_theme = {code for code in history if theme is not None and themes.get(code) == theme}
    browsed = 0.0 if theme is None else BROWSED * taste.browsed.get(theme, 0)

    def prior(size: int, counted: int) -> tuple[float, float]:
        """What theme and popularity give with so long a history, and so many of the theme."""
        faded = settings.fade / (settings.fade + size)
        interest = _interest(settings, taste, theme, counted + browsed)
        by_theme = settings.theme_weight * interest * item.theme_share
        return faded * by_theme, faded * settings.discover_popularity * item.popularity

    by_theme, by_all = prior(len(history), len(of_theme))
    score = sum(weights[code] for code in sorted(weights)) + by_theme + by_all
    reasons: list[tuple[ReasonKind, str | None, float]] = []
    for code in sorted(history):
        without = prior(len(history) - 1, len(of_theme) - (code in of_theme))
        lost = weights.get(code, 0.0) + by_theme + by_all - sum(without)
        reasons.append((ReasonKind.BOUGHT, code, lost))
    reasons.append((ReasonKind.INTEREST, theme, by_theme))
    reasons.append((ReasonKind.POPULARITY, None, by_all))
    return score, reasons


def _interest(settings: ScoringSettings, taste: Taste, theme: str | None, counted: float) -> float:
    """w: 1 for a declared theme; else by what is of it, or was looked at, and 0 without a theme."""
    if theme is None:
        return 0.0
    if theme in taste.declared:
        return 1.0
    return inferred(counted, settings)
