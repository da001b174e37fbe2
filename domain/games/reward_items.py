"""Rewards as partners push them, and as they are kept: each under an id of the partner's, once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import orjson

from domain.errors import ErrorCode
from domain.idempotency import FORGOTTEN
from domain.ledger import POINTS_MAX
from domain.members import MemberRef, as_named
from domain.storage import Row
from domain.texts import is_storable

ITEMS_MAX: Final = 500
ID_CHARACTERS_MAX: Final = 128
PRIZE_CHARACTERS_MAX: Final = 64
AGE_MAX: Final = timedelta(days=30)
AHEAD_MAX: Final = timedelta(minutes=5)

RETRYABLE: Final = frozenset(
    {
        ErrorCode.BUDGET_EXHAUSTED,
        ErrorCode.CAP_REACHED,
        ErrorCode.NOT_BOUND,
        ErrorCode.MEMBER_NOT_FOUND,
        ErrorCode.CAMPAIGN_CLOSED,
        ErrorCode.FUTURE_DATED,
        ErrorCode.ACCOUNT_FROZEN,
        ErrorCode.POINTS_OUT_OF_RANGE,
    }
)
"""What may pass: an item refused for one of these is not remembered, and may be sent again in a new
batch, also with other content. What was refused for anything else stays refused under its id."""


class RewardItemKind(StrEnum):
    """What an item does."""

    GRANT = "GRANT"
    """Gives the member points."""
    REVERSAL = "REVERSAL"
    """Takes back a grant, wholly."""


class RewardStatus(StrEnum):
    """What became of an item."""

    APPLIED = "APPLIED"
    """It took effect."""
    DUPLICATE = "DUPLICATE"
    """It was there before, with the same content, or its business event was: nothing was done."""
    REJECTED = "REJECTED"
    """It was refused; `code` says why. Nothing was changed."""
    PENDING = "PENDING"
    """A reversal that waits for its grant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardItem:
    """One reward, or its reversal, as a partner pushes it.

    `campaign` is the campaign's id as the partner wrote it, `campaign_id` what it says, None where
    it is the id of no campaign.
    """

    external_id: str
    member: MemberRef
    campaign: str
    campaign_id: UUID | None
    points: int
    occurred_at: datetime
    kind: RewardItemKind = RewardItemKind.GRANT
    reverses: str | None = None
    business_reference: str | None = None
    prize_code: str | None = None
    disclosure_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An item with its place in the batch, and the digests of whom and of what it names."""

    index: int
    item: RewardItem
    member_digest: str
    content_digest: str

    @property
    def texts_are_sound(self) -> bool:
        """Whether its texts may be stored, and compared with what is."""
        item = self.item
        others = (item.reverses, item.business_reference)
        drawn = (item.prize_code, item.disclosure_version)
        return (
            is_storable(item.external_id, characters_max=ID_CHARACTERS_MAX)
            and all(one is None or is_storable(one, characters_max=128) for one in others)
            and all(
                one is None or is_storable(one, characters_max=PRIZE_CHARACTERS_MAX)
                for one in drawn
            )
        )


@dataclass(slots=True, kw_only=True)
class KeptItem:
    """An item as it stands in the database, or is about to: what is decided changes it.

    `paid_to` and `entry_seq` name its entry of the journal; `paid_to` is the member, unless two
    records were joined since. `came_with` is the merge with which it came to the member; what is
    decided anew came with none. `first_status` is what its first receipt said.
    """

    partner_id: UUID
    external_id: str
    id: UUID
    member_id: UUID | None
    campaign_id: UUID | None
    kind: RewardItemKind
    points: int
    occurred_at: datetime
    received_at: datetime
    day: date
    batch_id: str
    member_digest: str
    content_digest: str
    status: RewardStatus
    first_status: RewardStatus
    code: ErrorCode | None = None
    paid_to: UUID | None = None
    entry_seq: int | None = None
    reverses: str | None = None
    reversed_by: str | None = None
    business_reference: str | None = None
    prize_code: str | None = None
    disclosure_version: int | None = None
    came_with: UUID | None = None
    is_stored: bool = False

    @property
    def is_remembered(self) -> bool:
        """Whether its id is taken for good."""
        return self.status is not RewardStatus.REJECTED or self.code not in RETRYABLE

    def is_same(self, candidate: Candidate) -> bool:
        """Whether the candidate has the content of this one."""
        names = {FORGOTTEN, candidate.member_digest}
        return self.content_digest == candidate.content_digest and self.member_digest in names


def candidates_of(items: Sequence[RewardItem]) -> list[Candidate]:
    """The items of a batch with their digests. Raises PhoneKeysInvalid without a pepper."""
    return [
        Candidate(
            index=index,
            item=item,
            member_digest=_digest(as_named(item.member)),
            content_digest=_digest(_content(item)),
        )
        for index, item in enumerate(items)
    ]


def batch_digest(candidates: Sequence[Candidate]) -> str:
    """The digest of a whole batch, in order."""
    contents = [
        [_plain(one.item.external_id), one.member_digest, one.content_digest] for one in candidates
    ]
    return _digest(contents)


def flaw_of(candidate: Candidate, *, now: datetime) -> ErrorCode | None:
    """What is wrong with an item by itself, the first that holds; None where nothing is."""
    item = candidate.item
    is_reversal = item.kind is RewardItemKind.REVERSAL
    if is_reversal != (item.reverses is not None) or item.reverses == item.external_id:
        return ErrorCode.INVALID_INPUT
    if not 1 <= item.points <= POINTS_MAX:
        return ErrorCode.AMOUNT_INVALID
    if item.occurred_at > now + AHEAD_MAX:
        return ErrorCode.FUTURE_DATED
    if item.occurred_at < now - AGE_MAX:
        return ErrorCode.TOO_OLD
    return None


def kept_item_of(row: Row) -> KeptItem:
    """The item in a row of `reward_item`."""
    return KeptItem(
        partner_id=row["partner_id"],
        external_id=row["external_id"],
        id=row["id"],
        member_id=row["member_id"],
        campaign_id=row["campaign_id"],
        kind=RewardItemKind(row["kind"]),
        points=row["points"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        day=row["day"],
        batch_id=row["batch_id"],
        member_digest=row["member_digest"],
        content_digest=row["content_digest"],
        status=RewardStatus(row["status"]),
        first_status=RewardStatus(row["first_status"]),
        code=row["code"] and ErrorCode(row["code"]),
        paid_to=row["paid_to"],
        entry_seq=row["entry_seq"],
        reverses=row["reverses"],
        reversed_by=row["reversed_by"],
        business_reference=row["business_reference"],
        prize_code=row["prize_code"],
        disclosure_version=row["disclosure_version"],
        came_with=row["came_with"],
        is_stored=True,
    )


def _content(item: RewardItem) -> list[object]:
    texts = (
        *(item.campaign, item.reverses, item.business_reference),
        *(item.prize_code, item.disclosure_version),
    )
    moment = item.occurred_at.astimezone(UTC).isoformat()
    return [item.kind.value, str(item.points), moment, *map(_plain, texts)]


def _plain(text: str | None) -> str | None:
    """The text as canonical JSON can hold it, also where it has a lone surrogate."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def _digest(value: object) -> str:
    """32 hex digits of SHA-256 over the canonical JSON."""
    return hashlib.sha256(orjson.dumps(value)).hexdigest()[:32]
