"""Subscribe messages of WeChat: one for each consent, and never two; on both databases."""

from __future__ import annotations

from uuid import UUID

import pytest

from api.fake_wechat import DEMO_APP_ID
from domain.errors import IdempotencyConflict, InvalidInput, UnknownApp
from domain.notifications import (
    AcceptSubscribeMessages,
    Channel,
    accept_subscribe_messages,
    subscribe_messages,
)
from domain.notifications.channels.deliveries import LEASE, begin, claim
from domain.storage import fetch_all
from domain.wechat import WeChatClient
from tests.domain.access import fixtures as access
from tests.domain.access.fixtures import NOW
from tests.domain.members import fixtures as members
from tests.domain.members.fixtures import Door
from tests.domain.members.test_phones import a_member
from tests.domain.notifications.channels import TEMPLATES, Shop, log
from tests.domain.wechat import fixtures as wechat_fixtures
from tests.domain.wechat.mini_program import TEMPLATE_ID, MiniProgram

pytestmark = pytest.mark.usefixtures("database")

key_path = access.key_path
ring = access.ring
tokens = access.tokens
_serving_fake = wechat_fixtures._serving_fake
clock = wechat_fixtures.clock
fake = wechat_fixtures.fake
phone = wechat_fixtures.phone
wechat = members.wechat
door = members.door


async def a_subscriber(shop: Shop, door: Door, wechat: WeChatClient) -> UUID:
    """A member who allowed one message."""
    shop.wechat = wechat
    member = (await door.sign_in("o-alice")).member.id
    await shop.allows(member, door.phone, "o-alice")
    return member


async def remaining() -> list[int]:
    rows = await fetch_all("SELECT remaining FROM subscribe_consent ORDER BY id")
    return [row["remaining"] for row in rows]


async def test_a_subscribe_message_uses_one_consent_up(
    shop: Shop, door: Door, wechat: WeChatClient, phone: MiniProgram
) -> None:
    member = await a_subscriber(shop, door, wechat)
    await shop.has_email(member)
    assert await remaining() == [1]
    await shop.tell(member)
    await shop.tell(member)
    assert await log() == [("SUBSCRIBE_MESSAGE", "WAITING", 0, None)] * 2
    assert await shop.turn(Channel.SUBSCRIBE_MESSAGE) == (1, 1)
    assert await remaining() == [0]
    # For the other one nothing was left: it goes by mail.
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert [(channel, state) for channel, state, _, _ in await log()] in (
        [("SUBSCRIBE_MESSAGE", "SENT"), ("SUBSCRIBE_MESSAGE", "FAILED"), ("EMAIL", "SENT")],
        [("SUBSCRIBE_MESSAGE", "FAILED"), ("SUBSCRIBE_MESSAGE", "SENT"), ("EMAIL", "SENT")],
    )
    [message] = (await phone.http.get("/_fake/outbox")).json()["messages"]
    assert (message["touser"], message["page"]) == ("o-alice", "pages/orders")
    assert message["data"] == {
        "thing1": {"value": "您的订单 A-1 已发货。顺丰 SF1"},
        "character_string2": {"value": "SF1"},
        "time3": {"value": "2026-03-01 20:00"},
    }
    # With none left the next one goes by mail at once.
    await shop.tell(member)
    assert (await log())[-1] == ("EMAIL", "WAITING", 0, None)


async def test_wechats_43101_has_the_last_word(
    shop: Shop, door: Door, wechat: WeChatClient
) -> None:
    member = await a_subscriber(shop, door, wechat)
    # Counted here, and not there: the member took it back in WeChat's own settings.
    for more in range(3):
        await shop.accepts(member, key=f"more-{more}")
    assert await remaining() == [4]
    await shop.has_email(member)
    await shop.tell(member)
    await shop.tell(member)
    assert await shop.turn(Channel.SUBSCRIBE_MESSAGE) == (1, 1)
    assert await remaining() == [0]
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert ("SUBSCRIBE_MESSAGE", "FAILED", 1, "refused") in await log()


