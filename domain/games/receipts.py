"""Receipts: what became of each item of a batch, signed, the same for ever.

Signed is `jifen-receipts:1:` and the SHA-256 (hex) of the canonical JSON of what is told: sorted
keys, no blanks, UTF-8. The key is the one that signs access tokens at that moment; partners find
its public half in `/.well-known/jwks.json` by its `kid`. No token begins with those words, so
neither signature passes for the other. A receipt never tells a balance, nor who the member is.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from domain.access import KeyRing
from domain.errors import ErrorCode
from domain.games.push_decisions import Answer
from domain.games.reward_items import KeptItem, RewardStatus, kept_item_of
from domain.storage import Row, fetch_all, fetch_one
from domain.texts import is_storable

PREFIX: Final = "jifen-receipts:1:"
RECEIPTS_MAX: Final = 500
_ENTRY: Final = "GameReward"
_HAVE_ENTRIES: Final = frozenset({RewardStatus.APPLIED, RewardStatus.DUPLICATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardReceipt:
    """What became of the item at `index`.

    `reward_id` is the id of the reward or reversal that took effect, the first one's for a
    duplicate. `first_status` and that are told of a duplicate only.
    """

    index: int
    external_id: str
    status: RewardStatus
    first_status: RewardStatus | None = None
    code: ErrorCode | None = None
    reward_id: UUID | None = None

    @property
    def entry_id(self) -> str | None:
        """The opaque id of what took effect: no other partner, and no journal, has it."""
        return entry_id_of(self.reward_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature, base64, and the id of its key."""

    signature: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many items of a batch came to what."""

    applied: int
    duplicate: int
    rejected: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardBatch:
    """The answer to a batch. `replayed`: it is the answer given before, nothing was done now."""

    id: str
    replayed: bool
    received_at: datetime
    receipts: Sequence[RewardReceipt]
    counts: Counts
    signature: str
    key_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingReceipt:
    """How an item stands now, signed for itself."""

    external_id: str
    status: RewardStatus
    code: ErrorCode | None
    entry_id: str | None
    occurred_at: datetime
    signature: str
    key_id: str


def entry_id_of(reward_id: UUID | None) -> str | None:
    """The global id of a reward, as the API writes it."""
    if reward_id is None:
        return None
    return base64.urlsafe_b64encode(f"{_ENTRY}:{reward_id}".encode()).rstrip(b"=").decode()


def receipts_of(external_ids: Sequence[str], answers: Sequence[Answer]) -> list[RewardReceipt]:
    """A receipt for each answer, in order."""
    named = enumerate(zip(external_ids, answers, strict=True))
    return [_receipt(index, external_id, answer) for index, (external_id, answer) in named]


def _receipt(index: int, external_id: str, answer: Answer) -> RewardReceipt:
    kept = answer.kept
    if kept is None:
        return RewardReceipt(
            index=index,
            external_id=external_id,
            status=RewardStatus.REJECTED,
            code=answer.code,
        )
    if not answer.is_duplicate:
        told = kept.first_status
        return RewardReceipt(
            index=index,
            external_id=external_id,
            status=told,
            code=kept.code if told is RewardStatus.REJECTED else None,
            reward_id=kept.id if told is RewardStatus.APPLIED else None,
        )
    if kept.status is RewardStatus.REJECTED and not kept.is_remembered:
        return RewardReceipt(
            index=index, external_id=external_id, status=kept.status, code=kept.code
        )
    first = kept.first_status
    # Of what is the same business event as another item, the first one is that item.
    return RewardReceipt(
        index=index,
        external_id=external_id,
        status=RewardStatus.DUPLICATE,
        first_status=RewardStatus.APPLIED if first is RewardStatus.DUPLICATE else first,
        code=kept.code,
        reward_id=kept.id if kept.status in _HAVE_ENTRIES else None,
    )


def sign(told: Mapping[str, Any], *, keys: KeyRing) -> Signed:
    """The signature over what is told."""
    key = keys.signing_key()
    signature = key.private.sign(signed_words(told))
    return Signed(signature=base64.b64encode(signature).decode(), key_id=key.kid)


def signed_words(told: Mapping[str, Any]) -> bytes:
    """The very bytes that are signed for what is told."""
    canonical = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    return f"{PREFIX}{hashlib.sha256(canonical).hexdigest()}".encode()


def batch_told(partner: str, batch_id: str, receipts: Sequence[RewardReceipt]) -> Mapping[str, Any]:
    """What the signature of a batch covers, for canonical JSON."""
    return {
        "batch": batch_id,
        "partner": partner,
        "receipts": [
            {
                "code": one.code,
                "entryId": one.entry_id,
                "externalId": _plain(one.external_id),
                "firstStatus": one.first_status,
                "index": one.index,
                "status": one.status,
            }
            for one in receipts
        ],
    }


def counts_of(statuses: Sequence[RewardStatus]) -> Counts:
    """How many of each there are."""
    counted = Counter(statuses)
    return Counts(
        applied=counted[RewardStatus.APPLIED],
        duplicate=counted[RewardStatus.DUPLICATE],
        rejected=counted[RewardStatus.REJECTED],
        pending=counted[RewardStatus.PENDING],
    )


def receipts_to_json(receipts: Sequence[RewardReceipt]) -> str:
    """What a replay cannot tell from the batch itself."""
    stored = [
        [one.status, one.first_status, one.code, one.reward_id and str(one.reward_id)]
        for one in receipts
    ]
    return orjson.dumps(stored).decode()


def replayed_batch(row: Row, external_ids: Sequence[str]) -> RewardBatch:
    """The answer in a row of `reward_batch`, to the batch with these ids."""
    stored = orjson.loads(row["receipts"])
    receipts = [
        RewardReceipt(
            index=index,
            external_id=external_id,
            status=RewardStatus(status),
            first_status=first and RewardStatus(first),
            code=code and ErrorCode(code),
            reward_id=reward_id and UUID(reward_id),
        )
        for index, (external_id, (status, first, code, reward_id)) in enumerate(
            zip(external_ids, stored, strict=True)
        )
    ]
    return RewardBatch(
        id=row["batch_id"],
        replayed=True,
        received_at=row["received_at"],
        receipts=receipts,
        counts=counts_of([one.status for one in receipts]),
        signature=row["signature"],
        key_id=row["key_id"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSummary:
    """A batch that was answered, without its receipts."""

    id: str
    received_at: datetime
    counts: Counts


async def reward_batch(partner_id: UUID, batch_id: str) -> BatchSummary | None:
    """The partner's batch with this id, None where there is none."""
    if not is_storable(batch_id, characters_max=128):
        return None
    row = await fetch_one(
        "SELECT batch_id, received_at, receipts FROM reward_batch"
        " WHERE partner_id = $1 AND batch_id = $2",
        *(partner_id, batch_id),
    )
    if row is None:
        return None
    statuses = [RewardStatus(one[0]) for one in orjson.loads(row["receipts"])]
    return BatchSummary(
        id=row["batch_id"], received_at=row["received_at"], counts=counts_of(statuses)
    )


