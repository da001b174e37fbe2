"""How much may be asked for in a time: what resolvers see of it.

Whoever asks takes what it costs out of a bucket that fills up again by and by. What is asked for is
taken before it runs; what it did not cost after all is put back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RateKey:
    """One bucket: `limit` names the setting that sizes it, `subject` whose it is."""

    limit: str
    subject: str

    @classmethod
    def of_secret(cls, limit: str, secret: str) -> RateKey:
        """The bucket of something that nobody may read from the key."""
        return cls(limit, hashlib.blake2b(secret.encode(), digest_size=16).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What was taken: `cost` out of the bucket `key`, in which `left` remained.

    `is_local` says that it was a bucket of this process, because the shared ones were away.
    """

    key: RateKey
    cost: int
    left: int
    restored_per_s: float
    is_local: bool = False


@dataclass(slots=True)
class Spending:
    """What an operation costs, as far as it is known, and what its caller has left."""

    requested: int | None = None
    actual: int | None = None
    left: int = 0
    restored_per_s: float = 0.0

    def of(self, charge: Charge) -> None:
        """Note what a charge left."""
        self.left, self.restored_per_s = charge.left, charge.restored_per_s

    def told(self) -> dict[str, object]:
        """The same as clients are told it."""
        restored = self.restored_per_s
        return {
            "requested": self.requested,
            "actual": self.actual,
            "budget": self.left,
            "restoreRate": int(restored) if restored.is_integer() else round(restored, 3),
        }


class RateLimited(Exception):
    """Raised when a bucket does not hold what is asked for; nothing was taken out of any."""

    def __init__(self, limit: str, *, retry_after_s: int, left: int, restored_per_s: float) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after_s = retry_after_s
        self.left = left
        self.restored_per_s = restored_per_s


class RatesUnavailable(Exception):
    """Raised when the shared buckets are away, for what no process may admit by itself."""


class Rates(Protocol):
    """The buckets of the gateway."""

    async def charge(self, key: RateKey, cost: int, *, now: datetime) -> Charge:
        """Take `cost`, out of a bucket of this process when the shared ones are away.

        Raises RateLimited.
        """

    def settle(self, charge: Charge, cost: int, *, now: datetime) -> int:
        """Put back what was taken beyond `cost`, or take what is missing; what is left then."""

    async def charge_sensitive(self, keys: Sequence[RateKey], *, now: datetime) -> None:
        """Take one out of each bucket, or nothing out of any.

        Raises RateLimited, and RatesUnavailable when the shared ones are away.
        """


class Unlimited:
    """Rates that admit everything: for schemas that are used without a server around them."""

    async def charge(self, key: RateKey, cost: int, *, now: datetime) -> Charge:
        """Take nothing."""
        return Charge(key=key, cost=cost, left=0, restored_per_s=0.0)

    def settle(self, charge: Charge, cost: int, *, now: datetime) -> int:
        """Put nothing back."""
        return charge.left

    async def charge_sensitive(self, keys: Sequence[RateKey], *, now: datetime) -> None:
        """Take nothing."""
