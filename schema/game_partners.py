"""Partner platforms as staff takes them in, changes them, and gives them keys."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import strawberry

from domain import games
from domain.access import Scope, StaffRole
from domain.errors import InvalidInput, PartnerKeyUnknown
from domain.games import KeyKind
from resolvers import game_partners as resolvers
from resolvers import reconciliations as reconciliation_resolvers
from resolvers import webhooks as webhook_resolvers
from resolvers.game_partners import PartnerRecord
from schema.connections import After, Connection, First, KeysetList
from schema.cost import READS, STATEMENT_COST, Cost
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import parse_uuid
from schema.policies import SEES_PARTNERS, staff
from schema.reconciliations import DAYS, Reconciliation
from schema.scalars import URL, Points
from schema.webhooks import DELIVERIES, WebhookDelivery

TAKES_IN: Final = staff(StaffRole.ADMIN)
"""Who makes partners and gives them keys."""

PARTNERS = KeysetList("partners", (str,))

enum_type(KeyKind, name="PartnerKeyKind")


@object_type(policy=SEES_PARTNERS)
class PartnerKey:
    """A key of a partner. Nobody can read a secret again."""

    id: strawberry.ID
    """Its id, by which it is retired."""

    kind: KeyKind
    """What it is for."""

    public_key: str | None
    """The public key, `whpk_` and base64; null for secrets."""

    added_at: datetime
    """From when on it has counted."""

    retires_at: datetime | None
    """The first moment at which it no longer counts; null while it was not retired."""


@object_type(policy=SEES_PARTNERS)
class GamePartner:
    """A partner platform whose games give points."""

    @computed(SEES_PARTNERS)
    def code(self) -> str:
        """Its code in this programme, for ever."""
        return _partner(self).code

    @computed(SEES_PARTNERS)
    def name_zh(self) -> str:
        """What it is called in Chinese."""
        return _partner(self).name_zh

    @computed(SEES_PARTNERS)
    def name_en(self) -> str:
        """What it is called in English."""
        return _partner(self).name_en

    @computed(SEES_PARTNERS)
    def sandbox(self) -> bool:
        """Whether it only tries things out, with members whom the operator has bound to it."""
        return _partner(self).sandbox

    @computed(SEES_PARTNERS)
    def points_per_day(self) -> Points:
        """What its grants may add up to on one day of the programme."""
        return Points(_partner(self).points_per_day)

    @computed(SEES_PARTNERS)
    def points_per_member_day(self) -> Points:
        """The same for one member."""
        return Points(_partner(self).points_per_member_day)

    @computed(SEES_PARTNERS)
    def networks(self) -> list[str]:
        """From where it may call, as CIDR; empty for anywhere."""
        return list(_partner(self).networks)

    @computed(SEES_PARTNERS)
    def webhook_url(self) -> URL | None:
        """Where it is told what happened; null where it is not."""
        url = _partner(self).webhook_url
        return None if url is None else URL(url)

    @computed(SEES_PARTNERS)
    def created_at(self) -> datetime:
        """When it was taken in."""
        return _partner(self).created_at

    @computed(SEES_PARTNERS)
    def changed_at(self) -> datetime:
        """When it was last changed."""
        return _partner(self).changed_at

    @computed(SEES_PARTNERS)
    def version(self) -> int:
        """Where it stands: whoever changes it says so."""
        return _partner(self).version

    @computed(SEES_PARTNERS)
    def scopes(self) -> list[str]:
        """What it may do, in alphabetical order."""
        record: PartnerRecord = view(self)
        return sorted(record.account.grants) if record.account else []

    @computed(SEES_PARTNERS)
    def disabled_at(self) -> datetime | None:
        """Since when it has no access; null while it is enabled."""
        record: PartnerRecord = view(self)
        return record.account.disabled_at if record.account else None

    @computed(SEES_PARTNERS, cost=Cost(own=STATEMENT_COST, items=resolvers.KEYS_SHOWN))
    async def keys(self) -> list[PartnerKey] | None:
        """Its newest keys, retired ones too, the newest first."""
        found: list[PartnerKey] = view(await resolvers.keys(_partner(self)))
        return found

    @computed(SEES_PARTNERS, cost=READS)
    async def webhooks_disabled_at(self) -> datetime | None:
        """Since when nothing is sent to its address, which said that it is gone; null where it
        counts.
        """
        return await webhook_resolvers.disabled_at(_partner(self))

    @computed(SEES_PARTNERS, cost=READS)
    async def webhook_deliveries(
        self, first: First = 20, after: After = None
    ) -> Connection[WebhookDelivery] | None:
        """What it was told, the newest first."""
        request = DELIVERIES.request(first=first, after=after)
        page = await webhook_resolvers.deliveries(_partner(self), request)
        return DELIVERIES.connection(page, request)

    @computed(SEES_PARTNERS, cost=READS)
    async def reconciliations(
        self, first: First = 20, after: After = None
    ) -> Connection[Reconciliation] | None:
        """The days that were reconciled with it, the newest first."""
        request = DAYS.request(first=first, after=after)
        page = await reconciliation_resolvers.days(_partner(self), request)
        return DAYS.connection(page, request)


def _partner(value: object) -> games.Partner:
    record: PartnerRecord = view(value)
    return record.partner


@input_type()
class RegisterPartnerInput:
    """A partner platform to take in."""

    code: str
    """The merchant's own code for it, for ever."""

    name_zh: str
    """What it is called in Chinese, 1 to 100 characters."""

    name_en: str
    """What it is called in English, 1 to 100 characters."""

    points_per_day: Points
    """What its grants may add up to on one day of the programme."""

    points_per_member_day: Points
    """The same for one member."""

    scopes: list[str] | None = None
    """What it may do; left out for `rewards:write` and `rewards:read`."""

    sandbox: bool | None = False
    """Whether it only tries things out: no member can allow it, but whom the operator has bound to
    it. Its points are real."""

    networks: list[str] | None = None
    """From where it may call, as CIDR; left out for anywhere."""

    webhook_url: URL | None = None
    """Where it is told what happened."""


