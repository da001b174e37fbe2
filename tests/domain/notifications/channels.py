"""Members who are told something, by channels that are real: a mail server, a fake WeChat, SMS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from api.fake_wechat import DEMO_APP_ID
from domain.mailing import SmtpMails
from domain.members import ConfirmEmail, SetEmail, confirm_email, set_email
from domain.notifications import (
    AcceptSubscribeMessages,
    Channel,
    ChannelSending,
    EmailSender,
    Notification,
    OpenChannels,
    ProgrammeWords,
    Sender,
    SmsSender,
    SubscribeSender,
    SubscribeTemplate,
    Wording,
    accept_subscribe_messages,
    deliveries_consumer,
    notify,
    take_channel_turn,
)
from domain.outbox import drain
from domain.storage import fetch_all, transaction
from domain.texting import TextMessages
from domain.wechat import WeChatClient
from tests.domain.access.fixtures import NOW
from tests.domain.mailing.post_office import PostOffice
from tests.domain.wechat.mini_program import TEMPLATE_ID, MiniProgram

EMAIL = "wang.wu@example.com"
SHANGHAI = ZoneInfo("Asia/Shanghai")
TEMPLATES = {
    DEMO_APP_ID: {
        "ORDER_SHIPPED": SubscribeTemplate(
            template_id=TEMPLATE_ID,
            page="pages/orders",
            values={"thing1": "body", "character_string2": "number", "time3": "at"},
        )
    }
}
ALL = frozenset({Channel.SUBSCRIBE_MESSAGE, Channel.EMAIL, Channel.SMS})


@dataclass(slots=True)
class Shop:
    """A programme that tells its members things."""

    office: PostOffice
    wechat: WeChatClient | None = None
    texts: TextMessages | None = None
    now: datetime = NOW
    opened: OpenChannels = field(
        default_factory=lambda: OpenChannels(channels=ALL, templates=TEMPLATES)
    )

    def advance(self, **duration: float) -> None:
        """Let time pass."""
        self.now += timedelta(**duration)

    async def has_email(self, member_id: UUID, email: str = EMAIL) -> None:
        """Let the member have the address."""
        mails = SmtpMails(self.office.server)
        await set_email(SetEmail(member_id=member_id, email=email), mails=mails, now=self.now)
        code = self.office.code(email)
        await confirm_email(ConfirmEmail(member_id=member_id, email=email, code=code), now=self.now)
        self.office.reset()

    async def allows(self, member_id: UUID, phone: MiniProgram, openid: str) -> None:
        """Let the member allow one message in the mini-program, which tells us."""
        await phone.control("consent", {"openid": openid, "templateId": TEMPLATE_ID})
        await self.accepts(member_id, key=f"{openid}-{self.now}")

    async def accepts(self, member_id: UUID, *, key: str) -> None:
        """The mini-program tells us that one message was allowed."""
        command = AcceptSubscribeMessages(
            member_id=member_id,
            app_id=DEMO_APP_ID,
            template_ids=[TEMPLATE_ID],
            idempotency_key=key,
        )
        await accept_subscribe_messages(command, templates=TEMPLATES, now=self.now)

    async def tell(
        self, member_id: UUID, kind: str = "ORDER_SHIPPED", facts: Mapping[str, Any] | None = None
    ) -> None:
        """Tell the member something, and write down how it goes out."""
        facts = {"order": "A-1", "carrier": "顺丰", "number": "SF1"} if facts is None else facts
        one = Notification(member_id=member_id, kind=kind, facts=facts)
        await transaction(lambda: notify([one], now=self.now))
        await self.deliver()

    async def deliver(self) -> None:
        """Hand over what was announced."""
        await drain([deliveries_consumer(self.opened)], clock=lambda: self.now)

    def sending(self) -> ChannelSending:
        """What a turn needs."""
        senders: dict[Channel, Sender] = {Channel.EMAIL: EmailSender(SmtpMails(self.office.server))}
        if self.wechat is not None:
            senders[Channel.SUBSCRIBE_MESSAGE] = SubscribeSender(self.wechat)
        if self.texts is not None:
            senders[Channel.SMS] = SmsSender(self.texts)

        async def words() -> ProgrammeWords:
            return ProgrammeWords(name="积分", wording=Wording(zone=SHANGHAI))

        return ChannelSending(
            senders=senders,
            opened=self.opened,
            words=words,
            clock=lambda: self.now,
            public_url="https://jifen.example",
            jitter=lambda: 0.0,
        )

    async def turn(self, channel: Channel) -> tuple[int, int]:
        """A turn of the channel: what was sent, and what was not."""
        turn = await take_channel_turn(channel, self.sending())
        return turn.sent, turn.not_sent


async def log() -> list[tuple[str, str, int, str | None]]:
    """The delivery log: channel, state, attempts and reason, in the order of the writing."""
    rows = await fetch_all(
        "SELECT channel, state, attempts, reason FROM notification_delivery ORDER BY id"
    )
    return [(row["channel"], row["state"], row["attempts"], row["reason"]) for row in rows]
