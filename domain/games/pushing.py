"""Pushing rewards: batches from partners, in effect once, whatever is sent again.

Lock, replay, read, decide (pure), post, write, announce: one transaction, a fixed number of
statements whatever the size of the batch. Members come first, then their accounts, their bindings
and the items; the budgets of the campaigns and the partner's day come last, so that batches wait
for one another for the length of a commit only. What is left of a budget is looked at before and
checked under its lock at the end: whoever finds less then decides again, under the lock this time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from domain.access import KeyRing
from domain.errors import IdempotencyConflict, InvalidInput, Refusal
from domain.games.campaigns import campaigns_by_ids
from domain.games.item_store import (
    firsts_of,
    grants_of_day,
    grants_of_events,
    items_of,
    payers_of,
    write_items,
)
from domain.games.naming import Named, lock_bound
from domain.games.partners import Partner
from domain.games.push_decisions import Caps, Deciding
from domain.games.receipts import (
    RewardBatch,
    batch_told,
    counts_of,
    receipts_of,
    receipts_to_json,
    replayed_batch,
    sign,
)
from domain.games.reward_items import (
    ITEMS_MAX,
    Candidate,
    KeptItem,
    RewardItem,
    RewardStatus,
    batch_digest,
    candidates_of,
)
from domain.games.settling import settle
from domain.games.spending import BudgetMoved, day_points, lock_spending, spend
from domain.games.telling import told_effects, told_rejections
from domain.ledger import Books, Earn, Source, TakeBack, post
from domain.outbox import announce
from domain.program import Programme, program
from domain.storage import Row, TransactionContended, execute, fetch_one, transaction
from domain.texts import clean_text

SOURCE_KIND: Final = "game"
_BATCH_ID_CHARACTERS_MAX: Final = 128
_TRIES_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRewards:
    """Apply the items of one batch of the partner."""

    partner: Partner
    batch_id: str
    items: Sequence[RewardItem]


async def push_rewards(command: PushRewards, *, keys: KeyRing, now: datetime) -> RewardBatch:
    """Apply a batch of 1 to 500 items, not all or nothing: one receipt per item, in order.

    A batch id that was used before gives its stored answer again; with other content it is refused
    whole (IdempotencyConflict). Refused with InvalidInput where the batch itself breaks a rule.
    """
    clean_text(
        command.batch_id,
        field=("batch_id",),
        characters_min=1,
        characters_max=_BATCH_ID_CHARACTERS_MAX,
    )
    if not 1 <= len(command.items) <= ITEMS_MAX:
        raise InvalidInput(field=("items",), rule=f"1 to {ITEMS_MAX} items")
    candidates = candidates_of(command.items)
    for attempt in range(_TRIES_MAX):
        push = _Push(command, candidates, keys=keys, locks_budgets=attempt > 0, now=now)
        try:
            batch = await transaction(push.run)
        except BudgetMoved:
            continue
        await settle(command.partner, batch, now=now)
        return batch
    raise TransactionContended("others kept spending from the same budgets")


@dataclass(frozen=True, slots=True)
class _Push:
    """One try to apply a batch; run again from its beginning where it lost a race."""

    command: PushRewards
    candidates: Sequence[Candidate]
    keys: KeyRing
    locks_budgets: bool
    now: datetime

    async def run(self) -> RewardBatch:
        """The answer, in the caller's transaction."""
        partner_id, batch_id = self.command.partner.account_id, self.command.batch_id
        sound = [one for one in self.candidates if one.texts_are_sound]
        reversed_ids = sorted({one.item.reverses for one in sound if one.item.reverses})
        named = await lock_bound(
            partner_id,
            [one.item.member for one in sound],
            others=await payers_of(partner_id, reversed_ids),
            now=self.now,
        )
        digest = batch_digest(self.candidates)
        external_ids = [one.item.external_id for one in self.candidates]
        earlier = await fetch_one(
            "SELECT * FROM reward_batch WHERE partner_id = $1 AND batch_id = $2",
            *(partner_id, batch_id),
        )
        if earlier is not None:
            return _replay(earlier, external_ids, digest=digest)
        programme = await program()
        deciding = await self._read(sound, named, programme)
        answers = deciding.decide(self.candidates)
        await self._post(deciding, named.books, programme)
        await write_items(deciding.changed.values())
        receipts = receipts_of(external_ids, answers)
        told = batch_told(self.command.partner.code, batch_id, receipts)
        signed = sign(told, keys=self.keys)
        await execute(
            "INSERT INTO reward_batch (partner_id, batch_id, digest, received_at, receipts,"
            " signature, key_id) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            *(partner_id, batch_id, digest, self.now, receipts_to_json(receipts)),
            *(signed.signature, signed.key_id),
        )
        refused = [one for one in deciding.changed.values() if one.code is not None]
        partner = self.command.partner
        effects = told_effects(deciding.grants, deciding.reversals, partner=partner)
        await announce([*effects, *told_rejections(refused, partner=partner)], now=self.now)
        await spend(
            partner_id,
            deciding.day,
            budgets=_spent(deciding),
            granted=sum(one.points for one in deciding.grants),
            cap=self.command.partner.points_per_day,
        )
        return RewardBatch(
            id=batch_id,
            replayed=False,
            received_at=self.now,
            receipts=receipts,
            counts=counts_of([one.status for one in receipts]),
            signature=signed.signature,
            key_id=signed.key_id,
        )

    async def _read(
        self, sound: Sequence[Candidate], named: Named, programme: Programme
    ) -> Deciding:
        """What stands, under the locks."""
        partner = self.command.partner
        day = self.now.astimezone(programme.zone).date()
        asked = {one.item.external_id for one in sound}
        asked |= {one.item.reverses for one in sound if one.item.reverses}
        kept, waiting = await items_of(partner.account_id, sorted(asked))
        aimed_at = {one.item.reverses for one in sound} | waiting.keys()
        repeated = [one for one in kept.values() if one.status is RewardStatus.DUPLICATE]
        firsts = await firsts_of([one for one in repeated if one.external_id in aimed_at])
        campaign_ids = {one.item.campaign_id for one in sound if one.item.campaign_id}
        if self.locks_budgets:
            await lock_spending(partner.account_id, day, campaign_ids)
        campaigns = await campaigns_by_ids(campaign_ids)
        references = {one.item.business_reference for one in sound if one.item.business_reference}
        events = await grants_of_events(campaigns, references)
        # Whatever an item was found by, it is one object: what is changed in it counts for all.
        one_each = {
            one.id: one for one in kept.values() if one.status is not RewardStatus.DUPLICATE
        }
        return Deciding(
            partner_id=partner.account_id,
            batch_id=self.command.batch_id,
            now=self.now,
            day=day,
            members={one.index: who for one, who in zip(sound, named.members, strict=True)},
            standings=named.standings,
            campaigns=campaigns,
            kept=kept,
            waiting=waiting,
            events={event: one_each.setdefault(one.id, one) for event, one in events.items()},
            firsts={first: one_each.setdefault(first, one) for first, one in firsts.items()},
            caps=await self._caps(day, {one for one in named.members if one is not None}),
            budgets={one.id: one.left for one in campaigns.values()},
        )

    async def _caps(self, day: date, member_ids: set[UUID]) -> Caps:
        partner = self.command.partner
        of_campaigns = await grants_of_day(partner.account_id, day, member_ids)
        of_members: dict[UUID, int] = {}
        for (member_id, _), points in of_campaigns.items():
            of_members[member_id] = of_members.get(member_id, 0) + points
        return Caps(
            partner_left=partner.points_per_day - await day_points(partner.account_id, day),
            member_day=partner.points_per_member_day,
            of_members=of_members,
            of_campaigns=of_campaigns,
        )

    async def _post(self, deciding: Deciding, books: Books, programme: Programme) -> None:
        """Post the grants, then what is taken back; what the ledger refuses did not happen."""
        earns = [self._earn(one, deciding, programme) for one in deciding.grants]
        posted = await post(earns, now=self.now, books=books)
        for grant, outcome in zip([*deciding.grants], posted, strict=True):
            if isinstance(outcome, Refusal):
                deciding.grants.remove(grant)
                deciding.withdraw_grant(grant, outcome.code)
            else:
                grant.paid_to, grant.entry_seq = outcome.member_id, outcome.seq
        pairs = [*deciding.reversals]
        taken = await post([self._take_back(*pair) for pair in pairs], now=self.now)
        for (reversal, grant), outcome in zip(pairs, taken, strict=True):
            if isinstance(outcome, Refusal):
                deciding.reversals.remove((reversal, grant))
                deciding.withdraw_reversal(reversal, grant, outcome.code)
            else:
                reversal.paid_to, reversal.entry_seq = outcome.member_id, outcome.seq

    def _earn(self, grant: KeptItem, deciding: Deciding, programme: Programme) -> Earn:
        assert grant.member_id is not None
        assert grant.campaign_id is not None
        campaign = deciding.campaigns[grant.campaign_id]
        # What a clock ahead of ours says is no moment that anything can have happened at.
        happened_at = min(grant.occurred_at, self.now)
        matures_at, expires_at = campaign.lifetime(happened_at, programme.zone)
        return Earn(
            member_id=grant.member_id,
            points=grant.points,
            source=self._source(grant),
            effective_at=happened_at,
            matures_at=matures_at,
            expires_at=expires_at,
        )

    def _take_back(self, reversal: KeptItem, grant: KeptItem) -> TakeBack:
        assert grant.paid_to is not None
        assert grant.entry_seq is not None
        return TakeBack(
            member_id=grant.paid_to,
            entry_seq=grant.entry_seq,
            points=grant.points,
            source=self._source(reversal),
        )

    def _source(self, kept: KeptItem) -> Source:
        code = self.command.partner.code
        return Source(kind=SOURCE_KIND, reference=f"{code}:{kept.external_id}")


def _replay(earlier: Row, external_ids: Sequence[str], *, digest: str) -> RewardBatch:
    if earlier["digest"] != digest:
        raise IdempotencyConflict(
            field=("batch_id",), key=earlier["batch_id"], differing=("items",)
        )
    return replayed_batch(earlier, external_ids)


def _spent(deciding: Deciding) -> Mapping[UUID, int]:
    """What the batch takes from each budget; less than nothing where more came back."""
    spent: dict[UUID, int] = {}
    for sign_of, items in (
        (1, deciding.grants),
        (-1, [reversal for reversal, _ in deciding.reversals]),
    ):
        for one in items:
            assert one.campaign_id is not None
            spent[one.campaign_id] = spent.get(one.campaign_id, 0) + sign_of * one.points
    return spent
