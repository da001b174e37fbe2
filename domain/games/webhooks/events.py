"""What partners are told: events of the outbox become messages, which another job sends.

A message is thin. It names what happened and to which of the partner's own things, some of one kind
at a time; the partner asks for the rest (`partner { receipts }`). Who has no address for webhooks
when something happens is not told of it later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from domain.outbox import Announced, Consumer, Event, announce, consume_once
from domain.storage import Table, fetch_all

NAME: Final = "webhooks"
IDS_MAX: Final = 100
"""So many things of the partner are named in one message, at the most."""

MEMBER_DELETED: Final = "PartnerMemberDeleted"
REWARDS_REJECTED: Final = "RewardsRejected"

# The type of the message, what its ids are called, and where the event has them.
TYPES: Final[Mapping[str, tuple[str, str, str]]] = {
    "RewardGranted": ("reward.applied", "externalIds", "external_id"),
    REWARDS_REJECTED: ("reward.rejected", "externalIds", "external_ids"),
    "RewardReversed": ("reward.reversed", "externalIds", "external_id"),
    "MemberUnbound": ("member.unbound", "memberRefs", "member_ref"),
    MEMBER_DELETED: ("member.deleted", "memberRefs", "member_refs"),
    "ReconciliationReady": ("reconciliation.ready", "dates", "date"),
}

_DELIVERIES: Final = Table(
    "webhook_delivery",
    id="uuid",
    partner_id="uuid",
    type="text",
    payload="text",
    state="text",
    created_at="timestamptz",
    next_at="timestamptz",
)


def webhook_consumer() -> Consumer:
    """Writes down what is to be sent, each event once."""

    async def write_down(events: Sequence[Announced]) -> None:
        addressed = await _addressed({_partner_of(one) for one in events})
        await consume_once(NAME, [one for one in events if _partner_of(one) in addressed], _write)

    return Consumer(NAME, frozenset(TYPES), write_down)


async def announce_deletion(member_ids: Collection[UUID], *, now: datetime) -> None:
    """Tell the partners who know these members that they are no more.

    Inside the transaction that erases them, before their bindings go: the partner's own names are
    all that is told.
    """
    rows = await fetch_all(
        "SELECT partner_id, member_ref FROM game_binding WHERE member_id = ANY($1::uuid[])"
        " ORDER BY partner_id, member_ref",
        list(member_ids),
    )
    names: dict[UUID, list[str]] = defaultdict(list)
    for row in rows:
        names[row["partner_id"]].append(row["member_ref"])
    await announce(
        [
            Event(
                kind=MEMBER_DELETED,
                member_id=partner_id,
                facts={"partner_id": str(partner_id), "member_refs": refs},
            )
            for partner_id, refs in names.items()
        ],
        now=now,
    )


async def _write(events: Sequence[Announced]) -> None:
    told: dict[tuple[UUID, str], list[Announced]] = defaultdict(list)
    for event in events:
        told[_partner_of(event), event.kind].append(event)
    await _DELIVERIES.insert(
        row
        for (partner_id, kind), group in told.items()
        for row in _messages(partner_id, kind, group)
    )


def _messages(partner_id: UUID, kind: str, events: Sequence[Announced]) -> Iterator[dict[str, Any]]:
    webhook_type, ids_name, fact = TYPES[kind]
    at = max(one.announced_at for one in events)
    found = [one.facts[fact] for one in events]
    ids = [each for one in found for each in (one if isinstance(one, list) else [one])]
    for start in range(0, len(ids), IDS_MAX):
        payload = {
            "type": webhook_type,
            "timestamp": at.isoformat().replace("+00:00", "Z"),
            "data": {ids_name: ids[start : start + IDS_MAX]},
        }
        yield {
            "id": uuid7(),
            "partner_id": partner_id,
            "type": webhook_type,
            "payload": orjson.dumps(payload).decode(),
            "state": "PENDING",
            "created_at": at,
            "next_at": at,
        }


def _partner_of(event: Announced) -> UUID:
    return UUID(event.facts["partner_id"])


async def _addressed(partner_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of the partners who have an address for webhooks."""
    rows = await fetch_all(
        "SELECT account_id FROM partner"
        " WHERE account_id = ANY($1::uuid[]) AND webhook_url IS NOT NULL",
        list(partner_ids),
    )
    return frozenset(row["account_id"] for row in rows)
