"""Channels: each message once, by the first channel that works; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from domain.notifications import (
    Channel,
    DeliveryState,
    KindGroup,
    OpenChannels,
    ProgrammeWords,
    QuietHours,
    SetNotificationPreferences,
    forget_deliveries,
    preferences,
    set_notification_preferences,
    take_channel_turn,
    unsubscribe,
    unsubscribe_group,
)
from domain.notifications.channels import deciding
from domain.notifications.channels.deliveries import LEASE, Ended, begin, claim, record
from domain.notifications.channels.reaching import reach
from domain.notifications.channels.sending import EmailSender
from domain.notifications.quiet import Preferences
from domain.storage import fetch_all, observed_statements
from domain.texting import WebhookTextMessages
from tests.domain.access.fixtures import NOW
from tests.domain.mailing.post_office import DROP, text_of
from tests.domain.members.test_phones import a_member, bind
from tests.domain.notifications.channels import EMAIL, SHANGHAI, Shop, log
from tests.domain.texting.receiver import Receiver
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")


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
    # As it stands: a mail program that ends mails by it decodes nothing.
    assert f"List-Unsubscribe: <{link}>".encode() in shop.office.lines[0].split(b"\r\n")
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
    member = await a_member()
    await shop.has_email(member)
    await shop.tell(member)
    lease, [mine] = await claim(Channel.EMAIL, now=shop.now, count=4)
    shop.now += LEASE
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    late = Ended(
        delivery=mine, state=DeliveryState.FAILED, attempts=1, at=shop.now, then=Channel.SMS
    )
    await record([late], lease=lease)
    # Nor does it start another channel.
    assert await log() == [("EMAIL", "SENT", 1, None)]
    assert await begin([mine], lease=lease, now=shop.now) == set()


async def test_a_server_that_refuses_us_refuses_no_member(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    shop.texts = texts
    member = await a_member()
    await shop.has_email(member)
    await bind(member, "+8613800138000")
    await shop.tell(member)
    shop.office.unwelcome.append("550 5.7.1 your account is suspended")
    assert await shop.turn(Channel.EMAIL) == (0, 1)
    assert await log() == [("EMAIL", "WAITING", 1, "unavailable")]
    shop.advance(minutes=5)
    assert await shop.turn(Channel.EMAIL) == (1, 0)
    assert await shop.turn(Channel.SMS) == (0, 0)
    assert sms.messages == []


async def test_what_was_not_handed_over_yet_is_sent_after_a_failure_of_ours(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    """Somebody died between the claim and the sending, or could not read what to say."""
    shop.texts = texts
    member = await a_member()
    await bind(member, "+8613800138000")
    await shop.tell(member)
    await claim(Channel.SMS, now=shop.now, count=4)
    shop.now += LEASE

    async def words() -> ProgrammeWords:
        raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        await take_channel_turn(Channel.SMS, replace(shop.sending(), words=words))
    shop.now += LEASE
    assert await shop.turn(Channel.SMS) == (1, 0)
    assert await log() == [("SMS", "SENT", 1, None)]
    assert len(sms.messages) == 1


async def test_who_died_with_a_text_message_leaves_it_alone(
    shop: Shop, texts: WebhookTextMessages, sms: Receiver
) -> None:
    shop.texts = texts
    member = await a_member()
    await bind(member, "+8613800138000")
    await shop.tell(member)
    lease, claimed = await claim(Channel.SMS, now=shop.now, count=4)
    shop.advance(minutes=1)
    assert await begin(claimed, lease=lease, now=shop.now) == {claimed[0].id}
    # The lease counts from there.
    shop.advance(minutes=1)
    assert await shop.turn(Channel.SMS) == (0, 0)
    shop.advance(minutes=1)
    assert await shop.turn(Channel.SMS) == (0, 1)
    assert await log() == [("SMS", "PERHAPS_SENT", 1, "sender_died")]
    assert sms.messages == []


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


async def test_what_waits_for_quiet_hours_goes_out_when_they_are_taken_back(shop: Shop) -> None:
    member = await a_member()
    await shop.has_email(member)
    hours = QuietHours(from_minute=20 * 60, until_minute=8 * 60, zone=SHANGHAI)
    shorter = replace(hours, until_minute=21 * 60)
    for said, sent in ((hours, (0, 1)), (shorter, (0, 1)), (None, (1, 0))):
        quiet = SetNotificationPreferences(member_id=member, said={}, quiet={Channel.EMAIL: said})
        await set_notification_preferences(quiet, now=shop.now)
        if said is hours:
            await shop.tell(member)
        assert await shop.turn(Channel.EMAIL) == sent
        assert await shop.turn(Channel.EMAIL) == (0, 0)
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


async def test_who_is_told_how_is_read_at_once_however_many_they_are(shop: Shop) -> None:
    people = [await a_member(f"p-{number}") for number in range(3)]
    for number, one in enumerate(people):
        await shop.has_email(one, f"p{number}@example.com")
    with observed_statements() as statements:
        reached = await reach(people, opened=shop.opened)
    assert len(reached) == 3
    alone = {one: (await reach([one], opened=shop.opened))[one] for one in people}
    assert reached == alone
    assert len([one for one in statements if "FROM notification_preference" in one]) == 1
    assert len([one for one in statements if "FROM notification_quiet_hours" in one]) == 1


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
    assert not deciding.is_unsure(channel, begun=0, attempts=0)
    assert not deciding.is_unsure(channel, begun=3, attempts=3)
    assert deciding.is_unsure(channel, begun=1, attempts=0) is (channel is not Channel.EMAIL)
