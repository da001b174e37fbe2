"""What a record has to do with feedback and notifications, drawn at random, in a life of it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from functools import partial
from importlib import import_module
from random import Random
from typing import Any, Final
from uuid import UUID

import pytest

from domain import feedback, notifications
from domain.audit import Actor
from domain.feedback import (
    AnswerTicket,
    AskMember,
    Cause,
    FeedbackKind,
    MergeTickets,
    RateTicket,
    ReopenTicket,
    ReplyTicket,
    ResolveTicket,
    SubmitFeedback,
    TextChecking,
    Topic,
)
from domain.mailing import Mail
from domain.members import ConfirmEmail, IdentityKind, SetEmail, confirm_email, set_email
from domain.members.joining import Known, bind
from domain.notifications import (
    AcceptSubscribeMessages,
    Channel,
    MarkNotificationsRead,
    OpenChannels,
    SetNotificationPreferences,
    SubscribeTemplate,
    accept_subscribe_messages,
    deliveries_consumer,
    mark_notifications_read,
    set_notification_preferences,
)
from domain.notifications.channels.deciding import DeliveryState
from domain.notifications.channels.deliveries import Ended, claim, record
from domain.notifications.kinds import KindGroup
from domain.outbox import drain
from domain.storage import Row, fetch_all, transaction
from domain.wechat import TextSuggestion, TextVerdict
from tests.domain.feedback.pictures import A_PICTURE, Nowhere
from tests.domain.ledger.commands import NOW

LI_NA: Final = Actor(name="staff:li.na", account_id=UUID(int=1), request_id="request-1")
APP_ID: Final = "wx1"
TEMPLATE_ID: Final = "t" * 43
TEMPLATES: Final = {APP_ID: {"TICKET_ANSWERED": SubscribeTemplate(template_id=TEMPLATE_ID)}}
OPENED: Final = OpenChannels(
    channels=frozenset({Channel.SUBSCRIBE_MESSAGE, Channel.EMAIL}), templates=TEMPLATES
)

HANGING: Final = {
    "ticket_message": "ticket_message AS a JOIN ticket AS b ON b.id = a.ticket_id",
    "ticket_event": "ticket_event AS a JOIN ticket AS b ON b.id = a.ticket_id",
    "attachment": "attachment AS a JOIN ticket_message AS b ON b.id = a.message_id",
    "text_check": "text_check AS a JOIN ticket_message AS b ON b.id = a.message_id",
    "notification_delivery": "notification_delivery AS a JOIN notification AS b"
    " ON b.id = a.notification_id",
    "subscribe_consent": "subscribe_consent AS a JOIN member_identity AS b"
    " ON b.kind = 'wechat_openid' AND b.app_id = a.app_id AND b.subject = a.openid",
}
"""The rows of each table belong to whom those belong that they hang on."""


async def open_service() -> None:
    """A topic and a cause for tickets."""
    topic = Topic(code="cups", name_zh="杯子", name_en="Cups")
    await feedback.define_topic(topic, by=LI_NA, now=NOW)
    cause = Cause(code="broken", topic=None, name_zh="碎了", name_en="Broken")
    await feedback.define_cause(cause, by=LI_NA, now=NOW)


async def torn() -> list[str]:
    """The tables that have rows of another member than what those hang on."""
    return [
        name
        for name, pair in HANGING.items()
        if await fetch_all(f"SELECT 1 AS one FROM {pair} WHERE a.member_id <> b.member_id LIMIT 1")
    ]


async def told_on_elsewhere() -> set[UUID]:
    """The tickets that are told on in one that another record brought along, or that did not."""
    rows = await fetch_all(
        "SELECT t.id FROM ticket AS t JOIN ticket AS s ON s.id = t.merged_into"
        " WHERE COALESCE(t.came_with, t.member_id) <> COALESCE(s.came_with, s.member_id)"
    )
    return {row["id"] for row in rows}


AGAIN: Final = frozenset(
    {
        *("status", "merged_into", "closed_at", "resolved_at", "resolve_took", "version"),
        *("answer_by", "resolve_by", "due_at"),
    }
)
"""What changes of a ticket that is opened again, as its record is parted from the other's."""


