"""A partner with a campaign, a past, and many members who allow it: most of it by plain SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.ledger.accounts import open_accounts
from benchmarks.ledger.scripts import member_id
from domain import access, games, members, storage
from domain.access import AccessTokens, KeyRing
from domain.games import AddPartnerKey, DefineGameCampaign, KeyKind, Partner, RegisterPartner
from domain.members import PhoneKeyFile
from tests.domain.access.fixtures import OPERATOR
from tests.faults.town import A_DAY, ISSUER, Town
from tests.graphql.partners import SCOPES, public_text
from tests.graphql.programme import set_up_programme

MEMBERS: Final = 5_000
PAST_ITEMS: Final = 200_000
"""Pushed before, so that statements are planned as for a partner that has been here for a while."""
PLENTY: Final = 10**12

PAST_AT_ONCE: Final = 10_000

_BINDINGS = """
    INSERT INTO game_binding (partner_id, member_ref, member_id, bound_at)
    SELECT $3, 'gm_' || replace(member_id::text, '-', ''), member_id, $2
    FROM unnest($1::uuid[]) AS m (member_id)
"""
_PAST = """
    INSERT INTO reward_item (partner_id, external_id, id, member_id, paid_to, campaign_id, kind,
                             points, occurred_at, received_at, day, business_reference, status,
                             first_status, entry_seq, batch_id, member_digest, content_digest)
    SELECT $1, 'past-' || n, gen_random_uuid(), member_id, member_id, $2, 'GRANT', 7, at, at,
           at::date, 'past-event-' || n, 'APPLIED', 'APPLIED', 1000000 + n, 'past', '', ''
    FROM (
        SELECT n, lpad(to_hex(1 + n % $3::bigint), 32, '0')::uuid AS member_id,
               $4::timestamptz - n * interval '1 second' AS at
        FROM generate_series($5::bigint, $5::bigint + $6::bigint - 1) AS g (n)
    ) AS past
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """Who pushes, and for whom: `refs` is what the partner calls the members."""

    town: Town
    keys: KeyRing
    partner: Partner
    campaign_id: UUID
    token: str = field(repr=False)
    private: Ed25519PrivateKey = field(repr=False)
    refs: Sequence[str]


async def open_stall(url: str, folder: Path) -> Stall:
    """Build it in an empty database, to which this process is connected; keys into the folder."""
    now = datetime.now(UTC)
    phone_keys = folder / "phone-keys.json"
    members.create_phone_keys(phone_keys, now=now)
    members.use_phone_keys(PhoneKeyFile(phone_keys, now=now))
    keys = KeyRing(folder / "keys.json", now=now, create_missing=True)
    await set_up_programme(now=now)
    command = RegisterPartner(
        code="stall",
        name_zh="转盘乐园",
        name_en="Wheel Park",
        scopes=SCOPES,
        points_per_day=PLENTY,
        points_per_member_day=PLENTY,
    )
    partner = await games.register_partner(command, by=OPERATOR, now=now)
    private = Ed25519PrivateKey.generate()
    key = AddPartnerKey(code=partner.code, kind=KeyKind.ED25519, public_key=public_text(private))
    await games.add_partner_key(key, by=OPERATOR, now=now)
    campaign = DefineGameCampaign(
        partner_code=partner.code,
        code="wheel",
        title_zh="大转盘",
        title_en="Lucky wheel",
        opens_at=now - timedelta(days=60),
        closes_at=now + timedelta(days=30),
        budget=PLENTY,
    )
    campaign_id = (await games.define_game_campaign(campaign, by=OPERATOR, now=now)).id
    ids = [member_id(number) for number in range(1, MEMBERS + 1)]
    await open_accounts(MEMBERS)
    await storage.execute(_BINDINGS, ids, now, partner.account_id)
    past = (partner.account_id, campaign_id, MEMBERS, now - timedelta(days=2))
    for first in range(1, PAST_ITEMS, PAST_AT_ONCE):
        await storage.execute(_PAST, *past, first, PAST_AT_ONCE)
    await storage.execute("ANALYZE")
    tokens = AccessTokens(keys, ISSUER)
    token, _ = await access.issue_token(
        partner.code, by=OPERATOR, tokens=tokens, now=now, ttl=A_DAY
    )
    town = Town(
        database_url=url,
        keys=folder / "keys.json",
        members=ids,
        member_tokens=[],
        shop_token="",
        signed_out_token="",
    )
    return Stall(
        town=town,
        keys=keys,
        partner=partner,
        campaign_id=campaign_id,
        token=token,
        private=private,
        refs=[f"gm_{one.hex}" for one in ids],
    )
