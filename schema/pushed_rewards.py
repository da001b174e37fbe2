"""Rewards as partners push them, and what partners read of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import NAMESPACE_OID, UUID, uuid5

import strawberry

from domain import games
from domain.access import Scope
from domain.errors import ErrorCode
from domain.games import RewardItemKind, RewardStatus
from domain.members import ById, MemberRef
from resolvers import games as resolvers
from resolvers.game_events import CampaignRecord
from schema.connections import KeysetList
from schema.cost import MUTATION_COST, READS, Cost
from schema.faults import CodedError
from schema.fields import Info, argument, computed, enum_type, input_type, object_type, view
from schema.game_funnels import GameFunnel
from schema.language import spoken
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.node import decode_uuid, encode_global_id
from schema.policies import scope
from schema.scalars import Points

WRITES_REWARDS = scope(Scope.REWARDS_WRITE)
READS_REWARDS = scope(Scope.REWARDS_READ)

PARTNER_LEDGER = KeysetList("partnerLedger", (datetime, UUID))
PARTNER_CAMPAIGNS = KeysetList("partnerCampaigns", (datetime, UUID))

ExternalIds = Annotated[
    list[strawberry.ID], argument("The partner's own ids of items, 500 at most.")
]

enum_type(RewardItemKind)
enum_type(RewardStatus)


@input_type()
class RewardItemInput:
    """One reward that was won, or the reversal of one."""

    external_id: strawberry.ID
    """The partner's own id of the item: in effect once, whatever batch it comes in."""

    member: MemberReference
    """Who won; a member who allows this partner."""

    campaign_id: strawberry.ID
    """Under which campaign of the partner."""

    points: Points
    """How many points, 1 or more; of a reversal those of its grant."""

    occurred_at: datetime
    """When it happened: at most 30 days ago, and 5 minutes ahead."""

    kind: RewardItemKind
    """Whether it gives, or takes back."""

    reverses_external_id: strawberry.ID | None = None
    """The partner's own id of the grant that a reversal takes back, wholly."""

    business_reference: str | None = None
    """The partner's name of the event itself, granted once per campaign, under whatever id."""

    prize_code: str | None = None
    """The prize that was drawn."""

    disclosure_version: str | None = None
    """The disclosure under which it was drawn."""


@input_type()
class PushRewardsInput:
    """A batch of rewards."""

    batch_id: strawberry.ID
    """The partner's own id of the batch: sent again, it gives the same answer."""

    items: list[RewardItemInput]
    """1 to 500 items."""


@object_type(policy=WRITES_REWARDS)
class RewardReceipt:
    """What became of one item."""

    index: int
    """Its place in the batch, from 0."""

    external_id: strawberry.ID
    """The partner's own id of the item."""

    status: RewardStatus
    """What became of it."""

    first_status: RewardStatus | None
    """Of a duplicate, what the first receipt said."""

    code: ErrorCode | None
    """Why it was rejected; null otherwise."""

    entry_id: strawberry.ID | None
    """The id of what took effect, the first one's for a duplicate; null where nothing did."""


@object_type(policy=WRITES_REWARDS | READS_REWARDS)
class RewardCounts:
    """How many items of a batch came to what."""

    applied: int
    """Those that took effect."""

    duplicate: int
    """Those that were there before."""

    rejected: int
    """Those that were refused."""

    pending: int
    """Reversals that wait for their grants."""


@object_type(policy=WRITES_REWARDS)
class RewardBatch:
    """The answer to a batch: one receipt per item, in their order, signed."""

    id: strawberry.ID
    """The partner's own id of the batch."""

    replayed: bool
    """Whether the batch had been answered before, and this is that answer."""

    received_at: datetime
    """When it was first received."""

    receipts: list[RewardReceipt]
    """What became of each item."""

    counts: RewardCounts
    """How many came to what."""

    signature: str
    """The signature over the receipts, Ed25519 as base64."""

    key_id: str
    """The `kid` of its key in `/.well-known/jwks.json`."""


@object_type(policy=WRITES_REWARDS)
class PushRewardsPayload(Payload):
    """What pushing a batch led to."""

    batch: RewardBatch | None = None
    """The answer; null when the batch was refused whole."""


@object_type(policy=READS_REWARDS)
class RewardBatchSummary:
    """A batch that was answered."""

    id: strawberry.ID
    """The partner's own id of the batch."""

    received_at: datetime
    """When it was first received."""

    counts: RewardCounts
    """How many items came to what, as its answer said."""


