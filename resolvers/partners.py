"""What shops and partners see of themselves."""

from __future__ import annotations

from domain.access import Account, CallerKind
from resolvers.context import RequestContext


async def partner(context: RequestContext) -> Account:
    """The shop or partner who asks."""
    return context.require_account(CallerKind.SHOP, CallerKind.PARTNER)
