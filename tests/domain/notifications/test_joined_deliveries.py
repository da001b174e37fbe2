"""What goes out of records that are joined while it is on its way, and parted again."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from domain.custody import Merge, MergeBecause, merge, part
from domain.members import heirs
from domain.notifications import (
    Channel,
    Notification,
    deliveries_consumer,
    notify,
    take_channel_turn,
)
from domain.notifications.channels import deliveries as deliveries_as_kept
from domain.notifications.channels import turns
from domain.notifications.channels.deciding import DeliveryState
from domain.notifications.channels.deliveries import Ended, claim, record
from domain.outbox import drain
from domain.storage import fetch_all, transaction
from tests.domain.feedback.filing import join
from tests.domain.ledger.commands import NOW
from tests.domain.notifications.channels import Shop
from tests.properties.served import OPENED, have_address, torn

pytestmark = pytest.mark.usefixtures("database")


async def told(member_id: UUID) -> None:
    one = Notification(member_id=member_id, kind="TICKET_ANSWERED", facts={"number": "T-000001"})
    await transaction(partial(notify, [one], now=NOW))


async def write_down() -> None:
    await drain([deliveries_consumer(OPENED)], clock=lambda: NOW)


async def joined(keeper: UUID, loser: UUID) -> Merge:
    work = partial(merge, keeper, loser, because=MergeBecause.STAFF, by="staff:clerk", now=NOW)
    made = await transaction(work)
    assert made is not None
    return made


async def deliveries() -> list[tuple[UUID, str, str]]:
    rows = await fetch_all("SELECT member_id, channel, state FROM notification_delivery")
    return sorted((row["member_id"], row["channel"], row["state"]) for row in rows)


@pytest.fixture
async def two(database: str) -> tuple[UUID, UUID]:
    """Two members, of whom the second one has an address."""
    alice, bob = await join("alice", "bob")
    await have_address(bob, "bob@example.com", now=NOW)
    return alice, bob


async def test_what_was_told_before_the_merge_goes_out_after_it(two: tuple[UUID, UUID]) -> None:
    alice, bob = two
    await told(bob)
    made = await joined(alice, bob)
    await write_down()
    assert await deliveries() == [(alice, "EMAIL", "WAITING")]
    await transaction(partial(part, made, by="staff:clerk", now=NOW))
    assert await deliveries() == [(bob, "EMAIL", "WAITING")]
    assert await torn() == []


async def test_how_it_goes_out_is_read_of_the_record_that_stays(
    two: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records are joined while it is decided by which channel."""
    alice, bob = two
    await told(bob)

    async def led(ids: Collection[UUID]) -> Mapping[UUID, UUID]:
        found = await heirs(ids)
        await joined(alice, bob)
        return found

    monkeypatch.setattr(deliveries_as_kept, "heirs", led)
    await write_down()
    assert await deliveries() == [(alice, "EMAIL", "WAITING")]


@pytest.mark.parametrize("joins", [True, False])
async def test_a_message_goes_to_whom_it_is_by_now(
    two: tuple[UUID, UUID], shop: Shop, monkeypatch: pytest.MonkeyPatch, *, joins: bool
) -> None:
    """The records are joined, or parted, between the claim and what is read for it."""
    alice, bob = two
    await told(bob)
    made = None if joins else await joined(alice, bob)
    await write_down()

    async def claimed(*given: Any, **named: Any) -> Any:
        found = await claim(*given, **named)
        if made is None:
            await joined(alice, bob)
        else:
            await transaction(partial(part, made, by="staff:clerk", now=NOW))
        return found

    monkeypatch.setattr(turns, "claim", claimed)
    shop.now, shop.opened = NOW, OPENED
    turn = await take_channel_turn(Channel.EMAIL, shop.sending(), stopping=lambda: True)
    assert (turn.sent, turn.not_sent) == (1, 0)
    assert await deliveries() == [(alice if joins else bob, "EMAIL", "SENT")]
    assert len(shop.office.to("bob@example.com")) == 1


async def test_whose_turn_it_is_next_belongs_to_whom_the_delivery_has_come(
    two: tuple[UUID, UUID],
) -> None:
    """The records are joined while the server is waited for."""
    alice, bob = two
    await told(bob)
    await write_down()
    lease, [claimed] = await claim(Channel.EMAIL, now=NOW, count=1)
    made = await joined(alice, bob)
    failed = Ended(
        delivery=claimed, state=DeliveryState.FAILED, attempts=1, at=NOW, then=Channel.SMS
    )
    await record([failed], lease=lease)
    both = [("EMAIL", "FAILED"), ("SMS", "WAITING")]
    assert await deliveries() == [(alice, *one) for one in both]
    await transaction(partial(part, made, by="staff:clerk", now=NOW))
    assert await deliveries() == [(bob, *one) for one in both]
    assert await torn() == []
