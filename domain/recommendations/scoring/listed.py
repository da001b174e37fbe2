"""What scoring answers: products in order, each with its score and the reasons for it.

Rows of JSON are what is stored, `[[product, score, [[kind, code, contribution], ...]], ...]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

DECIMALS: Final = 10
"""Scores and contributions are rounded to so many places, so that ties are ties everywhere."""

Rows: TypeAlias = Sequence[Sequence[Any]]
"""Products as JSON keeps them; tuples stand for its lists."""


class ListKind(StrEnum):
    """The lists that are kept of a member."""

    BUY_AGAIN = "BUY_AGAIN"
    """What the member bought, by how often."""

    DISCOVER = "DISCOVER"
    """What the member has not."""

    AFTER_PURCHASE = "AFTER_PURCHASE"
    """What the member has not, by what the newest order holds; empty without one."""

    REWARDS = "REWARDS"
    """What rewards on offer give, had or not."""

    LETTERS = "LETTERS"
    """What was introduced lately and the member has not."""


class ReasonKind(StrEnum):
    """What a reason refers to."""

    BOUGHT = "B"
    """A product of the history, by its code: bought, or redeemed points for."""

    INTEREST = "I"
    """A theme, by its code: declared or inferred."""

    POPULARITY = "P"
    """How popular the product is; no code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something without which the score would be lower, by `contribution` exactly (to 1e-9).

    `code` is of a product or a theme, by `kind`. Each contribution is reckoned alone, with all else
    as it is: contributions need not add up to the score. The newest order stays the newest, even if
    the product was all that it held.
    """

    kind: ReasonKind
    code: str | None
    contribution: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A product with its score and its reasons, largest contribution first."""

    product_code: str
    score: float
    reasons: Sequence[Reason]


def listed_of(rows: Iterable[Sequence[Any]]) -> tuple[Listed, ...]:
    """The products of a stored list, in its order."""
    return tuple(
        Listed(
            product_code=code,
            score=score,
            reasons=tuple(
                Reason(kind=ReasonKind(kind), code=of, contribution=contribution)
                for kind, of, contribution in reasons
            ),
        )
        for code, score, reasons in rows
    )


def rows_of(listed: Iterable[Listed]) -> Rows:
    """The products as they are stored: what `listed_of` reads."""
    return [
        (
            each.product_code,
            each.score,
            tuple((reason.kind.value, reason.code, reason.contribution) for reason in each.reasons),
        )
        for each in listed
    ]
