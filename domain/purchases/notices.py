"""Order notices as shops send them, and how they are kept: where an order is on its way.

A notice is recorded once, whatever batch it comes in. The member is told of it unless a later one
of the same order is known already: nobody hears that a parcel was sent after it arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import idempotency, members
from domain.errors import OrderUnknown, Refusal
from domain.idempotency import Digests, Recalled
from domain.outbox import Event, announce
from domain.purchases.orders import (
    EXTERNAL_ID_LENGTH_MAX,
    date_refusal,
    digestible,
    identity_invalid,
    microseconds,
    text_invalid,
)
from domain.purchases.refunding import OrderPlace, find_orders
from domain.storage import Row, Table, fetch_all
from domain.texts import is_identity, is_storable

CARRIER_LENGTH_MAX: Final = 64
NUMBER_LENGTH_MAX: Final = 64
NOTICES_SHOWN_MAX: Final = 100

_NOTICES: Final = Table(
    "order_notice",
    member_id="uuid",
    purchase_id="uuid",
    id="uuid",
    source="text",
    external_id="text",
    kind="text",
    carrier="text",
    number="text",
    at="timestamptz",
    recorded_at="timestamptz",
    came_with="uuid",
)


class OrderNoticeKind(StrEnum):
    """Where an order is on its way."""

    SHIPPED = "SHIPPED"
    """It was handed to a carrier."""
    TRANSFERRED = "TRANSFERRED"
    """It was passed on, from one place or carrier to the next."""
    OUT_FOR_DELIVERY = "OUT_FOR_DELIVERY"
    """It is being brought."""
    DELIVERED = "DELIVERED"
    """It arrived."""
    DELIVERY_FAILED = "DELIVERY_FAILED"
    """It was brought, and could not be handed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderNotice:
    """What a shop tells of an order of its own; `number` is the carrier's, for tracking."""

    external_id: str
    order_external_id: str
    kind: OrderNoticeKind
    at: datetime
    carrier: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptNotice:
    """A notice of an order, as it is kept."""

    kind: OrderNoticeKind
    at: datetime
    carrier: str | None
    number: str | None


@dataclass(frozen=True, slots=True)
class NewNotice:
    """A notice that is sound by itself, with its place in the batch and its digests."""

    index: int
    notice: OrderNotice
    digests: Digests


@dataclass(frozen=True, slots=True)
class NoticeRecorded:
    """A notice that is recorded, and with which order."""

    member_id: UUID
    purchase_id: UUID


def notice_scope(source: str) -> str:
    """The idempotency scope of a source's notices."""
    return f"purchases.notice:{source}"


def refusal_of_notice(notice: OrderNotice, *, now: datetime) -> Refusal | None:
    """Why the notice cannot be recorded, judged by itself; None where it is sound."""
    if not is_identity(notice.external_id, characters_max=EXTERNAL_ID_LENGTH_MAX):
        return identity_invalid(("external_id",), EXTERNAL_ID_LENGTH_MAX)
    for name, text, length_max in (
        # The order is looked for: an id from before `is_identity` is found as it is.
        ("order_external_id", notice.order_external_id, EXTERNAL_ID_LENGTH_MAX),
        ("carrier", notice.carrier, CARRIER_LENGTH_MAX),
        ("number", notice.number, NUMBER_LENGTH_MAX),
    ):
        if text is not None and not is_storable(text, characters_max=length_max):
            return text_invalid((name,), length_max)
    return date_refusal(notice.at, field="at", now=now)


def notice_digests(notice: OrderNotice) -> dict[str, str]:
    """A digest per field, the same for the same notice."""
    return idempotency.digests(
        {
            "external_id": digestible(notice.external_id),
            "order_external_id": digestible(notice.order_external_id),
            "kind": notice.kind.value,
            "at": microseconds(notice.at),
            "carrier": digestible(notice.carrier),
            "number": digestible(notice.number),
        }
    )


async def lock_noticed(source: str, notices: Iterable[OrderNotice]) -> Mapping[str, OrderPlace]:
    """The orders that these are of, by the shop's ids, under the locks of those who have them now.

    Of a member whose record was joined to another one the order is that one's.
    """
    wanted = {notice.order_external_id for notice in notices}

    async def look() -> tuple[Mapping[str, OrderPlace], Mapping[UUID, UUID]]:
        found = await find_orders(source, wanted)
        return found, await members.heirs({recorded_for for recorded_for, _ in found.values()})

    found, leads = await members.lock_found(look, lambda seen: set(seen[1].values()))
    return {
        external_id: (leads[recorded_for], order_id)
        for external_id, (recorded_for, order_id) in found.items()
        if recorded_for in leads
    }


