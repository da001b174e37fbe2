"""A channel's turn: what is due by it is sent, a few at a time, until its server is away.

Each channel's turn is a task of its own, so a mail server that hangs holds up no text message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import random
from typing import Final, Literal
from uuid import UUID

import structlog

from domain.members import lock_found
from domain.notifications.channels.deciding import (
    DeliveryState,
    Outcome,
    Result,
    is_unsure,
    next_channel,
)
from domain.notifications.channels.deliveries import (
    Delivery,
    Ended,
    Told,
    begin,
    claim,
    record,
    told_by,
)
from domain.notifications.channels.reaching import OpenChannels, Reach, Reached, reach
from domain.notifications.channels.sending import Message, Sender
from domain.notifications.channels.unsubscribing import unsubscribe_token
from domain.notifications.kinds import NotificationText, kind_of
from domain.notifications.quiet import Channel
from domain.notifications.texts import Wording, newest_texts, worded, words_of
from domain.retrying import next_attempt_at
from domain.storage import inside_transaction, transaction

log = structlog.get_logger("jifen.notifications")

AT_ONCE: Final = 4
"""Messages that one channel of one process sends at once."""

ROUNDS_MAX: Final = 50
"""After so many rounds others have their turn first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeWords:
    """What messages say of the programme: its name in the language of messages, and how facts are
    worded.
    """

    name: str
    wording: Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTurn:
    """What a turn came to, in messages."""

    sent: int = 0
    not_sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSending:
    """What a turn needs. `words` is asked once a round; `jitter` gives numbers from 0 to 1."""

    senders: Mapping[Channel, Sender]
    opened: OpenChannels
    words: Callable[[], Awaitable[ProgrammeWords]]
    clock: Callable[[], datetime]
    public_url: str
    language: Literal["zh", "en"] = "zh"
    at_once: int = AT_ONCE
    jitter: Callable[[], float] = random


async def take_channel_turn(
    channel: Channel, sending: ChannelSending, *, stopping: Callable[[], bool] = lambda: False
) -> ChannelTurn:
    """Send what is due by the channel. Never inside a transaction."""
    assert not inside_transaction(), "no lock is held while a server is waited for"
    sent = not_sent = 0
    for _ in range(ROUNDS_MAX):
        lease, claimed = await claim(channel, now=sending.clock(), count=sending.at_once)
        if not claimed:
            break
        round_ = await _Round.read(claimed, sending)
        ended = await round_.end(claimed, lease=lease)
        await record(ended, lease=lease)
        took = [one for one in ended if one.state is DeliveryState.SENT]
        sent, not_sent = sent + len(took), not_sent + len(ended) - len(took)
        if round_.is_down or stopping():
            break
    return ChannelTurn(sent=sent, not_sent=not_sent)


