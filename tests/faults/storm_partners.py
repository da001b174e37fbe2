"""The partners of a storm: keys that sign, campaigns with limits that bind, members they share."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4, uuid5

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain import access, games, members
from domain.access import AccessTokens, KeyRing
from domain.games import AddPartnerKey, DefineGameCampaign, KeyKind, Partner, RegisterPartner
from domain.members import ByExternalReference, PhoneKeyFile
from tests.domain.access.fixtures import OPERATOR
from tests.faults.storm_plans import (
    MEMBERS_OF_A_PARTNER,
    POINTS_PER_ITEM,
    Plan,
    Planned,
    Stage,
    Who,
    plan_of,
)
from tests.faults.town import A_DAY, ISSUER, Town
from tests.graphql.gateway import global_id
from tests.graphql.operations import operation
from tests.graphql.partners import SCOPES, ed25519_signature, hmac_signature, public_text
from tests.graphql.programme import set_up_programme

PEOPLE: Final = 200
PLENTY: Final = 10**12
BINDS: Final = 0.6
"""A limit that binds is so much of what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pusher:
    """One partner: what it pushes, for whom, and how it signs."""

    partner: Partner
    plan: Plan
    token: str = field(repr=False)
    people: Sequence[UUID]
    refs: Sequence[str]
    stranger: UUID
    campaigns: Mapping[Stage, UUID]
    private: Ed25519PrivateKey | None = field(repr=False)
    secret: str | None = field(repr=False)

    @property
    def has_wide_day(self) -> bool:
        """Whether the partner's own cap of the day is out of reach."""
        return self.partner.points_per_day == PLENTY

    def member_of(self, item: Planned) -> UUID:
        """Whom the item names; a new id where it names nobody."""
        match item.member:
            case Who.STRANGER:
                return self.stranger
            case Who.NOBODY:
                return uuid5(self.stranger, item.external_id)
            case place:
                return self.people[place]

    def input_of(self, batch_id: str) -> dict[str, Any]:
        """The input of the mutation."""
        items = [self._item(one) for one in self.plan.batches[batch_id]]
        return {"batchId": batch_id, "items": items}

    def _item(self, one: Planned) -> dict[str, Any]:
        member = (
            {"id": global_id("Member", self.member_of(one))}
            if isinstance(one.member, Who) or one.by_id
            else {"memberRef": self.refs[one.member]}
        )
        return {
            "externalId": one.external_id,
            "member": member,
            "campaignId": global_id("GameCampaign", self.campaigns[one.stage]),
            "points": one.points,
            "occurredAt": one.occurred_at.isoformat(),
            "kind": "GRANT" if one.reverses is None else "REVERSAL",
            "reversesExternalId": one.reverses,
            "businessReference": one.event,
        }

    def request(self, name: str, variables: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """The body and the headers of one request, signed now."""
        body = orjson.dumps({"query": operation(name), "variables": variables})
        message_id, stamp = f"msg_{uuid4()}", str(int(datetime.now(UTC).timestamp()))
        signed = f"{message_id}.{stamp}.".encode() + body
        if self.private is not None:
            signature = ed25519_signature(self.private, signed)
        else:
            assert self.secret is not None
            signature = hmac_signature(self.secret, signed)
        return body, {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairground:
    """Everybody, and what a gateway is started with."""

    town: Town
    keys: KeyRing
    people: Sequence[UUID]
    pushers: Sequence[Pusher]


async def open_fairground(
    database_url: str, folder: Path, *, partners: int, batches: int, size: int
) -> Fairground:
    """Build it in an empty database, to which this process is connected; keys into the folder."""
    now = datetime.now(UTC)
    phone_keys = folder / "phone-keys.json"
    members.use_phone_keys(PhoneKeyFile(phone_keys, now=now, create_missing=True))
    keys = KeyRing(folder / "keys.json", now=now, create_missing=True)
    await set_up_programme(now=now)
    references = [ByExternalReference(f"player-{number}") for number in range(PEOPLE)]
    joined = dict(await members.register_external_members(references, now=now))
    people = list(joined.values())
    pushers = [
        await _open_pusher(
            number,
            plan_of(number, batches=batches, size=size, now=now),
            people,
            tokens=AccessTokens(keys, ISSUER),
            now=now,
        )
        for number in range(partners)
    ]
    town = Town(
        database_url=database_url,
        keys=folder / "keys.json",
        members=people,
        member_tokens=[],
        shop_token="",
        signed_out_token="",
    )
    return Fairground(town=town, keys=keys, people=people, pushers=pushers)


async def _open_pusher(
    number: int, plan: Plan, people: Sequence[UUID], *, tokens: AccessTokens, now: datetime
) -> Pusher:
    asked = sum(one.points for _, _, one in plan.items if one.reverses is None)
    command = RegisterPartner(
        code=f"partner-{number}",
        name_zh="转盘乐园",
        name_en="Wheel Park",
        scopes=SCOPES,
        points_per_day=int(asked * BINDS) if number % 5 == 0 else PLENTY,
        points_per_member_day=PLENTY,
    )
    partner = await games.register_partner(command, by=OPERATOR, now=now)
    mine = random.Random(number).sample(people, MEMBERS_OF_A_PARTNER + 1)
    refs = [await games.bind_member(partner.account_id, one, now=now) for one in mine[:-1]]
    private = Ed25519PrivateKey.generate() if number % 2 else None
    kind = KeyKind.HMAC if private is None else KeyKind.ED25519
    public = None if private is None else public_text(private)
    added = await games.add_partner_key(
        AddPartnerKey(code=partner.code, kind=kind, public_key=public), by=OPERATOR, now=now
    )
    token, _ = await access.issue_token(
        partner.code, by=OPERATOR, tokens=tokens, now=now, ttl=A_DAY
    )
    return Pusher(
        partner=partner,
        plan=plan,
        token=token,
        people=mine[:-1],
        refs=refs,
        stranger=mine[-1],
        campaigns={one: await _open_stage(partner.code, one, plan, now=now) for one in Stage},
        private=private,
        secret=added.secret,
    )


async def _open_stage(partner: str, stage: Stage, plan: Plan, *, now: datetime) -> UUID:
    """A campaign with the limit that makes it what it is."""
    asked = {
        (one.external_id, one.points)
        for _, _, one in plan.items
        if one.stage is stage and one.reverses is None
    }
    binding = max(int(sum(points for _, points in asked) * BINDS), POINTS_PER_ITEM)
    of_a_member = max(binding // MEMBERS_OF_A_PARTNER, POINTS_PER_ITEM)
    command = DefineGameCampaign(
        partner_code=partner,
        code=stage.value,
        title_zh="大转盘",
        title_en="Lucky wheel",
        opens_at=now - timedelta(days=60),
        closes_at=now - A_DAY if stage is Stage.CLOSED else now + 30 * A_DAY,
        budget=binding if stage is Stage.TIGHT else PLENTY,
        points_per_item=POINTS_PER_ITEM,
        points_per_member_day=of_a_member if stage is Stage.CAPPED else None,
    )
    return (await games.define_game_campaign(command, by=OPERATOR, now=now)).id
