"""What is pushed: the same batch of 500 grants as a call, and as a signed request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import orjson

from benchmarks.games.stall import Stall
from domain.games import PushRewards, RewardItem
from domain.members import ByPairwiseReference
from tests.graphql.gateway import global_id
from tests.graphql.operations import operation
from tests.graphql.partners import ed25519_signature

BATCH: Final = 500
POINTS: Final = 7
HAPPENED_AT: Final = datetime.now(UTC) - timedelta(hours=1)


def names_of(stall: Stall, number: int) -> list[tuple[str, str]]:
    """The ids of the items of a batch, each with what the partner calls its member."""
    places = range(number * BATCH, (number + 1) * BATCH)
    return [(f"grant-{place}", stall.refs[place % len(stall.refs)]) for place in places]


def command_of(stall: Stall, number: int) -> PushRewards:
    """The batch as the domain takes it."""
    campaign = global_id("GameCampaign", stall.campaign_id)
    items = [
        RewardItem(
            external_id=name,
            member=ByPairwiseReference(ref),
            campaign=campaign,
            campaign_id=stall.campaign_id,
            points=POINTS,
            occurred_at=HAPPENED_AT,
            business_reference=f"event-{name}",
        )
        for name, ref in names_of(stall, number)
    ]
    return PushRewards(partner=stall.partner, batch_id=f"batch-{number}", items=items)


def request_of(stall: Stall, number: int) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the batch as partners send it, signed now."""
    campaign = global_id("GameCampaign", stall.campaign_id)
    items: list[dict[str, Any]] = [
        {
            "externalId": name,
            "member": {"memberRef": ref},
            "campaignId": campaign,
            "points": POINTS,
            "occurredAt": HAPPENED_AT.isoformat(),
            "kind": "GRANT",
            "businessReference": f"event-{name}",
        }
        for name, ref in names_of(stall, number)
    ]
    given = {"input": {"batchId": f"batch-{number}", "items": items}}
    body = orjson.dumps({"query": operation("PushRewards"), "variables": given})
    message_id, stamp = f"msg_{uuid4()}", str(int(datetime.now(UTC).timestamp()))
    signed = f"{message_id}.{stamp}.".encode() + body
    return body, {
        "authorization": f"Bearer {stall.token}",
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": ed25519_signature(stall.private, signed),
    }
