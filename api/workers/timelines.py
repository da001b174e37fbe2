"""Which contexts tell the timelines of members what happened. A new one is added here."""

from __future__ import annotations

from typing import Final

from domain import feedback, games, ledger, members, purchases, returns, rewards, tiers
from domain.members import Telling

TELLING: Final[Telling] = {
    **members.TIMELINE,
    **ledger.TIMELINE,
    **tiers.TIMELINE,
    **purchases.TIMELINE,
    **rewards.TIMELINE,
    **returns.TIMELINE,
    **games.TIMELINE,
    **feedback.TIMELINE,
}
"""What each kind of event comes to, over all contexts."""
