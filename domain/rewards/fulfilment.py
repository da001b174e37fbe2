"""Fulfilment of gifts: the member says where, staff sends it and says that it has arrived.

Each step is written once; the same again is answered with what is so already.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import audit
from domain.audit import Actor, Target
from domain.errors import RedemptionNotOpen, RedemptionUnknown
from domain.outbox import Event, announce
from domain.rewards.addresses import address
from domain.rewards.redemptions import Redemption, locked_redemption, redemption
from domain.rewards.rules import RedemptionStatus
from domain.storage import execute, transaction
from domain.texts import clean_text

CARRIER_CHARACTERS_MAX: Final = 64
NUMBER_CHARACTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipRedemption:
    """A gift that was handed to a carrier, whose `number` is for tracking."""

    member_id: UUID
    redemption_id: UUID
    carrier: str
    number: str


async def set_redemption_address(
    member_id: UUID, *, redemption_id: UUID, address_id: UUID, now: datetime
) -> Redemption:
    """Say, or say anew, where a gift is to be sent, as long as it was not.

    Refused: RedemptionUnknown, RedemptionNotOpen, AddressUnknown.
    """

    async def work() -> Redemption:
        found = await _locked(member_id, redemption_id)
        if found.status not in {RedemptionStatus.AWAITING_ADDRESS, RedemptionStatus.PLACED}:
            raise RedemptionNotOpen(state=found.status.value, field=("redemption_id",))
        place = (await address(found.member_id, address_id=address_id)).place
        if found.shipment is not None and found.shipment.place == place:
            return found
        await _write(found, {"status": RedemptionStatus.PLACED.value, **asdict(place)})
        event = Event(kind="RedemptionAddressed", member_id=found.member_id, facts=_facts(found))
        return await _told(found, event, now=now)

    return await transaction(work)


async def ship_redemption(command: ShipRedemption, *, by: Actor, now: datetime) -> Redemption:
    """Note that a gift was handed to a carrier. Refused: InvalidInput, RedemptionUnknown,
    RedemptionNotOpen."""
    clean_text(
        command.carrier,
        field=("carrier",),
        characters_min=1,
        characters_max=CARRIER_CHARACTERS_MAX,
    )
    clean_text(
        command.number, field=("number",), characters_min=1, characters_max=NUMBER_CHARACTERS_MAX
    )

    async def work() -> Redemption:
        found = await _locked(command.member_id, command.redemption_id)
        _record(by, "redemption.ship", found, now=now)
        parcel = found.shipment
        if parcel and (parcel.carrier, parcel.number) == (command.carrier, command.number):
            return found
        if found.status is not RedemptionStatus.PLACED:
            raise RedemptionNotOpen(state=found.status.value, field=("redemption_id",))
        await _write(
            found,
            {
                "status": RedemptionStatus.SHIPPED.value,
                "carrier": command.carrier,
                "tracking_number": command.number,
                "shipped_at": now,
            },
        )
        event = Event(kind="RedemptionShipped", member_id=found.member_id, facts=_facts(found))
        return await _told(found, event, now=now)

    return await transaction(work)


async def deliver_redemption(
    member_id: UUID, *, redemption_id: UUID, by: Actor, now: datetime
) -> Redemption:
    """Note that a gift has arrived. Refused: RedemptionUnknown, RedemptionNotOpen."""

    async def work() -> Redemption:
        found = await _locked(member_id, redemption_id)
        _record(by, "redemption.deliver", found, now=now)
        if found.status is RedemptionStatus.DELIVERED:
            return found
        if found.status is not RedemptionStatus.SHIPPED:
            raise RedemptionNotOpen(state=found.status.value, field=("redemption_id",))
        await _write(found, {"status": RedemptionStatus.DELIVERED.value, "delivered_at": now})
        event = Event(kind="RedemptionDelivered", member_id=found.member_id, facts=_facts(found))
        return await _told(found, event, now=now)

    return await transaction(work)


async def _locked(member_id: UUID, redemption_id: UUID) -> Redemption:
    found = await locked_redemption(member_id, redemption_id=redemption_id)
    if found is None:
        raise RedemptionUnknown(field=("redemption_id",))
    return found


async def _write(found: Redemption, values: dict[str, Any]) -> None:
    sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(values, 3))
    await execute(
        f"UPDATE redemption SET {sets} WHERE member_id = $1 AND id = $2",
        *(found.member_id, found.id, *values.values()),
    )


def _facts(found: Redemption) -> dict[str, Any]:
    """What is told of a step: never where the parcel goes."""
    return {
        "redemption": str(found.id),
        "reward": found.reward.code,
        "title_zh": found.reward.title_zh,
        "title_en": found.reward.title_en,
    }


async def _told(found: Redemption, event: Event, *, now: datetime) -> Redemption:
    """Tell what happened; the redemption as it is now."""
    await announce([event], now=now)
    made = await redemption(found.member_id, redemption_id=found.id)
    assert made is not None, "its row is locked"
    return made


def _record(by: Actor, action: str, found: Redemption, *, now: datetime) -> None:
    """The number of a parcel leads to an address, so neither it nor its carrier is in the log."""
    audit.record(
        by,
        action,
        target=Target(kind="member", id=str(found.member_id)),
        before={"status": found.status.value},
        after={"redemption": str(found.id)},
        now=now,
    )
