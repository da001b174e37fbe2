"""What staff sees of messages, and sends again; on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.audit import Actor
from domain.errors import InvalidInput
from domain.members import ById
from domain.notifications import (
    Channel,
    DeliveryState,
    WantedDeliveries,
    deliveries_page,
    replay_deliveries,
)
from domain.paging import PageRequest
from domain.storage import dialect, execute, fetch_all, observed_statements, transaction
from domain.texting import WebhookTextMessages
from tests.domain.access.fixtures import NOW
from tests.domain.members.test_phones import a_member, bind
from tests.domain.notifications.channels import EMAIL, Shop, log
from tests.domain.texting.receiver import Receiver

pytestmark = pytest.mark.usefixtures("database")

STAFF = Actor(name="staff:li", account_id=UUID(int=7), request_id="r-1")


async def test_staff_sees_deliveries_and_sends_again_what_was_not_sent(shop: Shop) -> None:
    member, other = await a_member("a"), await a_member("b")
    for one, email in ((member, EMAIL), (other, "li@example.com")):
        await shop.has_email(one, email)
        await shop.tell(one)
    shop.office.refusals.append("550 nobody")
    assert await shop.turn(Channel.EMAIL) == (1, 1)
    page = PageRequest(first=10, after=None)
    every = await deliveries_page(page, WantedDeliveries(), by=STAFF, now=NOW)
    assert len(every.items) == 2
    wanted = WantedDeliveries(state=DeliveryState.FAILED, channel=Channel.EMAIL)
    [failed] = (await deliveries_page(page, wanted, by=STAFF, now=NOW)).items
    assert failed.reason == "smtp_550"
    of = WantedDeliveries(member=ById(failed.member_id))
    assert (await deliveries_page(page, of, by=STAFF, now=NOW)).items == [failed]
    ids = [one.id for one in every.items]
    assert await replay_deliveries(ids=ids, by=STAFF, now=shop.now) == 1
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert len(shop.office.mails) == 2
    assert await replay_deliveries(since=NOW, by=STAFF, now=shop.now) == 0
    with pytest.raises(InvalidInput):
        await replay_deliveries(by=STAFF, now=shop.now)


async def test_a_replay_tells_nobody_twice(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    shop.texts = texts
    member = await a_member()
    await shop.has_email(member)
    await bind(member, "+8613800138000")

    async def mail_fails() -> None:
        shop.office.refusals.append("550 nobody")
        assert await shop.turn(Channel.EMAIL) == (0, 1)

    async def replay() -> int:
        return await replay_deliveries(since=NOW, by=STAFF, now=shop.now)

    await shop.tell(member)
    await mail_fails()
    # The text message is about to go out, and then has gone.
    assert await replay() == 0
    assert await shop.turn(Channel.SMS) == (1, 0)
    assert await replay() == 0
    # Of what failed everywhere the first has its turn, and after it the next again.
    await shop.tell(member)
    await mail_fails()
    for _ in range(10):
        sms.answers += [400]
        assert await shop.turn(Channel.SMS) == (0, 1)
        shop.advance(days=1)
    failed = [("EMAIL", "FAILED", 1, "smtp_550"), ("SMS", "FAILED", 10, "unavailable")]
    assert (await log())[2:] == failed
    assert await replay() == 1
    assert (await log())[2:] == [("EMAIL", "WAITING", 0, "smtp_550"), failed[1]]
    await mail_fails()
    assert await shop.turn(Channel.SMS) == (1, 0)
    assert (await log())[2:] == [failed[0], ("SMS", "SENT", 1, None)]
    assert await replay() == 0
    # Staff may still say of one that it is to be sent.
    page = PageRequest(first=10, after=None)
    wanted = WantedDeliveries(state=DeliveryState.FAILED)
    [_, first] = (await deliveries_page(page, wanted, by=STAFF, now=NOW)).items
    assert await replay_deliveries(ids=[first.id], by=STAFF, now=shop.now) == 1
    assert await shop.turn(Channel.EMAIL) == (1, 0)


async def test_what_waited_perhaps_is_sent_again_by_a_replay(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    shop.texts = texts
    member = await a_member()
    await shop.has_email(member)
    await bind(member, "+8613800138000")
    await shop.tell(member)
    shop.office.refusals.append("550 nobody")
    assert await shop.turn(Channel.EMAIL) == (0, 1)
    sms.answers += [500, 500]
    assert await shop.turn(Channel.SMS) == (0, 1)
    assert await replay_deliveries(since=NOW, by=STAFF, now=shop.now) == 1
    assert await log() == [
        ("EMAIL", "FAILED", 1, "smtp_550"),
        ("SMS", "WAITING", 0, "answer_lost"),
    ]


async def test_staff_finds_what_was_not_sent_by_an_index(shop: Shop) -> None:
    page = PageRequest(first=10, after=None)
    for wanted, index in (
        (WantedDeliveries(state=DeliveryState.FAILED), "notification_delivery_not_sent"),
        (WantedDeliveries(channel=Channel.SMS), "notification_delivery_channel"),
    ):
        with observed_statements() as statements:
            await deliveries_page(page, wanted, by=STAFF, now=NOW)
        [statement] = [one for one in statements if "FROM notification_delivery" in one]
        assert index in await plan_of(statement)


async def plan_of(statement: str) -> str:
    """How it is looked for where there is so much that an index is worth it."""
    if dialect() == "sqlite":
        rows = await fetch_all(f"EXPLAIN QUERY PLAN {statement}", UUID(int=0), 10, "SMS")
        return "\n".join(row["detail"] for row in rows)

    async def work() -> str:
        await execute("SET LOCAL enable_seqscan = off")
        await execute("SET LOCAL enable_sort = off")
        rows = await fetch_all(f"EXPLAIN {statement}", UUID(int=0), 10, "SMS")
        return "\n".join(row["QUERY PLAN"] for row in rows)

    return await transaction(work)
