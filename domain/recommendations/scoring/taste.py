"""What scoring knows of a member, and of the products that may be shown."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """A member's signals up to a moment. Products and themes are named by their codes.

    `bought` has the number of distinct orders, net of refunds, in which each product is, at least
    1 each; `redeemed` what points were redeemed for; `newest_order` the products, net, of the
    newest order that has any: all of them are in `bought`.
    `declared` are the themes that the member chose; `browsed` the number of distinct events of
    behaviour about each theme. `not_interested` is never listed; products of a level above
    `level_rank` neither.
    """

    bought: Mapping[str, int] = field(default_factory=dict)
    redeemed: Collection[str] = _NONE
    newest_order: Collection[str] = _NONE
    declared: Collection[str] = _NONE
    browsed: Mapping[str, int] = field(default_factory=dict)
    not_interested: Collection[str] = _NONE
    level_rank: int = 0

    def history(self) -> set[str]:
        """H: what the member has, bought or redeemed points for."""
        return {*self.bought, *self.redeemed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The products that may be shown at all, by code.

    `active` are those on sale; `level_ranks` the least rank of a level that sees a product, of
    those alone that not everybody sees; `rewards` what rewards on offer give; `introduced` what was
    introduced lately. What is not active is in no list, whatever else names it.
    """

    active: Collection[str]
    level_ranks: Mapping[str, int] = field(default_factory=dict)
    rewards: Collection[str] = _NONE
    introduced: Collection[str] = _NONE
