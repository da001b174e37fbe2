"""The storm without gateways: the same pushes at once by calls, into which bugs can be planted."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from domain.access import KeyRing
from domain.games import (
    PushRewards,
    RewardBatch,
    RewardItem,
    RewardItemKind,
    StandingReceipt,
    push_rewards,
    standing_receipts,
)
from domain.members import ById, ByPairwiseReference
from domain.storage import TransactionContended
from tests.faults.storm_partners import Pusher
from tests.faults.storm_sending import Storm

TRIES_MAX: Final = 20


@dataclass(slots=True, kw_only=True)
class StormInProcess(Storm):
    """Asks the domain itself."""

    keys: KeyRing

    async def ask(self, pusher: Pusher, name: str, variables: dict[str, Any]) -> Any:
        if name == "PushRewards":
            command = _command(pusher, variables["input"])
            return {"batch": _told(await self._pushed(command)), "userErrors": []}
        assert name == "Receipts"
        receipts = await standing_receipts(
            pusher.partner.account_id,
            variables["externalIds"],
            partner=pusher.partner.code,
            keys=self.keys,
        )
        return {"receipts": [_standing(one) for one in receipts]}

    async def _pushed(self, command: PushRewards) -> RewardBatch:
        """The answer, asked for again as often as the gateway would be that was too busy."""
        for _ in range(TRIES_MAX - 1):
            with contextlib.suppress(TransactionContended):
                return await push_rewards(command, keys=self.keys, now=datetime.now(UTC))
        return await push_rewards(command, keys=self.keys, now=datetime.now(UTC))


def _command(pusher: Pusher, given: Mapping[str, Any]) -> PushRewards:
    items = [_item(one) for one in given["items"]]
    return PushRewards(partner=pusher.partner, batch_id=given["batchId"], items=items)


def _item(one: Mapping[str, Any]) -> RewardItem:
    named = one["member"]
    return RewardItem(
        external_id=one["externalId"],
        member=ByPairwiseReference(named["memberRef"])
        if "memberRef" in named
        else ById(_local(named["id"])),
        campaign=one["campaignId"],
        campaign_id=_local(one["campaignId"]),
        points=one["points"],
        occurred_at=datetime.fromisoformat(one["occurredAt"]),
        kind=RewardItemKind(one["kind"]),
        reverses=one["reversesExternalId"],
        business_reference=one["businessReference"],
    )


def _local(global_id: str) -> UUID:
    return UUID(base64.urlsafe_b64decode(f"{global_id}==").decode().partition(":")[2])


def _told(batch: RewardBatch) -> dict[str, Any]:
    """As the API writes it."""
    counts = batch.counts
    return {
        "id": batch.id,
        "replayed": batch.replayed,
        "signature": batch.signature,
        "keyId": batch.key_id,
        "counts": {
            "applied": counts.applied,
            "duplicate": counts.duplicate,
            "rejected": counts.rejected,
            "pending": counts.pending,
        },
        "receipts": [
            {
                "index": one.index,
                "externalId": one.external_id,
                "status": one.status.value,
                "firstStatus": one.first_status and one.first_status.value,
                "code": one.code and one.code.value,
                "entryId": one.entry_id,
            }
            for one in batch.receipts
        ],
    }


def _standing(receipt: StandingReceipt) -> dict[str, Any]:
    return {
        "externalId": receipt.external_id,
        "status": receipt.status.value,
        "code": receipt.code and receipt.code.value,
        "entryId": receipt.entry_id,
        "occurredAt": receipt.occurred_at.isoformat().replace("+00:00", "Z"),
        "signature": receipt.signature,
        "keyId": receipt.key_id,
    }
