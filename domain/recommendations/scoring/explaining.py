"""Why one member sees one product: the same arithmetic as of lists, for one pair, in plain Python.

It needs one row of the model, that of the product, and no matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.recommendations.scoring.listed import Listed, ListKind
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
) -> Listed:
    """The score of a product in a list of a member, with all reasons that may be cited.

    `themes` has the theme of each product of the history (of those that the model knows).
    Equal to what `Scorer.lists` answers of the product where it is listed. The score of what is not
    listed, for whatever cause, is what it would have there; for BUY_AGAIN 0 orders count as none.
    """
    raise NotImplementedError
