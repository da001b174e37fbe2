"""What the database holds after a storm, read beside the product, and held against the model."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain import ledger
from domain.games import signed_words
from domain.ledger import verify_accounts
from domain.storage import fetch_all, fetch_one
from tests.faults.storm_model import Kept, Limit, Row, differences, points_of
from tests.faults.storm_partners import Fairground, Pusher
from tests.faults.storm_sending import Told
from tests.graphql.gateway import global_id


async def what_is_wrong(fairground: Fairground, told: Mapping[str, Told]) -> list[str]:
    """Everything that the reference model does not allow, in words."""
    found, kept = [], []
    for pusher in fairground.pushers:
        of_it = told[pusher.partner.code]
        kept.append(await _kept(pusher))
        found += differences(pusher, of_it, kept[-1])
        found += _unsigned(fairground, pusher, of_it)
    points = points_of(kept)
    now = datetime.now(UTC)
    for member_id in fairground.people:
        held = await ledger.balance(member_id, now=now)
        has = held.available + held.pending - held.debt
        if has != points[member_id]:
            found.append(f"{member_id} has {has} points, of all partners {points[member_id]}")
    applied = sum(row.status == "APPLIED" for one in kept for row in one.rows.values())
    entries = await fetch_one("SELECT COUNT(*) AS n FROM points_entry")
    assert entries is not None
    if entries["n"] != applied:
        found.append(f"{entries['n']} entries of {applied} items")
    checked = await verify_accounts(fairground.people)
    return [*found, *map(str, checked.violations)]


async def _kept(pusher: Pusher) -> Kept:
    partner_id = pusher.partner.account_id
    stages = {campaign_id: stage for stage, campaign_id in pusher.campaigns.items()}
    items = await fetch_all("SELECT * FROM reward_item WHERE partner_id = $1", partner_id)
    campaigns = await fetch_all("SELECT * FROM game_campaign WHERE partner_id = $1", partner_id)
    days = await fetch_all("SELECT day, points FROM game_day WHERE partner_id = $1", partner_id)
    batches = await fetch_one(
        "SELECT COUNT(*) AS n FROM reward_batch WHERE partner_id = $1", partner_id
    )
    assert batches is not None
    return Kept(
        rows={
            row["external_id"]: Row(
                member_id=row["member_id"],
                stage=stages.get(row["campaign_id"]),
                points=row["points"],
                day=row["day"],
                is_grant=row["kind"] == "GRANT",
                status=row["status"],
                code=row["code"],
                entry_id=global_id("GameReward", row["id"]) if row["entry_seq"] else None,
            )
            for row in items
        },
        limits={
            stages[row["id"]]: Limit(
                budget=row["budget"],
                spent=row["spent"],
                of_a_member=row["points_per_member_day"],
            )
            for row in campaigns
        },
        days={row["day"]: row["points"] for row in days},
        batches=batches["n"],
    )


def _unsigned(fairground: Fairground, pusher: Pusher, told: Told) -> list[str]:
    """The receipts whose signature is not that of the gateway's key."""
    code = pusher.partner.code
    batches = [
        (answer, {"batch": batch_id, "partner": code, "receipts": answer["receipts"]})
        for batch_id, answers in told.answers.items()
        for answer in answers
    ]
    standing = [
        (one, {**_without_signature(one), "partner": code}) for one in told.standing.values()
    ]
    return [
        f"{code}: a receipt is not signed: {words}"
        for signed, words in [*batches, *standing]
        if not _is_signed(fairground, signed, words)
    ]


def _without_signature(receipt: Mapping[str, Any]) -> dict[str, Any]:
    return {name: receipt[name] for name in ("externalId", "status", "code", "entryId")} | {
        "occurredAt": receipt["occurredAt"]
    }


def _is_signed(fairground: Fairground, signed: Mapping[str, Any], words: Mapping[str, Any]) -> bool:
    [key] = [one for one in fairground.keys.jwks()["keys"] if one["kid"] == signed["keyId"]]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(f"{key['x']}=="))
    try:
        public.verify(base64.b64decode(signed["signature"]), signed_words(words))
    except InvalidSignature:
        return False
    return True
