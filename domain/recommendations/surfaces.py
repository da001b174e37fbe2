"""Where recommendations are shown, and which lists are shown there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from domain.recommendations.scoring import ListKind


class Surface(StrEnum):
    """Where recommendations are shown."""

    HOME = "HOME"
    """The home page."""
    AFTER_PURCHASE = "AFTER_PURCHASE"
    """After a purchase."""
    REWARDS = "REWARDS"
    """Beside the rewards."""
    LETTERS = "LETTERS"
    """In letters about new products."""


class Shelf(StrEnum):
    """Which kind of suggestion it is."""

    BUY_AGAIN = "BUY_AGAIN"
    """Something the member bought before."""
    DISCOVER = "DISCOVER"
    """Something that goes with what the member has, or is of a theme that they care for."""
    POPULAR = "POPULAR"
    """Something that many buy."""


LISTS: Final[Mapping[Surface, Sequence[ListKind]]] = {
    # From each in turn.
    Surface.HOME: (ListKind.DISCOVER, ListKind.BUY_AGAIN),
    Surface.AFTER_PURCHASE: (ListKind.AFTER_PURCHASE,),
    Surface.REWARDS: (ListKind.REWARDS,),
    Surface.LETTERS: (ListKind.LETTERS,),
}


def shelf_of(kind: ListKind) -> Shelf:
    """The shelf on which the products of a list stand."""
    return Shelf.BUY_AGAIN if kind is ListKind.BUY_AGAIN else Shelf.DISCOVER


def lists_of(surface: Surface, shelf: Shelf | None) -> list[ListKind]:
    """The lists that a surface shows, all of them or those of one shelf."""
    return [kind for kind in LISTS[surface] if shelf is None or shelf_of(kind) is shelf]
