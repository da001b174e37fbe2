"""What partners, and staff, read of the days that were reconciled with them."""

from __future__ import annotations

from datetime import date

from domain import games
from domain.access import CallerKind
from domain.games import Difference, DownloadLink, Reconciliation
from domain.paging import Page, PageRequest
from resolvers.context import RequestContext


async def reconciliation(context: RequestContext, day: date) -> Reconciliation | None:
    """The asking partner's day."""
    return await games.find_reconciliation(context.require_account(CallerKind.PARTNER).id, day)


async def days(partner: games.Partner, page: PageRequest) -> Page[Reconciliation]:
    """A page of the partner's days, the newest first."""
    return await games.reconciliations_of(partner.account_id, page)


async def differences(reconciliation: Reconciliation, page: PageRequest) -> Page[Difference]:
    """A page of what differs on the day."""
    return await games.differences_of(reconciliation.id, page)


def download_link(context: RequestContext, reconciliation: Reconciliation) -> DownloadLink:
    """A link to the day's file."""
    keys = context.services.tokens.keys
    return games.download_link(reconciliation.id, keys=keys, now=context.now)