def closed_still(
    rows: dict[str, list[dict[str, Any]]], opened: set[UUID]
) -> dict[str, list[dict[str, Any]]]:
    """The rows but for what became of these tickets, each of which was opened again once."""
    parted = [row["ticket_id"] for row in rows["ticket_event"] if row["kind"] == "PARTED"]
    assert sorted(parted) == sorted(opened)
    for row in rows["ticket"]:
        if row["id"] in opened:
            assert (row["status"], row["merged_into"]) == ("OPEN", None)
    return {
        **rows,
        "ticket_event": [row for row in rows["ticket_event"] if row["kind"] != "PARTED"],
        "ticket": without_time(rows, opened),
    }


def without_time(rows: dict[str, list[dict[str, Any]]], opened: set[UUID]) -> list[dict[str, Any]]:
    """The tickets, of these without what changes when they are opened again."""
    return sorted(
        (
            {k: v for k, v in row.items() if k not in AGAIN} if row["id"] in opened else row
            for row in rows["ticket"]
        ),
        key=lambda row: row["number"],
    )


def plant_forgetting(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """Let a statement, or the part of one that this name stands for, not ask for the merge."""
    module, name = place.rsplit(".", maxsplit=1)
    statement = vars(import_module(module))[name]
    forgetful = re.sub(r"\(\s*SELECT came_with FROM [^()]+\)", "NULLIF($2::uuid, $2)", statement)
    if forgetful == statement:
        forgetful = statement.replace(" came_with\n", " NULL\n")
    assert forgetful != statement
    monkeypatch.setattr(place, forgetful)


class Posted:
    """Mails that are never sent: what the last one said is kept."""

    text = ""

    async def send(self, mail: Mail) -> None:
        """See `Mails`."""
        self.text = mail.text


async def have_address(member_id: UUID, email: str, *, now: datetime) -> None:
    """Let the member have confirmed the address."""
    mails = Posted()
    await set_email(SetEmail(member_id=member_id, email=email), mails=mails, now=now)
    [code] = re.findall(r"\d{6}", mails.text)
    await confirm_email(ConfirmEmail(member_id=member_id, email=email, code=code), now=now)


class Calm:
    """Says of each text that nothing, or something, is wrong with it, by draw."""

    def __init__(self, random: Random) -> None:
        self._random = random

    async def check_text(self, app_id: str, **_: Any) -> TextVerdict:
        """See `AsksAboutTexts`."""
        found = self._random.choice([TextSuggestion.PASS, TextSuggestion.RISKY])
        return TextVerdict(suggestion=found, label=100, trace_id="trace")


class Served:
    """Somebody who files tickets and is told things."""

    member_id: UUID
    name: str
    random: Random
    done: Counter[str]
    count: int

    @property
    def _next(self) -> str:
        self.count += 1
        return f"{self.name}-{self.count}"

    async def _rows(self, statement: str) -> list[Row]:
        return [*await fetch_all(statement, self.member_id)]

    async def come_by_wechat(self) -> None:
        """The record is somebody's whom the mini-program knows."""
        known = Known(kind=IdentityKind.WECHAT_OPENID, app_id=APP_ID, subject=f"o-{self.name}")
        await transaction(partial(bind, self.member_id, [known], now=NOW))

    async def complain(self, now: datetime) -> None:
        """With a picture; another one is not sent along yet."""
        sent = [
            await feedback.keep_upload(
                A_PICTURE, sent_name=self._next, member_id=self.member_id, store=Nowhere(), now=now
            )
            for _ in range(2)
        ]
        said = SubmitFeedback(
            member_id=self.member_id,
            kind=FeedbackKind.COMPLAINT,
            topic="cups",
            text=self._next,
            attachment_ids=(sent[0].id,),
            idempotency_key=self._next,
        )
        await feedback.submit_feedback(said, now=now)

    async def _ticket(self) -> UUID:
        rows = await self._rows(
            "SELECT id, came_with FROM ticket WHERE member_id = $1 ORDER BY number"
        )
        one = self.random.choice(rows)
        self.done["act on one that came"] += one["came_with"] is not None
        ticket_id: UUID = one["id"]
        return ticket_id

    async def write_more(self, now: datetime) -> None:
        """With whichever picture waits, if one does."""
        rows = await self._rows(
            "SELECT id FROM attachment WHERE member_id = $1 AND message_id IS NULL ORDER BY id"
        )
        files = self.random.sample(rows, min(len(rows), 1))
        said = ReplyTicket(
            member_id=self.member_id,
            ticket_id=await self._ticket(),
            text=self._next,
            attachment_ids=[row["id"] for row in files],
            idempotency_key=self._next,
        )
        await feedback.reply_ticket(said, now=now)

    async def be_answered(self, now: datetime) -> None:
        """In some way: with an answer, a question, the end, or its taking back."""
        named: dict[str, Any] = {"ticket_id": await self._ticket(), "idempotency_key": self._next}
        match self.random.randrange(5):
            case 0 | 1:
                answer = AnswerTicket(text="So.", **named)
                await feedback.answer_ticket(answer, by=LI_NA, now=now)
            case 2:
                await feedback.ask_member(AskMember(text="How?", **named), by=LI_NA, now=now)
            case 3:
                done = ResolveTicket(cause_code="broken", **named)
                await feedback.resolve_ticket(done, by=LI_NA, now=now)
            case _:
                await feedback.reopen_ticket(ReopenTicket(**named), by=LI_NA, now=now)

    async def have_one_ticket_less(self, now: datetime) -> None:
        """Two are about one matter."""
        one, other = await self._ticket(), await self._ticket()
        merging = MergeTickets(ticket_id=one, duplicate_ids=[other], idempotency_key=self._next)
        await feedback.merge_tickets(merging, by=LI_NA, now=now)

    async def rate(self, now: datetime) -> None:
        rating = RateTicket(
            member_id=self.member_id,
            ticket_id=await self._ticket(),
            experience=self.random.randrange(1, 6),
            text=self._next,
        )
        await feedback.rate_ticket(rating, now=now)

    async def have_texts_checked(self, now: datetime) -> None:
        """Whosever they are."""
        await feedback.check_texts(
            TextChecking(wechat=Calm(self.random), clock=lambda: now, at_once=2)
        )

    async def be_told(self, now: datetime) -> None:
        told = notifications.Notification(member_id=self.member_id, kind="HELLO", facts={})
        await transaction(partial(notifications.notify, [told], now=now))

    async def read_all(self, now: datetime) -> None:
        read = MarkNotificationsRead(member_id=self.member_id, all_before=now)
        await mark_notifications_read(read, now=now)

    async def allow_a_message(self, now: datetime) -> None:
        allowed = AcceptSubscribeMessages(
            member_id=self.member_id,
            app_id=APP_ID,
            template_ids=[TEMPLATE_ID],
            idempotency_key=self._next,
        )
        await accept_subscribe_messages(allowed, templates=TEMPLATES, now=now)

    async def have_an_address(self, now: datetime) -> None:
        await have_address(self.member_id, f"{self._next}@example.com", now=now)

    async def want_no_mails(self, now: datetime) -> None:
        said = {(group, Channel.EMAIL): self.random.random() < 0.5 for group in KindGroup}
        await set_notification_preferences(
            SetNotificationPreferences(member_id=self.member_id, said=said, quiet={}), now=now
        )

    async def be_written_to(self, now: datetime) -> None:
        """Whatever anybody was told goes out; what WeChat does not take goes by mail."""
        await drain([deliveries_consumer(OPENED)], clock=lambda: now)
        lease, claimed = await claim(Channel.SUBSCRIBE_MESSAGE, now=now, count=4)
        failed = [
            Ended(
                delivery=one,
                state=DeliveryState.FAILED,
                attempts=one.attempts + 1,
                at=now,
                then=Channel.EMAIL,
            )
            for one in claimed
        ]
        await record(failed, lease=lease)


SERVED: Final = (
    *("complain", "write_more", "write_more", "be_answered", "be_answered", "rate"),
    *("have_one_ticket_less", "have_texts_checked", "be_told", "read_all"),
    *("allow_a_message", "have_an_address", "want_no_mails", "be_written_to"),
)


async def have_everything(*lives: Served, now: datetime) -> None:
    """Once and by nobody's draw: a row in each of the tables, for each of the records."""
    for one in lives:
        await one.come_by_wechat()
        await one.have_an_address(now)
        await one.allow_a_message(now)
        await one.complain(now)
        [row] = await fetch_all("SELECT id FROM ticket WHERE member_id = $1", one.member_id)
        answer = AnswerTicket(ticket_id=row["id"], text="So.", idempotency_key=f"a-{one.name}")
        await feedback.answer_ticket(answer, by=LI_NA, now=now)
    await lives[0].be_written_to(now)
