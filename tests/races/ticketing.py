"""Members, staff and workers about the same tickets: `python -m tests.races.ticketing OPTIONS`.

OPTIONS is JSON: `url`, `acts` (each with `what`, `now` and what that needs) and optionally `plant`
(a bug by name). The process says `ready`, waits for a line, does all acts at once, and says in JSON
what each came to: `OK`, the code of a refusal, or a number of what was done.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from domain import feedback, storage
from domain.errors import Refusal
from domain.feedback import AnswerTicket, MergeTickets, ReplyTicket, ResolveTicket
from domain.members import PhoneKeyFile, use_phone_keys
from domain.members.phone_keys import phone_vault
from domain.notifications import (
    Channel,
    ChannelSending,
    OpenChannels,
    ProgrammeWords,
    SubscribeSender,
    SubscribeTemplate,
    Wording,
    take_channel_turn,
)
from domain.notifications.channels import sending
from domain.wechat import SubscribeOutcome, SubscribeResult, WeChatClient
from tests.domain.rewards.counter import CLERK
from tests.races.contention import PATIENT

APP_ID: Final = "wx1"
TEMPLATES: Final = {APP_ID: {"TICKET_ANSWERED": SubscribeTemplate(template_id="t" * 43)}}


class Sends:
    """WeChat, which takes each message."""

    async def send_subscribe_message(self, app_id: str, **_: Any) -> SubscribeResult:
        """See `WeChatClient`."""
        return SubscribeResult(outcome=SubscribeOutcome.SENT, detail="")


async def reply(act: Mapping[str, Any], now: datetime) -> None:
    command = ReplyTicket(
        member_id=UUID(act["member"]),
        ticket_id=UUID(act["ticket"]),
        text=act["key"],
        idempotency_key=act["key"],
    )
    await feedback.reply_ticket(command, now=now)


async def answer(act: Mapping[str, Any], now: datetime) -> None:
    command = AnswerTicket(
        ticket_id=UUID(act["ticket"]), text=act["key"], idempotency_key=act["key"]
    )
    await feedback.answer_ticket(command, by=CLERK, now=now)


async def resolve(act: Mapping[str, Any], now: datetime) -> None:
    command = ResolveTicket(
        ticket_id=UUID(act["ticket"]), cause_code="late", idempotency_key=act["key"]
    )
    await feedback.resolve_ticket(command, by=CLERK, now=now)


async def merge(act: Mapping[str, Any], now: datetime) -> None:
    command = MergeTickets(
        ticket_id=UUID(act["into"]),
        duplicate_ids=[UUID(act["ticket"])],
        idempotency_key=act["key"],
    )
    await feedback.merge_tickets(command, by=CLERK, now=now)


async def watch(act: Mapping[str, Any], now: datetime) -> int:
    watched = await feedback.watch_deadlines(now=now, within_s=60)
    return watched.points


async def send(act: Mapping[str, Any], now: datetime) -> int:
    """A turn of the channel of subscribe messages, one at a time: how many were sent."""

    async def words() -> ProgrammeWords:
        return ProgrammeWords(name="积分", wording=Wording(zone=ZoneInfo("Asia/Shanghai")))

    turn = ChannelSending(
        senders={Channel.SUBSCRIBE_MESSAGE: SubscribeSender(cast(WeChatClient, Sends()))},
        opened=OpenChannels(channels=frozenset({Channel.SUBSCRIBE_MESSAGE}), templates=TEMPLATES),
        words=words,
        clock=lambda: now,
        public_url="https://jifen.example",
        at_once=1,
    )
    return (await take_channel_turn(Channel.SUBSCRIBE_MESSAGE, turn)).sent


ACTS: Final[Mapping[str, Callable[[Mapping[str, Any], datetime], Awaitable[int | None]]]] = {
    "reply": reply,
    "answer": answer,
    "resolve": resolve,
    "merge": merge,
    "watch": watch,
    "send": send,
}


async def done(act: Mapping[str, Any]) -> int | str:
    """What the act came to."""
    try:
        came = await ACTS[act["what"]](act, datetime.fromisoformat(act["now"]))
    except Refusal as refused:
        return refused.code.value
    return "OK" if came is None else came


async def main(options: dict[str, Any]) -> None:
    """Connect, wait, do, say what came of it."""
    await storage.connect(options["url"], pool=PATIENT)
    with TemporaryDirectory() as folder:
        # What messages are signed with, so that members can unsubscribe.
        keys = Path(folder) / "phone-keys.json"
        use_phone_keys(PhoneKeyFile(keys, now=datetime.now(UTC), create_missing=True))
        phone_vault()
    PLANTS[options.get("plant", "none")]()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    came = await asyncio.gather(*map(done, options["acts"]))
    print(orjson.dumps(came).decode(), flush=True)
    await storage.close()


def believe_what_was_counted() -> None:
    """What was left when it was looked is left when it is sent."""

    async def take_one(allowed: object) -> bool:
        return True

    vars(sending).update(take_one=take_one)


PLANTS: Final[Mapping[str, Callable[[], None]]] = {
    "none": lambda: None,
    "believed": believe_what_was_counted,
}


if __name__ == "__main__":
    asyncio.run(main(orjson.loads(sys.argv[1])))