@input_type()
class ChangePartnerInput:
    """What to change of a partner: what is left out stays."""

    code: str
    """Which partner."""

    version: int
    """Where it stood when it was read: whoever is second is refused."""

    name_zh: str | None = strawberry.UNSET
    """What it is called in Chinese."""

    name_en: str | None = strawberry.UNSET
    """What it is called in English."""

    points_per_day: Points | None = strawberry.UNSET
    """What its grants may add up to on one day of the programme."""

    points_per_member_day: Points | None = strawberry.UNSET
    """The same for one member."""

    scopes: list[str] | None = strawberry.UNSET
    """What it may do instead of what it could."""

    sandbox: bool | None = strawberry.UNSET
    """False where it no longer only tries things out. Nobody begins to."""

    networks: list[str] | None = strawberry.UNSET
    """From where it may call; empty or null for anywhere."""

    webhook_url: URL | None = strawberry.UNSET
    """Where it is told what happened; null for nowhere."""


@input_type()
class PartnerCodeInput:
    """Which partner."""

    code: str
    """Its code."""


@input_type()
class AddPartnerKeyInput:
    """A key for a partner."""

    code: str
    """Which partner."""

    kind: KeyKind
    """What the key is for."""

    public_key: str | None = None
    """The public key that the partner handed in, `whpk_…` or PEM; left out for secrets."""


@input_type()
class RetirePartnerKeyInput:
    """A key that is to end."""

    code: str
    """Which partner."""

    key_id: strawberry.ID
    """Which key."""

    at: datetime | None = None
    """When it ends; left out for now. It can be brought forward later, never put off."""


@object_type(policy=TAKES_IN)
class RegisterPartnerPayload(Payload):
    """What taking a partner in led to."""

    partner: GamePartner | None = None
    """The partner; null when it was refused."""


@object_type(policy=TAKES_IN)
class ChangePartnerPayload(Payload):
    """What changing a partner led to."""

    partner: GamePartner | None = None
    """The partner as it is now; null when it was refused."""


