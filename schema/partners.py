"""The root of shops and partners."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import strawberry

from domain.games import RECEIPTS_MAX
from resolvers import game_events
from resolvers import games as game_resolvers
from resolvers import partners as resolvers
from resolvers import reconciliations as reconciliation_resolvers
from resolvers import webhooks as webhook_resolvers
from schema.connections import After, Connection, First
from schema.cost import READS, STATEMENT_COST, Cost
from schema.faults import CodedError, FaultCode
from schema.fields import Info, argument, computed, object_type, view
from schema.policies import CLIENT
from schema.pushed_rewards import (
    PARTNER_CAMPAIGNS,
    PARTNER_LEDGER,
    READS_REWARDS,
    ExternalIds,
    PartnerGameCampaign,
    PartnerLedgerLine,
    RewardBatchSummary,
    StandingReceipt,
)
from schema.reconciliations import Reconciliation
from schema.webhooks import DELIVERIES, WebhookDelivery


@object_type(policy=CLIENT)
class Partner:
    """The shop or partner platform that asks."""

    code: str
    """Its code in this programme, for ever."""

    name: str
    """What people call it."""

    @computed(CLIENT)
    def scopes(self, info: Info) -> list[str]:
        """What the token that asks may do, in alphabetical order."""
        caller = info.context.caller
        return sorted(caller.scopes) if caller else []

    @computed(READS_REWARDS, cost=READS)
    async def batch(
        self, info: Info, id: Annotated[strawberry.ID, argument("The partner's own id of it.")]
    ) -> RewardBatchSummary | None:
        """The batch with this id of the partner's own; null where there is none."""
        found: RewardBatchSummary | None = view(await game_resolvers.batch(info.context, id))
        return found

    @computed(READS_REWARDS, cost=Cost(own=STATEMENT_COST, items="externalIds", each=1))
    async def receipts(self, info: Info, external_ids: ExternalIds) -> list[StandingReceipt] | None:
        """How these items stand now, in the order of the ids, each once; unknown ones are left
        out.
        """
        if len(external_ids) > RECEIPTS_MAX:
            message = f"`externalIds` may have {RECEIPTS_MAX} ids at most."
            raise CodedError(FaultCode.BAD_USER_INPUT, message, argument="externalIds")
        found: list[StandingReceipt] = view(
            await game_resolvers.receipts(info.context, external_ids)
        )
        return found

    @computed(READS_REWARDS, cost=READS)
    async def ledger(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[PartnerLedgerLine] | None:
        """What the partner pushed and took effect, or waits to, in the order of its arrival.

        A push may still be under way when a later one is here already. Who follows the ledger reads
        on from a line whose `receivedAt` was a minute ago.
        """
        request = PARTNER_LEDGER.request(first=first, after=after)
        page = await game_resolvers.partner_ledger(info.context, request)
        return PARTNER_LEDGER.connection(page, request)

    @computed(READS_REWARDS, cost=READS)
    async def campaigns(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[PartnerGameCampaign] | None:
        """The partner's campaigns with their budgets, the first to close first."""
        request = PARTNER_CAMPAIGNS.request(first=first, after=after)
        page = await game_resolvers.partner_campaigns(info.context, request)
        return PARTNER_CAMPAIGNS.connection(game_events.records_of(page), request)

    @computed(READS_REWARDS, cost=READS)
    async def reconciliation(
        self, info: Info, date: Annotated[date, argument("A day of the programme that is over.")]
    ) -> Reconciliation | None:
        """The day as it is reconciled with the partner; null until two o'clock of the next, and
        after 400 days.
        """
        found: Reconciliation | None = view(
            await reconciliation_resolvers.reconciliation(info.context, date)
        )
        return found

    @computed(READS_REWARDS, cost=READS)
    async def webhook_deliveries(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[WebhookDelivery] | None:
        """What was sent to the partner's address for webhooks, the newest first."""
        request = DELIVERIES.request(first=first, after=after)
        page = await webhook_resolvers.own_deliveries(info.context, request)
        return DELIVERIES.connection(page, request)


async def partner(info: Info) -> Partner | None:
    """The shop or partner that asks."""
    account: Partner = view(await resolvers.partner(info.context))
    return account