async def standing_receipts(
    partner_id: UUID, external_ids: Sequence[str], *, partner: str, keys: KeyRing
) -> Sequence[StandingReceipt]:
    """How the partner's items with these ids stand now, in the order of the ids, each once.

    What was never sent is left out, and what is another partner's. One statement.
    """
    asked = [one for one in dict.fromkeys(external_ids) if is_storable(one, characters_max=128)]
    rows = await fetch_all(
        "SELECT * FROM reward_item WHERE partner_id = $1 AND external_id = ANY($2::text[])",
        *(partner_id, asked),
    )
    found = {row["external_id"]: kept_item_of(row) for row in rows}
    return [_standing(found[one], partner=partner, keys=keys) for one in asked if one in found]


def _standing(kept: KeptItem, *, partner: str, keys: KeyRing) -> StandingReceipt:
    entry_id = entry_id_of(kept.id) if kept.status in _HAVE_ENTRIES else None
    told = {
        "code": kept.code,
        "entryId": entry_id,
        "externalId": kept.external_id,
        "occurredAt": kept.occurred_at.isoformat().replace("+00:00", "Z"),
        "partner": partner,
        "status": kept.status,
    }
    signed = sign(told, keys=keys)
    return StandingReceipt(
        external_id=kept.external_id,
        status=kept.status,
        code=kept.code,
        entry_id=entry_id,
        occurred_at=kept.occurred_at,
        signature=signed.signature,
        key_id=signed.key_id,
    )


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
