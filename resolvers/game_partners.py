"""Partner platforms as staff takes them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import access, games
from domain.access import Account
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext

KEYS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class PartnerRecord:
    """A partner with its account."""

    partner: games.Partner
    account: Account | None


async def partners_page(request: PageRequest) -> Page[PartnerRecord]:
    """A page of the partners, by code."""
    page = await games.partners_page(request)
    items = [PartnerRecord(partner, account) for partner, account in page.items]
    return Page(items=items, keys=page.keys, has_next=page.has_next)


async def find_partner(code: str) -> PartnerRecord | None:
    """The partner with this code."""
    found = await games.find_partner(code)
    return None if found is None else await record_of(found)


async def keys(partner: games.Partner) -> Sequence[games.PartnerKey]:
    """The newest keys of the partner, retired ones too."""
    return await games.newest_keys(partner.account_id, count=KEYS_SHOWN)


async def register_partner(
    context: RequestContext, command: games.RegisterPartner
) -> PartnerRecord:
    """Take a partner in, by the member of staff who asks."""
    made = await games.register_partner(command, by=context.actor(), now=context.now)
    return await record_of(made)


async def change_partner(
    context: RequestContext,
    code: str,
    *,
    version: int,
    changes: Mapping[str, Any],
    scopes: frozenset[str] | None,
) -> PartnerRecord:
    """Change a partner, by the member of staff who asks."""
    command = games.ChangePartner(code=code, version=version, changes=changes, scopes=scopes)
    made = await games.change_partner(command, by=context.actor(), now=context.now)
    return await record_of(made)


async def disable_partner(context: RequestContext, code: str) -> PartnerRecord:
    """Take all access from a partner, by the member of staff who asks."""
    return await record_of(await games.disable_partner(code, by=context.actor(), now=context.now))


async def enable_partner(context: RequestContext, code: str) -> PartnerRecord:
    """Let a partner have tokens again, by the member of staff who asks."""
    return await record_of(await games.enable_partner(code, by=context.actor(), now=context.now))


async def add_partner_key(context: RequestContext, command: games.AddPartnerKey) -> games.KeyAdded:
    """Give a partner a key, by the member of staff who asks."""
    return await games.add_partner_key(command, by=context.actor(), now=context.now)


async def retire_partner_key(
    context: RequestContext, code: str, key_id: UUID, *, at: datetime | None
) -> games.PartnerKey:
    """Let a key end, by the member of staff who asks."""
    return await games.retire_partner_key(code, key_id, at=at, by=context.actor(), now=context.now)


async def record_of(partner: games.Partner) -> PartnerRecord:
    """The partner with its account."""
    return PartnerRecord(partner, await access.find_account(partner.code))