class _Round:
    """Some deliveries of one channel, and all that is known for them."""

    def __init__(
        self,
        sending: ChannelSending,
        *,
        told: Mapping[UUID, Told],
        reached: Reach,
        texts: Mapping[str, NotificationText],
        words: ProgrammeWords,
    ) -> None:
        self._sending = sending
        self._told = told
        self._reached = reached
        self._texts = texts
        self._words = words
        self.is_down = False

    @classmethod
    async def read(cls, claimed: Sequence[Delivery], sending: ChannelSending) -> _Round:
        """What is known of those who have the deliveries now, be they joined to others or parted
        since: under their locks, which end here.
        """

        async def work() -> tuple[Mapping[UUID, Told], Reach]:
            told = await lock_found(partial(told_by, claimed), _members)
            return told, await reach(_members(told), opened=sending.opened)

        told, reached = await transaction(work)
        return cls(
            sending,
            told=told,
            reached=reached,
            texts=await newest_texts({one.kind for one in told.values()}),
            words=await sending.words(),
        )

    async def end(self, claimed: Sequence[Delivery], *, lease: UUID) -> Sequence[Ended]:
        """Send the deliveries, or let them be; those whose lease was lost are another's to end."""
        unsent = {one.id: end for one in claimed if (end := self._end_unsent(one)) is not None}
        due = [one for one in claimed if one.id not in unsent]
        begun = await begin(due, lease=lease, now=self._sending.clock())
        sent = await asyncio.gather(*(self._end(one) for one in due if one.id in begun))
        return [*unsent.values(), *sent]

    def _end_unsent(self, delivery: Delivery) -> Ended | None:
        """How it ends, or waits on, without being sent; None where it is to be sent."""
        now, channel = self._sending.clock(), delivery.channel
        told, to = self._of(delivery)
        if is_unsure(channel, begun=delivery.begun, attempts=delivery.attempts):
            return self._ended(delivery, Outcome(Result.PERHAPS_SENT, "sender_died"), told, to)
        if told is None:
            return _stopped(delivery, "gone", at=now)
        if to is None or channel not in to.by(told.kind):
            return self._ended(delivery, Outcome(Result.NEVER, "unreachable"), told, to)
        if not to.preferences.wants(told.kind, channel):
            return _stopped(delivery, "not_wanted", at=now)
        quiet_until = to.preferences.quiet_until(channel, now=now)
        if quiet_until is not None:
            return _postponed(delivery, quiet_until, at=now)
        return None

    async def _end(self, delivery: Delivery) -> Ended:
        told, to = self._of(delivery)
        assert told is not None, "it would have ended unsent"
        assert to is not None, "it would have ended unsent"
        outcome = await self._send(delivery, told, to)
        return self._ended(delivery, outcome, told, to)

    def _of(self, delivery: Delivery) -> tuple[Told | None, Reached | None]:
        told = self._told.get(delivery.id)
        return told, None if told is None else self._reached.get(told.member_id)

    async def _send(self, delivery: Delivery, told: Told, to: Reached) -> Outcome:
        """One attempt. What nobody thought of is one that failed: it must not stay for ever what is
        tried next, and in front of all others.
        """
        try:
            message = self._message(delivery, told)
            return await self._sending.senders[delivery.channel].send(message, to)
        except Exception as fault:
            # Its text may hold an address.
            log.error("delivery_broke", channel=delivery.channel, error=type(fault).__name__)
            return Outcome(Result.NOT_NOW, "broke")

    def _message(self, delivery: Delivery, told: Told) -> Message:
        language, wording = self._sending.language, self._words.wording
        text = worded(
            told.kind,
            told.facts,
            text=self._texts[told.kind],
            language=language,
            wording=wording,
        )
        at = told.created_at.astimezone(wording.zone)
        facts = words_of(told.kind, told.facts, language=language, wording=wording)
        own = {"title": text.title, "body": text.body, "at": at.strftime("%Y-%m-%d %H:%M")}
        token = unsubscribe_token(told.member_id, kind_of(told.kind).group)
        return Message(
            id=delivery.notification_id,
            kind=told.kind,
            title=text.title,
            body=text.body,
            link=text.link,
            values={**facts, **own},
            language=language,
            at=told.created_at,
            programme=self._words.name,
            unsubscribe_url=f"{self._sending.public_url}/unsubscribe/{token}",
        )

    def _ended(
        self, delivery: Delivery, outcome: Outcome, told: Told | None, to: Reached | None
    ) -> Ended:
        now, attempts, next_at, then = self._sending.clock(), delivery.attempts + 1, None, None
        match outcome.result:
            case Result.SENT:
                state = DeliveryState.SENT
            case Result.PERHAPS_SENT:
                state = DeliveryState.PERHAPS_SENT
            case Result.NEVER:
                state = DeliveryState.FAILED
            case Result.NOT_NOW | Result.DOWN:
                self.is_down = self.is_down or outcome.result is Result.DOWN
                next_at = next_attempt_at(
                    attempts, failed_at=now, asked_for=None, jitter=self._sending.jitter()
                )
                state = DeliveryState.FAILED if next_at is None else DeliveryState.WAITING
        if state is DeliveryState.FAILED and told is not None and to is not None:
            then = next_channel(delivery.channel, told.kind, to.preferences, to.by(told.kind))
        log.info(
            "delivery_attempted",
            channel=delivery.channel,
            delivery=str(delivery.id),
            attempt=attempts,
            state=state,
            reason=outcome.reason,
        )
        return Ended(
            delivery=delivery,
            state=state,
            attempts=attempts,
            at=now,
            next_at=next_at,
            reason=outcome.reason,
            then=then,
        )


def _members(told: Mapping[UUID, Told]) -> Collection[UUID]:
    return {one.member_id for one in told.values()}


def _stopped(delivery: Delivery, reason: str, *, at: datetime) -> Ended:
    return Ended(
        delivery=delivery,
        state=DeliveryState.STOPPED,
        attempts=delivery.attempts,
        at=at,
        reason=reason,
    )


def _postponed(delivery: Delivery, until: datetime, *, at: datetime) -> Ended:
    return Ended(
        delivery=delivery,
        state=DeliveryState.WAITING,
        attempts=delivery.attempts,
        at=at,
        next_at=until,
        reason="quiet_hours",
    )
