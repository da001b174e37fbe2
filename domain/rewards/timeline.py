"""What the events of this context come to in a member's timeline.

A reservation, its end and an address are steps of something else, so they come to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.members import Telling, Told
from domain.outbox import Announced

_OF_A_REWARD: Final = ("redemption", "reward", "title_zh", "title_en")


def _telling(kind: str, *facts: str) -> Callable[[Announced], Told]:
    """An item of the kind, with these facts of its event and no others."""

    def tell(event: Announced) -> Told:
        return Told(kind=kind, facts={name: event.facts[name] for name in facts})

    return tell


TIMELINE: Final[Telling] = {
    "RewardRedeemed": _telling("REWARD_REDEEMED", *_OF_A_REWARD, "quantity", "points"),
    "RedemptionShipped": _telling("REDEMPTION_SHIPPED", *_OF_A_REWARD),
    "RedemptionDelivered": _telling("REDEMPTION_DELIVERED", *_OF_A_REWARD),
    "RedemptionCancelled": _telling("REDEMPTION_CANCELLED", *_OF_A_REWARD, "points"),
    "CouponUsed": _telling("COUPON_USED", "coupon", "title_zh", "title_en", "discount_fen"),
}