@object_type(policy=READS_REWARDS)
class StandingReceipt:
    """How an item stands now, signed for itself."""

    external_id: strawberry.ID
    """The partner's own id of the item."""

    status: RewardStatus
    """How it stands."""

    code: ErrorCode | None
    """Why it was rejected; null otherwise."""

    entry_id: strawberry.ID | None
    """The id of what took effect; null where nothing did."""

    occurred_at: datetime
    """When it happened, as the partner said."""

    signature: str
    """The signature over this receipt, Ed25519 as base64."""

    key_id: str
    """The `kid` of its key in `/.well-known/jwks.json`."""


@object_type(policy=READS_REWARDS)
class PartnerLedgerLine:
    """An item that took effect, or waits to."""

    external_id: strawberry.ID
    """The partner's own id of the item."""

    kind: RewardItemKind
    """Whether it gave, or took back."""

    occurred_at: datetime
    """When it happened, as the partner said."""

    received_at: datetime
    """When it came in: its place in the ledger."""

    status: RewardStatus
    """How it stands."""

    @computed(READS_REWARDS)
    def points(self) -> Points:
        """How many points."""
        line: games.LedgerLine = view(self)
        return Points(line.points)


@object_type(policy=READS_REWARDS)
class GameBudget:
    """What a campaign may grant."""

    total: Points
    """All of it."""

    spent: Points
    """What was granted, less what was taken back."""

    left: Points
    """What is left."""


@object_type(policy=READS_REWARDS)
class PartnerGameCampaign:
    """A campaign, as its partner sees it."""

    @computed(READS_REWARDS)
    def code(self) -> str:
        """Its code with this partner."""
        return _campaign(self).code

    @computed(READS_REWARDS)
    def opens_at(self) -> datetime:
        """From when on events are rewarded."""
        return _campaign(self).opens_at

    @computed(READS_REWARDS)
    def closes_at(self) -> datetime:
        """The first moment whose events no longer are."""
        return _campaign(self).closes_at

    @computed(READS_REWARDS)
    def id(self) -> strawberry.ID:
        """The id, opaque, for `pushRewards`."""
        return encode_global_id("GameCampaign", _campaign(self).id)

    @computed(READS_REWARDS)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(_campaign(self), "title", info)

    @computed(READS_REWARDS)
    def budget(self) -> GameBudget:
        """What it may grant."""
        campaign = _campaign(self)
        return GameBudget(
            total=Points(campaign.budget),
            spent=Points(campaign.spent),
            left=Points(campaign.left),
        )

    @computed(READS_REWARDS, cost=READS)
    async def funnel(self, info: Info) -> GameFunnel | None:
        """What it came to so far: from those who came to those who bought."""
        record: CampaignRecord = view(self)
        funnel: GameFunnel = view(await record.funnel(info.context))
        return funnel


@mutation(
    WRITES_REWARDS,
    cost=Cost(own=MUTATION_COST, items="input.items", of=("batch.receipts",), each=1),
)
async def push_rewards(info: Info, input: PushRewardsInput) -> PushRewardsPayload:
    """Give members what they won, and take back what they did not. Not all or nothing."""
    campaigns = {text: _campaign_id(text) for text in {item.campaign_id for item in input.items}}
    items = [_item(item, campaigns) for item in input.items]
    batch: RewardBatch = view(
        await resolvers.push_rewards(info.context, batch_id=input.batch_id, items=items)
    )
    return PushRewardsPayload(batch=batch)


def _item(
    item: RewardItemInput, campaigns: Mapping[strawberry.ID, UUID | None]
) -> games.RewardItem:
    return games.RewardItem(
        external_id=item.external_id,
        member=_member(item.member),
        campaign=item.campaign_id,
        campaign_id=campaigns[item.campaign_id],
        points=item.points,
        occurred_at=item.occurred_at,
        kind=item.kind,
        reverses=item.reverses_external_id,
        business_reference=item.business_reference,
        prize_code=item.prize_code,
        disclosure_version=item.disclosure_version,
    )


def _member(reference: MemberReference) -> MemberRef:
    """Whom the reference names; nobody by what is no id of a member, so that the others count."""
    try:
        return reference.value(field=("member",))
    except CodedError:
        # Of a version that no member's id has; the same text is the same again.
        nobody = (reference.id or "").encode("utf-8", "replace").decode()
        return ById(uuid5(NAMESPACE_OID, nobody))


def _campaign_id(global_id: str) -> UUID | None:
    """The id of the campaign; None for what is no id of one, so that the other items count."""
    try:
        return decode_uuid(global_id, "GameCampaign")
    except CodedError:
        return None


def _campaign(value: object) -> games.GameCampaign:
    record: CampaignRecord = view(value)
    return record.campaign
