"""What the edge asks about a partner that calls: from where it may, and the keys that count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.games.partner_keys import PartnerKey, key_of_row
from domain.games.partner_terms import is_inside
from domain.games.partners import Partner, partner_of_row
from domain.storage import fetch_all

_GUARD = """
    SELECT partner.*, partner_key.id, partner_key.kind, partner_key.material, partner_key.added_at,
           partner_key.retires_at
    FROM partner LEFT JOIN partner_key ON partner_key.account_id = partner.account_id
        AND (partner_key.retires_at IS NULL OR partner_key.retires_at > $2)
    WHERE partner.account_id = $1
"""


@dataclass(frozen=True, slots=True)
class PartnerGuard:
    """A partner with the keys that count now; without a partner, an account that was not taken in.

    Such an account may read, from anywhere: it has no keys to sign with.
    """

    partner: Partner | None = None
    keys: tuple[PartnerKey, ...] = ()

    def admits(self, address: str) -> bool:
        """Whether the partner may call from this address."""
        return self.partner is None or is_inside(address, self.partner.networks)


async def partner_guard(account_id: UUID, *, now: datetime) -> PartnerGuard:
    """The guard of the partner with this account, in one statement."""
    rows = await fetch_all(_GUARD, account_id, now)
    if not rows:
        return PartnerGuard()
    keys = tuple(key_of_row(row) for row in rows if row["id"] is not None)
    return PartnerGuard(partner_of_row(rows[0]), keys)