@pytest.mark.parametrize(
    ("fault", "ended", "left"),
    [
        ({"errcode": 40037}, ("FAILED", "template_unknown"), 1),
        ({"errcode": 47003}, ("FAILED", "content_invalid"), 1),
        ({"errcode": 40003}, ("FAILED", "recipient_unknown"), 0),
        ({"errcode": 48001}, ("WAITING", "wechat_48001"), 1),
        ({"drop": True, "after": True}, ("PERHAPS_SENT", "answer_lost"), 0),
    ],
)
async def test_a_consent_is_used_up_unless_nothing_was_sent(
    shop: Shop,
    door: Door,
    wechat: WeChatClient,
    fault: dict[str, object],
    ended: tuple[str, str],
    left: int,
) -> None:
    member = await a_subscriber(shop, door, wechat)
    await shop.tell(member)
    await door.phone.break_endpoint("subscribe_send", times=1, **fault)
    assert await shop.turn(Channel.SUBSCRIBE_MESSAGE) == (0, 1)
    assert await log() == [("SUBSCRIBE_MESSAGE", ended[0], 1, ended[1])]
    assert await remaining() == [left]


async def test_who_died_with_a_subscribe_message_leaves_it_alone(
    shop: Shop, door: Door, wechat: WeChatClient
) -> None:
    member = await a_subscriber(shop, door, wechat)
    await shop.tell(member)
    lease, claimed = await claim(Channel.SUBSCRIBE_MESSAGE, now=shop.now, count=4)
    await begin(claimed, lease=lease, now=shop.now)
    shop.now += LEASE
    assert await shop.turn(Channel.SUBSCRIBE_MESSAGE) == (0, 1)
    assert await log() == [("SUBSCRIBE_MESSAGE", "PERHAPS_SENT", 1, "sender_died")]
    assert (await door.phone.calls()).get("subscribe_send", 0) == 0


async def test_what_is_accepted_counts_once_for_each_key(
    shop: Shop, door: Door, wechat: WeChatClient
) -> None:
    member = await a_subscriber(shop, door, wechat)
    for _ in range(2):
        await shop.accepts(member, key="again")
    [mine] = await subscribe_messages(member, DEMO_APP_ID, templates=TEMPLATES)
    assert (mine.template_id, mine.kinds, mine.remaining) == (TEMPLATE_ID, ["ORDER_SHIPPED"], 2)

    async def accept(key: str, *ids: str, app_id: str = DEMO_APP_ID) -> None:
        command = AcceptSubscribeMessages(
            member_id=member, app_id=app_id, template_ids=ids, idempotency_key=key
        )
        await accept_subscribe_messages(command, templates=TEMPLATES, now=NOW)

    for ids in ((), (TEMPLATE_ID, TEMPLATE_ID), ("another",)):
        with pytest.raises(InvalidInput):
            await accept("k", *ids)
    with pytest.raises(UnknownApp):
        await accept("k", TEMPLATE_ID, app_id="wx-of-nobody")
    member = await a_member("never-signed-in")
    with pytest.raises(UnknownApp):
        await accept("k", TEMPLATE_ID)
    assert await remaining() == [2]


async def test_a_key_of_another_request_is_refused(
    shop: Shop, door: Door, wechat: WeChatClient
) -> None:
    member = await a_subscriber(shop, door, wechat)
    await shop.accepts(member, key="k")
    other = {DEMO_APP_ID: {**TEMPLATES[DEMO_APP_ID]}}
    [template] = other[DEMO_APP_ID].values()
    other[DEMO_APP_ID]["ORDER_DELIVERED"] = type(template)(template_id="b" * 43)
    command = AcceptSubscribeMessages(
        member_id=member, app_id=DEMO_APP_ID, template_ids=["b" * 43], idempotency_key="k"
    )
    with pytest.raises(IdempotencyConflict):
        await accept_subscribe_messages(command, templates=other, now=NOW)
    assert await remaining() == [2]
