"""Sending notifications in the background: each channel's turn is a task of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Literal

from redis import asyncio as aioredis

from api.observability.metrics import MESSAGES
from api.opening import open_mails, open_texting, open_wechat
from api.settings import Settings
from api.telling.opening import opened_channels
from api.workers.turns import Due, Turns
from domain import notifications, program, tiers
from domain.clock import Clock
from domain.notifications import (
    Channel,
    ChannelSending,
    EmailSender,
    ProgrammeWords,
    Sender,
    SmsSender,
    SubscribeSender,
    Wording,
)


class MessageSender:
    """Sends what is due to members in tasks of this process; see `Turns`."""

    def __init__(self, sending: ChannelSending, *, settings: Settings, clock: Clock) -> None:
        self._sending = sending
        self._clock = clock
        self._turns = Turns(
            self._due,
            name="messages_failed",
            poll_s=settings.work.poll_s,
            at_once_max=len(notifications.Channel),
        )
        self.stop, self.run = self._turns.stop, self._turns.run

    async def _due(self) -> Due:
        now = self._clock.now()
        return {
            channel: partial(self._take_turn, channel)
            for channel in self._sending.senders
            if await notifications.is_due(channel, now=now)
        }

    async def _take_turn(self, channel: Channel) -> None:
        turn = await notifications.take_channel_turn(
            channel, self._sending, stopping=lambda: self._turns.is_stopping
        )
        MESSAGES.labels(channel.value, "sent").inc(turn.sent)
        MESSAGES.labels(channel.value, "not_sent").inc(turn.not_sent)


@asynccontextmanager
async def open_sending(
    settings: Settings, *, clock: Clock, redis: aioredis.Redis
) -> AsyncIterator[ChannelSending]:
    """The channels with their servers, for as long as the block."""
    opened, senders = opened_channels(settings), dict[Channel, Sender]()
    async with AsyncExitStack() as stack:
        if Channel.SUBSCRIBE_MESSAGE in opened.channels:
            wechat = open_wechat(settings, redis=redis)
            stack.push_async_callback(wechat.aclose)
            senders[Channel.SUBSCRIBE_MESSAGE] = SubscribeSender(wechat)
        if Channel.EMAIL in opened.channels:
            senders[Channel.EMAIL] = EmailSender(open_mails(settings))
        if Channel.SMS in opened.channels:
            texts = await stack.enter_async_context(open_texting(settings))
            senders[Channel.SMS] = SmsSender(texts)
        yield ChannelSending(
            senders=senders,
            opened=opened,
            words=partial(_words, settings.notices_language),
            clock=clock.now,
            public_url=settings.public_url,
            language=settings.notices_language,
            at_once=settings.work.messages_at_once,
        )


async def _words(language: Literal["zh", "en"]) -> ProgrammeWords:
    """What the programme and its levels are called now."""
    programme, levels = await program.program(), await tiers.read_levels()
    names = {level.code: (level.name_zh, level.name_en) for level in levels}
    return ProgrammeWords(
        name=programme.name_zh if language == "zh" else programme.name_en,
        wording=Wording(zone=programme.zone, levels=names),
    )
