"""Scores, lists and their reasons, decided purely: values come in, values go out.

This front door needs no numpy: settings, signals, answers, and the explanation of one product.
What trains and lists needs it, and has a door of its own, `domain.recommendations.scoring.engine`,
to be imported inside the functions that train and refresh.
"""

from domain.recommendations.scoring.explaining import ItemFacts, explain
from domain.recommendations.scoring.interest import BROWSED, inferred
from domain.recommendations.scoring.listed import (
    Listed,
    ListKind,
    Reason,
    ReasonKind,
    Rows,
    listed_of,
    rows_of,
)
from domain.recommendations.scoring.settings import EASE_ITEMS_MAX, Method, ScoringSettings
from domain.recommendations.scoring.taste import Offer, Taste

__all__ = [
    "BROWSED",
    "EASE_ITEMS_MAX",
    "ItemFacts",
    "ListKind",
    "Listed",
    "Method",
    "Offer",
    "Reason",
    "ReasonKind",
    "Rows",
    "ScoringSettings",
    "Taste",
    "explain",
    "inferred",
    "listed_of",
    "rows_of",
]
