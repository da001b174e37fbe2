"""Channels: each message once, by the first channel that works; on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from domain.audit import Actor
from domain.errors import InvalidInput
from domain.members import ById
from domain.notifications import (
    Channel,
    DeliveryState,
    KindGroup,
    OpenChannels,
    QuietHours,
    SetNotificationPreferences,
    WantedDeliveries,
    deliveries_page,
    forget_deliveries,
    preferences,
    replay_deliveries,
    set_notification_preferences,
    unsubscribe,
    unsubscribe_group,
)
from domain.notifications.channels import deciding
from domain.notifications.channels.deliveries import LEASE, claim
from domain.notifications.channels.sending import EmailSender
from domain.notifications.quiet import Preferences
from domain.paging import PageRequest
from domain.storage import fetch_all
from domain.texting import TextingLimits, WebhookTextMessages
from tests.domain.access.fixtures import NOW
from tests.domain.mailing.post_office import DROP, PostOffice, open_post_office, text_of
from tests.domain.members.test_phones import a_member, bind
from tests.domain.notifications.channels import EMAIL, SHANGHAI, Shop, log
from tests.domain.texting.receiver import SECRET, Receiver, running_receiver
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


STAFF = Actor(name="staff:li", account_id=UUID(int=7), request_id="r-1")


@pytest.fixture(scope="module")
def _office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest.fixture
def shop(_office: PostOffice) -> Shop:
    _office.reset()
    return Shop(office=_office)


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def sms(_receiver: Receiver) -> Receiver:
    _receiver.reset()
    return _receiver


@pytest.fixture
async def texts(sms: Receiver) -> AsyncIterator[WebhookTextMessages]:
    limits = TextingLimits(deadline_s=5, try_s=2)
    sender = WebhookTextMessages(url=sms.url, secret=SECRET, limits=limits)
    yield sender
    await sender.aclose()


async def test_who_is_reached_by_nothing_has_their_inbox(shop: Shop) -> None:
    await shop.tell(await a_member())
    assert await log() == []


async def test_a_mail_says_what_the_inbox_says(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    assert await log() == [("EMAIL", "WAITING", 0, None)]
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    [mail] = shop.office.taken
    [told] = await fetch_all("SELECT id FROM notification")
    assert str(mail["Subject"]) == "订单已发货"
    assert str(mail["Message-ID"]) == f"<notification-{told['id']}@jifen.example>"
    link = str(mail["List-Unsubscribe"]).strip("<>")
    assert text_of(mail).splitlines() == [
        "您的订单 A-1 已发货。顺丰 SF1",
        "",
        "-- ",
        "积分",
        f"退订此类邮件：{link}",
    ]
    assert await log() == [("EMAIL", "SENT", 1, None)]
    assert await shop.turn(Channel.EMAIL) == (0, 0)


async def test_an_event_that_is_handed_over_twice_is_sent_once(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    await shop.deliver()
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert len(shop.office.taken) == 1


async def test_mails_wait_for_a_server_that_is_down_and_go_out_once(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    for order in range(20):
        await shop.tell(member, facts={"order": f"A-{order}"})
    shop.office.close()
    try:
        # Who fares no better is not asked: a turn ends with the first few.
        assert await shop.turn(Channel.EMAIL) == (0, 4)
        assert await shop.turn(Channel.EMAIL) == (0, 4)
    finally:
        shop.office.open()
    shop.office.ends += ["451 later", DROP]
    while any(state == "WAITING" for _, state, _, _ in await log()):
        shop.advance(minutes=5)
        await shop.turn(Channel.EMAIL)
    assert len(shop.office.mails) == 20
    # One came twice, and is seen once: its answer was lost after it was taken.
    assert len(shop.office.taken) == 21
    assert {state for _, state, _, _ in await log()} == {"SENT"}


async def test_who_died_with_a_mail_leaves_it_to_be_sent_again(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    await claim(Channel.EMAIL, now=shop.now, count=4)
    assert await shop.turn(Channel.EMAIL) == (0, 0)
    shop.now += LEASE
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert len(shop.office.taken) == 1


async def test_who_lost_their_lease_writes_nothing(shop: Shop) -> None:
    from domain.notifications.channels.deliveries import Ended, record

    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    lease, [mine] = await claim(Channel.EMAIL, now=shop.now, count=4)
    shop.now += LEASE
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    late = Ended(delivery=mine, state=DeliveryState.FAILED, attempts=1, at=shop.now)
    await record([late], lease=lease)
    assert await log() == [("EMAIL", "SENT", 1, None)]


async def test_an_address_that_is_refused_for_good_falls_back(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    shop.texts = texts
    member = await a_member()
    await shop.has_email(member)
    await bind(member, "+8613800138000")
    await shop.tell(member)
    shop.office.refusals.append("550 nobody")
    assert await shop.turn(Channel.EMAIL) == (0, 1)
    assert await shop.turn(Channel.SMS) == (1, 0)
    assert await log() == [("EMAIL", "FAILED", 1, "smtp_550"), ("SMS", "SENT", 1, None)]
    [message] = sms.messages
    assert (message["to"], message["type"]) == (
        "+8613800138000",
        "sms.notification_order_shipped",
    )
    assert message["text"] == "订单已发货\n您的订单 A-1 已发货。顺丰 SF1"


async def test_a_text_message_that_was_perhaps_sent_is_not_sent_again(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    shop.texts = texts
    member = await a_member()
    await bind(member, "+8613800138000")
    await shop.tell(member)
    sms.answers += [500, 500]
    assert await shop.turn(Channel.SMS) == (0, 1)
    await shop.tell(member)
    sms.answers += [400]
    assert await shop.turn(Channel.SMS) == (0, 1)
    shop.advance(minutes=5)
    assert await shop.turn(Channel.SMS) == (1, 0)
    assert await log() == [("SMS", "PERHAPS_SENT", 1, "answer_lost"), ("SMS", "SENT", 2, None)]


async def test_quiet_hours_postpone_and_count_no_attempt(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    # At noon UTC it is eight in the evening in Shanghai.
    hours = QuietHours(from_minute=20 * 60, until_minute=8 * 60, zone=SHANGHAI)
    quiet = SetNotificationPreferences(member_id=member, said={}, quiet={Channel.EMAIL: hours})
    await set_notification_preferences(quiet, now=shop.now)
    await shop.tell(member)
    assert await shop.turn(Channel.EMAIL) == (0, 1)
    assert await log() == [("EMAIL", "WAITING", 0, "quiet_hours")]
    shop.advance(hours=11, minutes=59)
    assert await shop.turn(Channel.EMAIL) == (0, 0)
    shop.advance(minutes=1)
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert len(shop.office.taken) == 1


async def test_one_click_ends_mails_of_a_group_for_good(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    await shop.tell(member)
    assert await shop.turn(Channel.EMAIL) == (2, 0)
    token = str(shop.office.taken[0]["List-Unsubscribe"]).strip("<>").rpartition("/")[2]
    assert unsubscribe_group(token) == (member, KindGroup.ORDERS)
    await shop.tell(member)
    assert await unsubscribe(token, now=shop.now)
    assert await unsubscribe(token, now=shop.now)
    # What waited is stopped, what comes later is not even written down.
    assert await shop.turn(Channel.EMAIL) == (0, 1)
    await shop.tell(member)
    assert [state for _, state, _, _ in await log()] == ["SENT", "SENT", "STOPPED"]
    said = await preferences(member)
    assert not said.wants("ORDER_SHIPPED", Channel.EMAIL)
    assert said.wants("LEVEL_REACHED", Channel.EMAIL)


async def test_a_link_that_we_never_gave_out_does_nothing(shop: Shop) -> None:
    from domain.notifications.channels import unsubscribe_token

    before = await everything_kept()
    for invented in ("", "x", "A" * 200, "é", "????"):
        assert unsubscribe_group(invented) is None
        assert not await unsubscribe(invented, now=shop.now)
    assert await everything_kept() == before
    # No letter of one that we gave out can be changed.
    token = unsubscribe_token(UUID(int=5), KindGroup.LEVELS)
    # The last letter may hold bits of nothing.
    for place in range(len(token) - 1):
        other = "A" if token[place] != "A" else "B"
        assert unsubscribe_group(token[:place] + other + token[place + 1 :]) is None


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


async def test_after_ten_attempts_a_message_is_given_up_and_one_day_forgotten(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    for _ in range(10):
        shop.office.ends.append("451 later")
        assert await shop.turn(Channel.EMAIL) == (0, 1)
        shop.advance(days=1)
    assert await log() == [("EMAIL", "FAILED", 10, "unavailable")]
    assert await forget_deliveries(before=NOW) == 0
    assert await forget_deliveries(before=NOW + timedelta(seconds=1)) == 1


async def test_a_programme_without_channels_writes_nothing_down(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    shop.opened = OpenChannels(channels=frozenset())
    await shop.tell(member)
    assert await log() == []


async def test_what_nobody_thought_of_is_an_attempt_that_failed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)

    async def broken(*_: object) -> None:
        raise RuntimeError(EMAIL)

    monkeypatch.setattr(EmailSender, "send", broken)
    assert await shop.turn(Channel.EMAIL) == (0, 1)
    assert await log() == [("EMAIL", "WAITING", 1, "broke")]


def test_channels_are_tried_in_the_order_of_what_they_cost() -> None:
    told, everything = Preferences(), set(deciding.ORDER)
    order = [Channel.SUBSCRIBE_MESSAGE, Channel.EMAIL, Channel.SMS]
    assert deciding.channels_for("ORDER_SHIPPED", told, everything) == order
    # A level is worth no text message, unless the member says so.
    assert deciding.channels_for("LEVEL_REACHED", told, everything) == order[:2]
    assert deciding.channels_for("ORDER_SHIPPED", told, {Channel.SMS}) == order[2:]
    said = Preferences(said={(KindGroup.ORDERS, Channel.EMAIL): False})
    assert deciding.channels_for("ORDER_SHIPPED", said, everything) == [order[0], order[2]]
    following = deciding.next_channel
    assert following(order[0], "ORDER_SHIPPED", said, everything) is Channel.SMS
    assert following(order[2], "ORDER_SHIPPED", said, everything) is None


@pytest.mark.parametrize("channel", list(deciding.ORDER))
def test_only_what_bears_two_is_sent_again_after_a_death(channel: Channel) -> None:
    assert not deciding.is_unsure(channel, claims=1, attempts=0)
    assert not deciding.is_unsure(channel, claims=4, attempts=3)
    assert deciding.is_unsure(channel, claims=2, attempts=0) is (channel is not Channel.EMAIL)