async def record_new_notices(
    notices: Sequence[NewNotice],
    *,
    places: Mapping[str, OrderPlace],
    source: str,
    now: datetime,
) -> dict[int, NoticeRecorded | Refusal]:
    """Record notices that no one knows yet, each id once; the outcome for each by its index.

    A fixed number of statements whatever the number of notices.
    """
    found = [(one, places.get(one.notice.order_external_id)) for one in notices]
    unknown = OrderUnknown(field=("order_external_id",))
    outcomes: dict[int, NoticeRecorded | Refusal] = {
        one.index: unknown for one, place in found if place is None
    }
    made = [(one, place) for one, place in found if place is not None]
    newest, came_with = await _known({place for _, place in made})
    events = []
    for one, place in made:
        events.append(_event(one.notice, place, is_newest=_is_newest(one.notice, place, newest)))
        outcomes[one.index] = NoticeRecorded(*place)
    await _NOTICES.insert(
        {
            "member_id": member_id,
            "purchase_id": purchase_id,
            "id": uuid7(),
            "source": source,
            "external_id": one.notice.external_id,
            "kind": one.notice.kind.value,
            "carrier": one.notice.carrier,
            "number": one.notice.number,
            "at": one.notice.at,
            "recorded_at": now,
            "came_with": came_with.get(purchase_id),
        }
        for one, (member_id, purchase_id) in made
    )
    await announce(events, now=now)
    await idempotency.remember(
        notice_scope(source),
        {
            one.notice.external_id: (one.digests, [str(part) for part in place])
            for one, place in made
        },
        now=now,
    )
    return outcomes


def notice_recorded_of(recalled: Recalled) -> NoticeRecorded:
    """What is remembered of a known notice."""
    member_id, purchase_id = recalled.result
    return NoticeRecorded(UUID(member_id), UUID(purchase_id))


async def notices_of(
    member_id: UUID, purchase_ids: Collection[UUID]
) -> dict[UUID, Sequence[KeptNotice]]:
    """The newest NOTICES_SHOWN_MAX of each of these orders of the member, the latest first."""
    rows = await fetch_all(
        "SELECT purchase_id, kind, at, carrier, number FROM (SELECT *, ROW_NUMBER() OVER"
        " (PARTITION BY purchase_id ORDER BY at DESC, id DESC) AS place FROM order_notice"
        "  WHERE member_id = $1 AND purchase_id = ANY($2::uuid[])) AS newest"
        " WHERE place <= $3 ORDER BY purchase_id, place",
        *(member_id, sorted(purchase_ids), NOTICES_SHOWN_MAX),
    )
    found: dict[UUID, list[KeptNotice]] = {one: [] for one in purchase_ids}
    for row in rows:
        found[row["purchase_id"]].append(_kept(row))
    return {**found}


async def _known(
    places: Collection[OrderPlace],
) -> tuple[dict[UUID, datetime], dict[UUID, UUID | None]]:
    """By order: of when the latest notice is, and with which merge the order came."""
    if not places:
        return {}, {}
    rows = await fetch_all(
        "SELECT p.id, p.came_with, (SELECT n.at FROM order_notice AS n"
        "  WHERE n.member_id = p.member_id AND n.purchase_id = p.id ORDER BY n.at DESC LIMIT 1"
        " ) AS at"
        " FROM purchase AS p WHERE p.member_id = ANY($1::uuid[]) AND p.id = ANY($2::uuid[])",
        sorted({member_id for member_id, _ in places}),
        sorted({purchase_id for _, purchase_id in places}),
    )
    newest = {row["id"]: row["at"] for row in rows if row["at"] is not None}
    return newest, {row["id"]: row["came_with"] for row in rows}


def _is_newest(notice: OrderNotice, place: OrderPlace, newest: dict[UUID, datetime]) -> bool:
    """Whether no later notice of the order is known; `newest` learns of this one."""
    _, order_id = place
    if order_id in newest and notice.at < newest[order_id]:
        return False
    newest[order_id] = notice.at
    return True


def _event(notice: OrderNotice, place: OrderPlace, *, is_newest: bool) -> Event:
    member_id, purchase_id = place
    return Event(
        kind="OrderNoticeRecorded",
        member_id=member_id,
        facts={
            "purchase_id": str(purchase_id),
            "order": notice.order_external_id,
            "kind": notice.kind.value,
            "carrier": notice.carrier,
            "number": notice.number,
            "at": notice.at.isoformat(),
            "is_newest": is_newest,
        },
    )


def _kept(row: Row) -> KeptNotice:
    return KeptNotice(
        kind=OrderNoticeKind(row["kind"]),
        at=row["at"],
        carrier=row["carrier"],
        number=row["number"],
    )
