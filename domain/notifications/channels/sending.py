"""The channels themselves: one message to one member, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from domain.errors import (
    EmailRefused,
    EmailUnavailable,
    SmsUnavailable,
    UnknownApp,
    WeChatRefusal,
    WeChatUnavailable,
)
from domain.mailing import Mail, Mails
from domain.notifications.channels.deciding import Outcome, Result
from domain.notifications.channels.reaching import Reached
from domain.notifications.channels.subscribing import (
    Allowed,
    SubscribeTemplate,
    allowed_for,
    filled,
    give_back,
    none_left,
    take_one,
)
from domain.texting import TextMessage, TextMessages
from domain.wechat import SubscribeOutcome, WeChatClient, WeChatFault

UNREACHABLE = Outcome(Result.NEVER, "unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one member is told, worded. `id` is that of the notification, the same at every try.

    `values` are the facts by their names, and `title`, `body` and `at`, as they are written.
    """

    id: UUID
    kind: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    link: str | None
    values: Mapping[str, str] = field(repr=False)
    language: Literal["zh", "en"]
    at: datetime
    programme: str
    unsubscribe_url: str = field(repr=False)


class Sender(Protocol):
    """A channel. Never used inside a transaction."""

    async def send(self, message: Message, to: Reached) -> Outcome:
        """Tell the member. Whatever goes wrong is an outcome."""


@dataclass(frozen=True, slots=True)
class EmailSender:
    """Mails to the member's confirmed address.

    A mail whose answer was lost is sent again with the same Message-ID: two may arrive where the
    server took the first, and mailboxes show them once.
    """

    mails: Mails

    async def send(self, message: Message, to: Reached) -> Outcome:
        """Send one mail."""
        if to.email is None:
            return UNREACHABLE
        try:
            await self.mails.send(_mail(message, to.email))
        except EmailRefused as refused:
            return Outcome(Result.NEVER, f"smtp_{refused.status}")
        except EmailUnavailable as failure:
            if failure.perhaps_sent:
                return Outcome(Result.NOT_NOW, "answer_lost")
            return Outcome(Result.DOWN, "unavailable")
        return Outcome(Result.SENT)


@dataclass(frozen=True, slots=True)
class SmsSender:
    """Text messages to the member's number."""

    texts: TextMessages

    async def send(self, message: Message, to: Reached) -> Outcome:
        """Send one text message."""
        if to.phone is None:
            return UNREACHABLE
        sms = TextMessage(
            template=f"notification_{message.kind.lower()}",
            values=message.values,
            text=f"{message.title}\n{message.body}".strip(),
            language=message.language,
        )
        try:
            await self.texts.send(to.phone, sms)
        except SmsUnavailable as failure:
            if failure.perhaps_sent:
                return Outcome(Result.PERHAPS_SENT, "answer_lost")
            return Outcome(Result.DOWN, "unavailable")
        return Outcome(Result.SENT)


@dataclass(frozen=True, slots=True)
class SubscribeSender:
    """Subscribe messages of a mini-program, each of which uses one consent up."""

    wechat: WeChatClient

    async def send(self, message: Message, to: Reached) -> Outcome:
        """Use a consent up, and send one message."""
        found = allowed_for(message.kind, to.allowed, to.templates)
        if found is None:
            return UNREACHABLE
        allowed, template = found
        if not await take_one(allowed):
            return Outcome(Result.NEVER, "consent_used_up")
        try:
            return await self._send(message, allowed, template)
        except WeChatUnavailable as failure:
            if failure.perhaps_sent:
                return Outcome(Result.PERHAPS_SENT, "answer_lost")
            outcome = Outcome(Result.DOWN, "unavailable")
        except UnknownApp:
            outcome = Outcome(Result.NEVER, "app_unknown")
        except (WeChatFault, WeChatRefusal) as fault:
            errcode = fault.errcode if isinstance(fault, WeChatFault) else type(fault).__name__
            outcome = Outcome(Result.NOT_NOW, f"wechat_{errcode}")
        await give_back(allowed)
        return outcome

    async def _send(
        self, message: Message, allowed: Allowed, template: SubscribeTemplate
    ) -> Outcome:
        result = await self.wechat.send_subscribe_message(
            allowed.app_id,
            openid=allowed.openid,
            template_id=template.template_id,
            values=filled(template, message.values),
            page=template.page,
            language="zh_CN" if message.language == "zh" else "en_US",
        )
        match result.outcome:
            case SubscribeOutcome.SENT:
                return Outcome(Result.SENT)
            case SubscribeOutcome.REFUSED | SubscribeOutcome.RECIPIENT_UNKNOWN:
                await none_left(allowed)
            case _:
                await give_back(allowed)
        return Outcome(Result.NEVER, result.outcome.value)


def _mail(message: Message, to: str) -> Mail:
    stop = "退订此类邮件：" if message.language == "zh" else "No more mails of this kind: "
    text = (
        f"{message.body or message.title}\n\n-- \n{message.programme}\n"
        f"{stop}{message.unsubscribe_url}\n"
    )
    return Mail(
        reference=f"notification-{message.id}",
        to=to,
        subject=message.title,
        text=text,
        at=message.at,
        unsubscribe_url=message.unsubscribe_url,
    )
