"""Money."""

from __future__ import annotations

from schema.fields import object_type
from schema.policies import PUBLIC
from schema.scalars import Fen


@object_type(policy=PUBLIC)
class Money:
    """An amount of money."""

    amount: Fen
    """The amount in fen, a hundredth of the currency's unit."""

    currency: str
    """The currency, ISO 4217."""
