"""Perks: what a level gives, how often it may still be used, and its uses."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import errors, tiers
from domain.tiers import Period, PerkKind, ServiceLevel
from resolvers import perks as resolvers
from schema.connections import KeysetList
from schema.errors import UserError, tells
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.language import spoken
from schema.mutations import Payload, mutation
from schema.node import decode_own_uuid, decode_uuid, encode_global_id
from schema.notes import SERVES
from schema.policies import OWNER, PUBLIC, SEES_MEMBERS
from schema.scalars import Fen

READERS = OWNER | SEES_MEMBERS
"""Who reads a member's level and its perks: the member, and staff who looked the member up."""

USERS = OWNER | SERVES
"""Who reads uses: the member, and those who serve members."""

USES = KeysetList("perk-uses", (datetime, UUID))

enum_type(PerkKind)
enum_type(Period, name="PerkPeriod")
enum_type(ServiceLevel)


@object_type(policy=READERS)
class Perk:
    """What the member's level gives."""

    code: str
    """The merchant's own code, stable."""

    value: str
    """How much or what, to be read by `kind`."""

    quota: int | None
    """How often it may be used per `period`, at whatever level; null for no limit."""

    remaining: int | None
    """How often it may still be used; null for no limit."""

    resets_at: datetime | None
    """When `remaining` is full again; null for no limit, and while a birthday is not known."""

    @computed(READERS)
    def id(self) -> strawberry.ID:
        """The id, opaque, for `usePerk`."""
        return encode_global_id("Perk", _perk(self).id)

    @computed(READERS)
    def kind(self) -> PerkKind:
        """What it gives."""
        return PerkKind(_perk(self).kind)

    @computed(READERS)
    def period(self) -> Period | None:
        """After what the quota is full again; null for no limit."""
        period = _perk(self).period
        return None if period is None else Period(period)

    @computed(READERS)
    def title(self, info: Info) -> str:
        """What it is called."""
        return spoken(self, "title", info)

    @computed(READERS)
    def description(self, info: Info) -> str:
        """What it means for the member."""
        return spoken(self, "description", info)

    @computed(READERS)
    def pay_permille(self) -> int | None:
        """What remains to pay, in thousandths, of a DISCOUNT; null for other kinds."""
        value = _value(self)
        return value.pay_permille if isinstance(value, tiers.Discount) else None

    @computed(READERS)
    def factor_permille(self) -> int | None:
        """What points are multiplied by, in thousandths, of an EARNING_MULTIPLIER; else null."""
        value = _value(self)
        return value.permille if isinstance(value, tiers.EarningMultiplier) else None

    @computed(READERS)
    def amount_min(self) -> Fen | None:
        """The least amount of an order of a FREE_SHIPPING, 0 for any; null for other kinds."""
        value = _value(self)
        return Fen(value.amount_min_fen) if isinstance(value, tiers.FreeShipping) else None

    @computed(READERS)
    def within_hours(self) -> int | None:
        """Within how many hours an order is sent, of a FASTER_SHIPPING; null for other kinds."""
        value = _value(self)
        return value.hours if isinstance(value, tiers.FasterShipping) else None

    @computed(READERS)
    def service_level(self) -> ServiceLevel | None:
        """How service treats the member, of a SERVICE_LEVEL; null for other kinds."""
        value = _value(self)
        return value.level if isinstance(value, tiers.Service) else None


def _perk(value: object) -> tiers.PerkStanding:
    perk: tiers.PerkStanding = view(value)
    return perk


def _value(value: object) -> tiers.PerkValue | None:
    perk = _perk(value)
    return tiers.value_of(perk.kind, perk.value)


@object_type(policy=USERS)
class PerkUse:
    """One use of a perk."""

    reference: str | None
    """For which order or visit, as the client called it; null where it did not say."""

    used_at: datetime
    """When it was used."""

    cancelled_at: datetime | None
    """When staff gave it back, so that it counts no more; null while it counts."""

    @computed(USERS)
    def id(self) -> strawberry.ID:
        """The id, opaque, for `cancelPerkUse`."""
        return encode_global_id("PerkUse", _use(self).key)

    @computed(USERS)
    def code(self) -> str:
        """The merchant's own code of the perk."""
        return _use(self).perk_code

    @computed(USERS)
    def title(self, info: Info) -> str:
        """What the perk was called when it was used."""
        return spoken(self, "title", info)


def _use(value: object) -> tiers.PerkUse:
    use: tiers.PerkUse = view(value)
    return use


@tells(errors.PerkQuotaUsed)
@object_type(policy=PUBLIC)
class PerkQuotaUsed(UserError):
    """The perk was used as often as it may be for now."""

    resets_at: datetime
    """When its quota is full again."""


@input_type()
class UsePerkInput:
    """Which perk to use."""

    perk_id: strawberry.ID
    """The perk, one of the member's level."""

    reference: str | None = None
    """For which order or visit: 1 to 128 characters of the client's choice."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class CancelPerkUseInput:
    """Which use to give back."""

    use_id: strawberry.ID
    """The use."""

    reason: str
    """Why: 1 to 256 characters."""


@object_type(policy=OWNER)
class UsePerkPayload(Payload):
    """What using a perk led to."""

    use: PerkUse | None = None
    """The use; null when it was refused."""

    perk: Perk | None = None
    """The perk with what is left of it; null when it was refused, or is no longer defined."""


@object_type(policy=SERVES)
class CancelPerkUsePayload(Payload):
    """What giving a use back led to."""

    use: PerkUse | None = None
    """The use, which counts no more; null when it was refused."""


@mutation(OWNER)
async def use_perk(info: Info, input: UsePerkInput) -> UsePerkPayload:
    """Use a perk of one's level, once for each key and never more often than its quota."""
    command = tiers.UsePerk(
        member_id=info.context.require_member(),
        perk_id=decode_uuid(input.perk_id, "Perk"),
        reference=input.reference,
        idempotency_key=input.idempotency_key,
    )
    used = await resolvers.use_perk(info.context, command)
    return UsePerkPayload(use=view(used.use), perk=view(used.perk))


@mutation(SERVES)
async def cancel_perk_use(info: Info, input: CancelPerkUseInput) -> CancelPerkUsePayload:
    """Give a use of a perk back, so that its quota has it again; again, it changes nothing."""
    member_id, use_id = decode_own_uuid(input.use_id, "PerkUse")
    command = tiers.CancelPerkUse(member_id=member_id, use_id=use_id, reason=input.reason)
    return CancelPerkUsePayload(use=view(await resolvers.cancel_perk_use(info.context, command)))
