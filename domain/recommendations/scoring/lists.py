"""The lists of a block of members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.recommendations.scoring.listed import ListKind, Rows
from domain.recommendations.scoring.model import Model
from domain.recommendations.scoring.taste import Offer, Taste

MEMBERS_MAX = 1024
"""A block of more members is computed in parts of so many at most."""


class Scorer:
    """A model made ready to list: make one for many members, it takes a while.

    It changes nothing in itself: threads may share it.
    """

    def __init__(self, model: Model, offer: Offer) -> None:
        """Products of the offer that the model does not know are not listed: `with_products`."""
        self.model = model
        self.offer = offer

    def lists(self, tastes: Sequence[Taste]) -> list[Mapping[ListKind, Rows]]:
        """Of each member, in order, all five lists as they are stored; a list may be empty.

        Best first; equal scores by code. The lists of a member do not depend on the others of the
        block. Products of a history that the model does not know only make it longer.
        """
        raise NotImplementedError
