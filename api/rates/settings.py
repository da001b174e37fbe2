"""How large the buckets are. The defaults are those of production.

A bucket holds `capacity` at most and is filled up by `restored_per_minute`. The first five pay for
operations, in units of cost; the others for single fields, one for each time the field runs.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field, PositiveInt

CAPACITY_MAX: Final = 100_000_000
"""The script of the shared buckets reckons in doubles, exact up to 2^53 (see `buckets`)."""


class BucketSettings(BaseModel):
    """One kind of bucket."""

    capacity: int = Field(ge=1, le=CAPACITY_MAX)
    restored_per_minute: int = Field(ge=1, le=CAPACITY_MAX)

    def __str__(self) -> str:
        """As the environment writes it."""
        return self.model_dump_json()


def _bucket(capacity: int, restored_per_minute: int) -> BucketSettings:
    return BucketSettings(capacity=capacity, restored_per_minute=restored_per_minute)


class RateSettings(BaseModel):
    """The kinds of buckets by name, and how many buckets a process holds by itself."""

    member: BucketSettings = _bucket(6_000, 7_200)
    shop: BucketSettings = _bucket(60_000, 120_000)
    partner: BucketSettings = _bucket(60_000, 120_000)
    staff: BucketSettings = _bucket(12_000, 14_400)
    address: BucketSettings = _bucket(6_000, 7_200)
    """Of an anonymous caller's address; bad tokens and signatures are paid for by it, too."""

    sign_in: BucketSettings = _bucket(300, 120)
    """Sign-ins from one address, behind which there may be many people."""

    refresh: BucketSettings = _bucket(600, 600)
    """Refreshes from one address."""

    refresh_token: BucketSettings = _bucket(5, 10)
    """Refreshes with one token, which is good once."""

    transfer: BucketSettings = _bucket(120, 60)
    """Transfers of points from one address: they tell whether a member has the id that is tried."""

    sign_in_code: BucketSettings = _bucket(60, 20)
    """Sign-in codes asked for from one address."""

    sign_in_code_device: BucketSettings = _bucket(10, 1)
    """The same from one device, where the client names it."""

    phone_sign_in: BucketSettings = _bucket(120, 60)
    """Sign-ins with a phone, each a guess at a code, from one address."""

    phone_sign_in_device: BucketSettings = _bucket(20, 5)
    """The same from one device, where the client names it."""

    bind_phone: BucketSettings = _bucket(60, 20)
    """Phones bound from one address."""

    email_code: BucketSettings = _bucket(60, 20)
    """Codes sent to e-mail addresses, asked for from one address of the network."""

    confirm_email: BucketSettings = _bucket(120, 60)
    """E-mail addresses confirmed, each a guess at a code, from one address of the network."""

    partner_token: BucketSettings = _bucket(60, 60)
    """Tokens that partners ask for from one address."""

    held_max: PositiveInt = 10_000

    def bucket(self, limit: str) -> BucketSettings:
        """The kind of bucket with this name. Raises LookupError."""
        found = getattr(self, limit, None)
        if not isinstance(found, BucketSettings):
            raise LookupError(limit)
        return found


DEVELOPMENT: Final[dict[str, dict[str, int]]] = {
    "member": {"capacity": 10_000, "restored_per_minute": 30_000},
    "shop": {"capacity": 200_000, "restored_per_minute": 600_000},
    "partner": {"capacity": 200_000, "restored_per_minute": 600_000},
    "staff": {"capacity": 20_000, "restored_per_minute": 60_000},
    "address": {"capacity": 50_000, "restored_per_minute": 600_000},
    "sign_in": {"capacity": 2_000, "restored_per_minute": 6_000},
    "refresh": {"capacity": 2_000, "restored_per_minute": 6_000},
    "transfer": {"capacity": 2_000, "restored_per_minute": 6_000},
    "sign_in_code": {"capacity": 2_000, "restored_per_minute": 6_000},
    "phone_sign_in": {"capacity": 2_000, "restored_per_minute": 6_000},
    "bind_phone": {"capacity": 2_000, "restored_per_minute": 6_000},
    "email_code": {"capacity": 2_000, "restored_per_minute": 6_000},
    "confirm_email": {"capacity": 2_000, "restored_per_minute": 6_000},
    "partner_token": {"capacity": 2_000, "restored_per_minute": 6_000},
}
"""What development has instead: one machine plays all callers there, also two hundred at once."""


def with_development_rates(given: dict[str, Any]) -> dict[str, Any]:
    """Rate settings as given, what is left out being that of development."""
    merged: dict[str, Any] = dict(given)
    for name, defaults in DEVELOPMENT.items():
        bucket = given.get(name, {})
        merged[name] = {**defaults, **bucket} if isinstance(bucket, dict) else bucket
    return merged