@object_type(policy=TAKES_IN)
class AddPartnerKeyPayload(Payload):
    """What giving a partner a key led to."""

    key: PartnerKey | None = None
    """The key; null when it was refused."""

    secret: str | None = None
    """The secret where one was made, told this once; null otherwise."""


@object_type(policy=TAKES_IN)
class RetirePartnerKeyPayload(Payload):
    """What retiring a key led to."""

    key: PartnerKey | None = None
    """The key with its end; null when it was refused."""


@mutation(TAKES_IN)
async def register_partner(info: Info, input: RegisterPartnerInput) -> RegisterPartnerPayload:
    """Take a partner platform in. The same again changes nothing."""
    scopes = [Scope.REWARDS_WRITE, Scope.REWARDS_READ] if input.scopes is None else input.scopes
    command = games.RegisterPartner(
        code=input.code,
        name_zh=input.name_zh,
        name_en=input.name_en,
        scopes=frozenset[str](scopes),
        points_per_day=input.points_per_day,
        points_per_member_day=input.points_per_member_day,
        sandbox=bool(input.sandbox),
        networks=tuple(input.networks or ()),
        webhook_url=input.webhook_url,
    )
    made = await resolvers.register_partner(info.context, command)
    return RegisterPartnerPayload(partner=view(made))


@mutation(TAKES_IN)
async def change_partner(info: Info, input: ChangePartnerInput) -> ChangePartnerPayload:
    """Change a partner platform. What it pushed stays as it is."""
    changes, scopes = _changes(input)
    made = await resolvers.change_partner(
        info.context, input.code, version=input.version, changes=changes, scopes=scopes
    )
    return ChangePartnerPayload(partner=view(made))


@mutation(TAKES_IN)
async def disable_partner(info: Info, input: PartnerCodeInput) -> ChangePartnerPayload:
    """Take all access from a partner platform, at once: its tokens are refused for good."""
    made = await resolvers.disable_partner(info.context, input.code)
    return ChangePartnerPayload(partner=view(made))


@mutation(TAKES_IN)
async def enable_partner(info: Info, input: PartnerCodeInput) -> ChangePartnerPayload:
    """Let a disabled partner platform have tokens again."""
    made = await resolvers.enable_partner(info.context, input.code)
    return ChangePartnerPayload(partner=view(made))


@mutation(TAKES_IN)
async def add_partner_key(info: Info, input: AddPartnerKeyInput) -> AddPartnerKeyPayload:
    """Give a partner a key, beside another of its kind: two count at the most."""
    command = games.AddPartnerKey(code=input.code, kind=input.kind, public_key=input.public_key)
    added = await resolvers.add_partner_key(info.context, command)
    return AddPartnerKeyPayload(key=view(added.key), secret=added.secret)


@mutation(TAKES_IN)
async def retire_partner_key(info: Info, input: RetirePartnerKeyInput) -> RetirePartnerKeyPayload:
    """Let a key of a partner end, now or at a moment."""
    key_id = _key_id(input.key_id)
    retired = await resolvers.retire_partner_key(info.context, input.code, key_id, at=input.at)
    return RetirePartnerKeyPayload(key=view(retired))


_MAY_BE_NULL = frozenset({"networks", "webhook_url"})


def _changes(input: ChangePartnerInput) -> tuple[dict[str, Any], frozenset[str] | None]:
    """What is said, by the name of the partner's attribute, and its scopes. InvalidInput."""
    said = {
        one.name: value
        for one in fields(input)
        if (value := getattr(input, one.name)) is not strawberry.UNSET
    }
    for name in said.keys() - _MAY_BE_NULL:
        if said[name] is None:
            raise InvalidInput(field=(name,), rule="not null")
    changes = {name: value for name, value in said.items() if name in games.CHANGEABLE}
    if "networks" in changes:
        changes["networks"] = tuple(changes["networks"] or ())
    return changes, frozenset(said["scopes"]) if "scopes" in said else None


def _key_id(text: str) -> UUID:
    try:
        return parse_uuid(text)
    except ValueError:
        raise PartnerKeyUnknown(field=("key_id",)) from None
