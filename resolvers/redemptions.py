"""Redemptions: of the member who asks, and those that staff sends; addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from domain import ledger, rewards
from domain.paging import Page, PageRequest
from domain.rewards import Redemption, RedemptionStatus
from resolvers.context import RequestContext
from resolvers.ledger import EntryRecord, record_of, records
from resolvers.once import Once
from resolvers.owning import own_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionRecord(Redemption):
    """A redemption with those that were read with it, whose coupons and entries are read together.

    `together` tells of each by its id in whose journal which entry paid for it.
    """

    together: Mapping[UUID, tuple[UUID, int]] = field(default_factory=dict, compare=False)
    once: Once = field(default_factory=Once, compare=False)

    async def coupons(self, *, now: datetime) -> Sequence[rewards.Coupon]:
        """The coupons that it gave."""
        found = await self.once.read(
            "coupons", lambda: rewards.coupons_of(self.member_id, self.together, now=now)
        )
        return found[self.id]

    async def entry(self) -> EntryRecord | None:
        """The entry that paid for it."""
        found = await self.once.read(f"entries of {self.paid_by}", self._entries)
        return found.get(self.entry_seq)

    async def _entries(self) -> Mapping[int, EntryRecord]:
        seqs = [seq for payer, seq in self.together.values() if payer == self.paid_by]
        found = await ledger.entries_of(self.paid_by, seqs)
        return {one.seq: one for one in records([*found.values()])}


_FIELDS = tuple(one.name for one in fields(Redemption))


def redemption_records(found: Sequence[Redemption]) -> list[RedemptionRecord]:
    """Redemptions of one member, which are read together."""
    together, once = {one.id: (one.paid_by, one.entry_seq) for one in found}, Once()
    return [
        RedemptionRecord(
            **{name: getattr(one, name) for name in _FIELDS}, together=together, once=once
        )
        for one in found
    ]


def _alone(found: Redemption) -> RedemptionRecord:
    [record] = redemption_records([found])
    return record


async def redemptions(member_id: UUID, page: PageRequest) -> Page[RedemptionRecord]:
    """A page of the member's redemptions, newest first."""
    found = await rewards.redemptions(member_id, page)
    return Page(items=redemption_records(found.items), keys=found.keys, has_next=found.has_next)


async def redemption_node(
    context: RequestContext, key: tuple[UUID, UUID]
) -> RedemptionRecord | None:
    """The redemption with this key, when it is the caller's own."""
    member_id, redemption_id = key
    # A redemption goes over with its member's record.
    mine = await own_id(context, member_id)
    if mine is None:
        return None
    found = await rewards.redemption(mine, redemption_id=redemption_id)
    return None if found is None else _alone(found)


async def redeem_reward(context: RequestContext, command: rewards.RedeemReward) -> RedemptionRecord:
    """Spend points on a reward."""
    return _alone(await rewards.redeem_reward(command, now=context.now))


async def cancel_redemption(
    context: RequestContext, command: rewards.CancelRedemption
) -> RedemptionRecord:
    """Take a redemption back."""
    in_force = context.services.reward_rules
    made = await rewards.cancel_redemption(command, rules_in_force=in_force, now=context.now)
    return _alone(made)


async def entry_back(found: Redemption) -> EntryRecord | None:
    """The entry that gave the points of a cancelled redemption back."""
    if found.given_back_seq is None:
        return None
    entry = await ledger.entry(found.paid_by, seq=found.given_back_seq)
    return None if entry is None else record_of(entry)


async def set_redemption_address(
    context: RequestContext, redemption_id: UUID, *, address_id: UUID
) -> RedemptionRecord:
    """Say where a gift is to be sent."""
    found = await rewards.set_redemption_address(
        context.require_member(),
        redemption_id=redemption_id,
        address_id=address_id,
        now=context.now,
    )
    return _alone(found)


async def addresses(member_id: UUID) -> Sequence[rewards.Address]:
    """The member's addresses, newest first."""
    return await rewards.addresses(member_id)


async def add_address(context: RequestContext, command: rewards.AddAddress) -> rewards.Address:
    """Keep another address."""
    return await rewards.add_address(command, now=context.now)


async def remove_address(context: RequestContext, address_id: UUID) -> UUID:
    """Forget an address of the member who asks."""
    return await rewards.remove_address(
        context.require_member(), address_id=address_id, now=context.now
    )


async def queue(
    context: RequestContext, page: PageRequest, *, status: RedemptionStatus
) -> Page[Redemption]:
    """A page of the redemptions that stand so, oldest first; the look is recorded."""
    return await rewards.redemption_queue(page, status=status, by=context.actor(), now=context.now)


async def ship_redemption(context: RequestContext, command: rewards.ShipRedemption) -> Redemption:
    """Note that a gift was handed to a carrier."""
    return await rewards.ship_redemption(command, by=context.actor(), now=context.now)


async def deliver_redemption(
    context: RequestContext, member_id: UUID, *, redemption_id: UUID
) -> Redemption:
    """Note that a gift has arrived."""
    return await rewards.deliver_redemption(
        member_id, redemption_id=redemption_id, by=context.actor(), now=context.now
    )
