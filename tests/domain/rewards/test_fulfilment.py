"""Addresses, and gifts on their way; on both databases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain import audit, rewards
from domain.errors import (
    AddressLimitReached,
    AddressUnknown,
    IdempotencyConflict,
    InvalidInput,
    RedemptionNotOpen,
    RedemptionUnknown,
)
from domain.outbox import stream
from domain.paging import PageRequest
from domain.rewards import ADDRESSES_MAX, Redemption, RedemptionStatus, ShipRedemption
from tests.domain.ledger.commands import ALICE, BOB, NOW, days
from tests.domain.rewards.counter import (
    CLERK,
    HOME,
    MUG,
    TEN_OFF,
    cancelled,
    kept,
    open_counter,
    redeemed,
)
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

OFFICE = replace(HOME, street="人民路 2 号", postcode=None)


async def ship(found: Redemption, **values: str) -> Redemption:
    command = ShipRedemption(
        **{
            "member_id": found.member_id,
            "redemption_id": found.id,
            "carrier": "顺丰",
            "number": "SF123",
            **values,
        }  # type: ignore[arg-type]  # by name, from the lines above
    )
    return await rewards.ship_redemption(command, by=CLERK, now=NOW + days(1))


async def deliver(found: Redemption) -> Redemption:
    return await rewards.deliver_redemption(
        found.member_id, redemption_id=found.id, by=CLERK, now=NOW + days(2)
    )


async def send_to(found: Redemption, address_id: Any, *, member_id: Any = ALICE) -> Redemption:
    return await rewards.set_redemption_address(
        member_id, redemption_id=found.id, address_id=address_id, now=NOW
    )


async def waiting(status: RedemptionStatus) -> list[Redemption]:
    page = await rewards.redemption_queue(PageRequest(first=10), status=status, by=CLERK, now=NOW)
    return [*page.items]


async def test_a_gift_gets_an_address_is_sent_and_arrives() -> None:
    await open_counter()
    found = await redeemed(MUG)
    home, office = await kept(), await kept(OFFICE, key="a-2")
    assert await waiting(RedemptionStatus.AWAITING_ADDRESS) == [found]
    placed = await send_to(found, home.id)
    assert placed.shipment is not None
    assert (placed.status.value, placed.shipment.place) == ("PLACED", HOME)
    moved = await send_to(found, office.id)
    assert moved.shipment is not None
    assert moved.shipment.place == OFFICE
    assert await waiting(RedemptionStatus.PLACED) == [moved]
    sent = await ship(found)
    assert sent.shipment is not None
    assert (sent.status.value, sent.shipment.status.value) == ("SHIPPED", "SHIPPED")
    assert (sent.shipment.carrier, sent.shipment.number) == ("顺丰", "SF123")
    assert sent.shipment.shipped_at == NOW + days(1)
    arrived = await deliver(found)
    assert arrived.shipment is not None
    assert (arrived.status.value, arrived.shipment.delivered_at) == ("DELIVERED", NOW + days(2))
    # The same again is answered, and told only to the log.
    assert await ship(found) == arrived
    assert await deliver(found) == arrived
    kinds = [one.kind for one in await stream(ALICE, after=0, limit=20)]
    assert [kind for kind in kinds if kind.startswith("Redemption")] == [
        "RedemptionAddressed",
        "RedemptionAddressed",
        "RedemptionShipped",
        "RedemptionDelivered",
    ]


async def test_staff_is_recorded_without_what_leads_to_a_person() -> None:
    await open_counter()
    found = await redeemed(MUG, address_id=(await kept()).id)
    await waiting(RedemptionStatus.PLACED)
    await ship(found)
    await deliver(found)
    rows = (await audit.entries(PageRequest(first=10))).items
    assert [(row.action, row.after) for row in rows] == [
        ("redemption.deliver", f'{{"redemption":"{found.id}"}}'),
        ("redemption.ship", f'{{"redemption":"{found.id}"}}'),
        ("redemptions.read", f'{{"redemptions":["{found.id}"],"status":"PLACED"}}'),
    ]


async def test_a_step_that_does_not_begin_where_the_redemption_stands_is_refused() -> None:
    await open_counter()
    home = await kept()
    gift, coupon = await redeemed(MUG), await redeemed(TEN_OFF, "k-2")
    before = await everything_kept()
    for found, act, state in (
        (gift, ship, "AWAITING_ADDRESS"),
        (gift, deliver, "AWAITING_ADDRESS"),
        (coupon, ship, "FULFILLED"),
        (coupon, deliver, "FULFILLED"),
    ):
        with pytest.raises(RedemptionNotOpen) as refused:
            await act(found)
        assert refused.value.state == state
    with pytest.raises(RedemptionNotOpen):
        await send_to(coupon, home.id)
    with pytest.raises(AddressUnknown):
        await send_to(gift, (await kept(member_id=BOB)).id)
    with pytest.raises(RedemptionUnknown):
        await send_to(gift, home.id, member_id=BOB)
    with pytest.raises(RedemptionUnknown):
        await ship(replace(gift, member_id=BOB))
    with pytest.raises(InvalidInput):
        await ship(gift, carrier="")
    with pytest.raises(InvalidInput):
        await ship(gift, number="x" * 65)
    after = await everything_kept()
    assert {name for name in before if before[name] != after[name]} == {
        "member_address",
        "idempotency",
        "outbox",
        "outbox_stream",
    }, "Bob's address alone"
    await cancelled(gift)
    for act in (ship, deliver):
        with pytest.raises(RedemptionNotOpen):
            await act(gift)


async def test_addresses_are_kept_listed_and_forgotten() -> None:
    home = await kept()
    office = await kept(OFFICE, key="a-2")
    assert await kept() == home
    assert {one.id for one in await rewards.addresses(ALICE)} == {home.id, office.id}
    assert await rewards.addresses(BOB) == []
    with pytest.raises(IdempotencyConflict) as conflict:
        await kept(OFFICE)
    assert conflict.value.differing == ("postcode", "street")
    await rewards.remove_address(ALICE, address_id=home.id, now=NOW)
    assert await rewards.addresses(ALICE) == [office]
    before = await everything_kept()
    for member_id, address in ((ALICE, home), (BOB, office)):
        with pytest.raises(AddressUnknown):
            await rewards.remove_address(member_id, address_id=address.id, now=NOW)
    assert await everything_kept() == before


async def test_a_member_keeps_twenty_addresses() -> None:
    for number in range(ADDRESSES_MAX):
        await kept(key=f"a-{number}")
    with pytest.raises(AddressLimitReached) as refused:
        await kept(key="one more")
    assert refused.value.limit == 20
    await kept(member_id=BOB)


@pytest.mark.parametrize(
    "changes",
    [
        {"recipient": ""},
        {"recipient": "x" * 65},
        {"region": " "},
        {"street": "a\nb"},
        {"street": "x" * 257},
        {"postcode": "x" * 17},
    ],
    ids=str,
)
async def test_a_bad_address_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        await kept(replace(HOME, **changes))
    assert refused.value.field == tuple(changes)
    assert await rewards.addresses(ALICE) == []
