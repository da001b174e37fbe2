"""The audit of the ledger, as staff asks for it."""

from __future__ import annotations

from domain import ledger
from domain.ledger import LedgerAudit
from resolvers.context import RequestContext


async def ledger_audit(context: RequestContext) -> LedgerAudit:
    """Audit now, as far as the time of the request goes; that somebody did is recorded."""
    return await ledger.audit_by_hand(
        by=context.actor(), now=context.now, within_s=context.services.audit_within_s
    )
