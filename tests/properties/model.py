"""What the ledger should do, written down as simply as possible.

Lots never change by themselves here: what is spendable is asked of each lot for a moment. There are
no entries, no settling, no batches, and nothing is imported from the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class ModelLot:
    """Points that are spendable from `opens` until just before `closes`."""

    number: int
    left: int
    opens: datetime
    closes: datetime

    def spendable(self, now: datetime) -> int:
        return self.left if self.opens <= now < self.closes else 0

    def waiting(self, now: datetime) -> int:
        return self.left if now < self.opens and now < self.closes else 0


@dataclass(slots=True)
class Account:
    """The lots of one member."""

    lots: list[ModelLot] = field(default_factory=list)

    def available(self, now: datetime) -> int:
        return sum(lot.spendable(now) for lot in self.lots)

    def pending(self, now: datetime) -> int:
        return sum(lot.waiting(now) for lot in self.lots)

    def expiring(self, *, now: datetime, until: datetime) -> list[tuple[datetime, int]]:
        """What is spendable now and closes by `until`, summed by moment."""
        sums: dict[datetime, int] = {}
        for lot in self.lots:
            if lot.spendable(now) and lot.closes <= until:
                sums[lot.closes] = sums.get(lot.closes, 0) + lot.left
        return sorted(sums.items())

    def earn(
        self, points: int, *, effective: datetime, opens: datetime, closes: datetime, now: datetime
    ) -> int:
        """Add a lot; the available balance just after, before anything that is due follows."""
        before = self.available(now)
        at_once = opens <= effective
        self.lots.append(
            ModelLot(len(self.lots) + 1, points, effective if at_once else opens, closes)
        )
        if at_once:
            # Points that matured when they were earned may be used from then on.
            self.lots[-1].opens = min(effective, now)
            return before + points
        return before

    def redeem(self, points: int, *, now: datetime) -> int | None:
        """Take from what closes soonest; the balance after, or None where it does not suffice."""
        if self.available(now) < points:
            return None
        left = points
        for lot in sorted(self.lots, key=lambda each: (each.closes, each.number)):
            taken = min(left, lot.spendable(now))
            lot.left -= taken
            left -= taken
        assert left == 0, "the lots cover what is available"
        return self.available(now)
