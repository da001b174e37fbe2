"""Scoring once more, in plain Python and slowly, read off the definitions.

Nothing is shared with the product but its values: a score without something is the whole score,
reckoned anew of signals in which it is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

from domain.recommendations.scoring import (
    ListKind,
    Method,
    Offer,
    Reason,
    ReasonKind,
    ScoringSettings,
    Taste,
)

EXACT = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A model: `speaks[i, j]` is how much product i speaks for product j."""

    settings: ScoringSettings
    themes: Mapping[str, str | None]
    popularity: Mapping[str, float]
    theme_share: Mapping[str, float]
    speaks: Mapping[tuple[str, str], float]


def learn(
    histories: Sequence[Collection[str]],
    themes: Mapping[str, str | None],
    settings: ScoringSettings,
) -> Reference:
    """The model of members who have these products."""
    had = {code: sum(code in history for history in histories) for code in themes}
    most = max((count + 1 for count in had.values()), default=1)
    most_of = {
        theme: max(had[code] + 1 for code in themes if themes[code] == theme)
        for theme in themes.values()
    }
    both = {
        (i, j): sum(i in history and j in history for history in histories)
        for i in themes
        for j in themes
    }
    ease = settings.method is Method.EASE
    return Reference(
        settings=settings,
        themes=themes,
        popularity={code: (had[code] + 1) / most for code in themes},
        theme_share={
            code: 0.0 if theme is None else (had[code] + 1) / most_of[theme]
            for code, theme in themes.items()
        },
        speaks=_regressions(both, sorted(themes), settings)
        if ease
        else _cosines(both, sorted(themes), settings),
    )


def _cosines(
    both: Mapping[tuple[str, str], int], codes: Sequence[str], settings: ScoringSettings
) -> dict[tuple[str, str], float]:
    speaks = {}
    for j in codes:
        found = [
            (-(both[i, j] / (sqrt(both[i, i]) * sqrt(both[j, j]) + settings.shrinkage)), i)
            for i in codes
            if i != j and both[i, j]
        ]
        for negative, i in sorted(found)[: settings.neighbors_max]:
            speaks[i, j] = round(-negative, 8)
    return speaks


def _regressions(
    both: Mapping[tuple[str, str], int], codes: Sequence[str], settings: ScoringSettings
) -> dict[tuple[str, str], float]:
    """EASE is the ridge regression of each product on all others: here each is solved for itself.

    Of so few products that none is pruned.
    """
    assert len(codes) <= settings.ease_weights_max
    speaks = {}
    for j in codes:
        others = [i for i in codes if i != j]
        matrix = [
            [both[i, k] + settings.ease_regularization * (i == k) for k in others] + [both[i, j]]
            for i in others
        ]
        for i, weight in zip(others, _solved(matrix), strict=True):
            speaks[i, j] = round(weight, 8)
    return speaks


def _solved(rows: list[list[float]]) -> list[float]:
    """Gauss and Jordan; a positive definite matrix needs no pivoting."""
    size = len(rows)
    for pivot in range(size):
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for other in range(size):
            if other != pivot:
                factor = rows[other][pivot]
                rows[other] = [
                    value - factor * above
                    for value, above in zip(rows[other], rows[pivot], strict=True)
                ]
    return [row[-1] for row in rows]


def score_of(
    model: Reference, taste: Taste, code: str, kind: ListKind, *, no_theme: bool = False
) -> float:
    """The score of a product for a member; `no_theme` takes no interest in its theme."""
    settings = model.settings
    if kind is ListKind.BUY_AGAIN:
        return taste.bought.get(code, 0) + settings.again_popularity * model.popularity[code]
    history = {*taste.bought, *taste.redeemed}
    speaking = history
    if kind is ListKind.AFTER_PURCHASE:
        speaking = history & {*taste.newest_order}
    theme = model.themes[code]
    counted = (
        sum(model.themes.get(i) == theme for i in history) + taste.browsed.get(theme or "", 0) / 4
    )
    interest = counted / (counted + settings.inferred_half) * settings.inferred_weight
    if theme in taste.declared:
        interest = 1.0
    if theme is None or no_theme:
        interest = 0.0
    prior = settings.theme_weight * interest * model.theme_share[code]
    prior += settings.discover_popularity * model.popularity[code]
    fade = settings.fade / (settings.fade + len(history))
    return sum(model.speaks.get((i, code), 0.0) for i in speaking) + fade * prior


def lost_without(
    model: Reference, taste: Taste, code: str, kind: ListKind, reason: Reason
) -> float:
    """What the score loses without what a reason cites, the trained model as it is."""
    whole = score_of(model, taste, code, kind)
    if reason.kind is ReasonKind.BOUGHT:
        assert reason.code is not None
        return whole - score_of(model, without(taste, reason.code), code, kind)
    if reason.kind is ReasonKind.INTEREST:
        assert reason.code == model.themes[code]
        return whole - score_of(model, taste, code, kind, no_theme=True)
    settings = replace(model.settings, again_popularity=0.0, discover_popularity=0.0)
    return whole - score_of(replace(model, settings=settings), taste, code, kind)


def without(taste: Taste, code: str) -> Taste:
    """The same member, who never had the product."""
    return replace(
        taste,
        bought={i: orders for i, orders in taste.bought.items() if i != code},
        redeemed={*taste.redeemed} - {code},
        newest_order={*taste.newest_order} - {code},
    )


def reasons_of(model: Reference, taste: Taste, code: str, kind: ListKind) -> list[Reason]:
    """Whatever speaks for a product, largest first, however many."""
    reasons: list[tuple[ReasonKind, str | None]] = [(ReasonKind.POPULARITY, None)]
    if kind is ListKind.BUY_AGAIN:
        reasons.append((ReasonKind.BOUGHT, code))
    else:
        reasons += [(ReasonKind.BOUGHT, i) for i in {*taste.bought, *taste.redeemed}]
        reasons += [(ReasonKind.INTEREST, model.themes[code])]
    found = []
    for of, cited in reasons:
        reason = Reason(kind=of, code=cited, contribution=0.0)
        lost = lost_without(model, taste, code, kind, reason)
        found.append(replace(reason, contribution=lost))
    return sorted(found, key=lambda reason: -reason.contribution)


def candidates(model: Reference, taste: Taste, offer: Offer, kind: ListKind) -> set[str]:
    """What may stand in a list of the member."""
    history = {*taste.bought, *taste.redeemed}
    known = {*model.themes} & {*offer.active}
    seen = {code for code in known if offer.level_ranks.get(code, 0) <= taste.level_rank}
    seen -= {*taste.not_interested}
    if kind is ListKind.BUY_AGAIN:
        return seen & {*taste.bought}
    if kind is ListKind.REWARDS:
        return seen & {*offer.rewards}
    if kind is ListKind.LETTERS:
        return (seen & {*offer.introduced}) - history
    if kind is ListKind.AFTER_PURCHASE and not {*taste.newest_order} & {*model.themes}:
        return set()
    return seen - history
