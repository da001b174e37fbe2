"""`notificationReceived`: all that a member is told, once, in order, and to nobody else."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pytest

from domain import outbox
from domain.notifications import Notification, notify
from domain.storage import transaction
from tests.graphql.gateway import NOW, Session, cursor, global_id
from tests.graphql.operations import operation
from tests.graphql.orders import applied, line, order, record
from tests.streaming.serving import Peer, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

TELL_MAX: Final = 40


async def tell(*members: Session, number: int = 0) -> None:
    told = [
        Notification(member_id=one.member, kind="TICKET_ANSWERED", facts={"number": f"T-{number}"})
        for one in members
    ]
    await transaction(partial(notify, told, now=NOW))


async def follow(peer: Peer, since: str | None = None) -> None:
    await peer.ask(operation("NotificationReceived"), variables={"since": since})


async def event(peer: Peer) -> Any:
    message = await peer.hear()
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    return message["payload"]["data"]["notificationReceived"]


def position(number: int) -> str:
    return cursor(f'["events",{number}]')


async def test_what_a_purchase_leads_to_is_told_at_once(served: Served) -> None:
    gateway = served.gateway
    alice = await gateway.sign_in()
    async with served.ready(alice.access_token) as peer:
        await follow(peer)
        await served.until_followed()
        # Points and a level come with it, of which the level alone is a notification.
        big = order("A", alice.member_id, line("cup", 110_000))
        assert applied(await record(gateway, "b-1", [big])) == [1_100]
        came = await event(peer)
        [shown] = (await gateway.send("Inbox", alice.access_token))["notifications"]["nodes"]
        assert came["notification"] == {
            name: shown[name] for name in ("id", "kind", "title", "createdAt")
        }
        assert (shown["kind"], shown["title"]) == ("LEVEL_REACHED", "恭喜升级为白银会员")
        # Whatever else happens is nothing of this.
        assert applied(await record(gateway, "b-2", [order("B", alice.member_id)])) == [96]
        await tell(alice, number=7)
        assert (await event(peer))["notification"]["title"] == "您的反馈 T-7 有新回复"


async def test_each_comes_once_and_in_order_to_its_member(served: Served) -> None:
    alice, bob = await served.gateway.sign_in("o-alice"), await served.gateway.sign_in("o-bob")
    before = (await outbox.positions([alice.member]))[alice.member]
    async with served.ready(alice.access_token) as peer:
        await follow(peer)
        await served.until_followed()
        for number in range(TELL_MAX // 2):
            await tell(bob, alice, number=number)
        came = [await event(peer) for _ in range(TELL_MAX // 2)]
    for number in range(TELL_MAX // 2, TELL_MAX):
        await tell(alice, bob, number=number)
    async with served.ready(alice.access_token) as peer:
        # From the last that came: what was missed comes first.
        await follow(peer, since=came[-1]["cursor"])
        came += [await event(peer) for _ in range(TELL_MAX // 2)]
    assert [one["notification"]["title"] for one in came] == [
        f"您的反馈 T-{number} 有新回复" for number in range(TELL_MAX)
    ]
    assert [one["cursor"] for one in came] == [
        position(before + number + 1) for number in range(TELL_MAX)
    ]
    ids = {one["notification"]["id"] for one in came}
    assert len(ids) == TELL_MAX
    assert all(one.startswith(global_id("Notification", alice.member)[:20]) for one in ids)
