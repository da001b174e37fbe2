"""What the demo's members wrote to service, and how they were served.

Everything goes through the real writers, at moments that are counted back from now, and can be run
again: each step has a key, and what was done already stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias
from uuid import UUID

from uuid_utils.compat import uuid7

from api.demo.programme import STAFF_LOGIN
from domain import access, feedback, notifications, purchases
from domain.audit import Actor
from domain.feedback import (
    AnswerTicket,
    AskMember,
    FeedbackKind,
    NoteTicket,
    OpenTicket,
    RateTicket,
    ResolveTicket,
    SubmitFeedback,
    Ticket,
    TicketChannel,
)
from domain.members import ById
from domain.notifications import MarkNotificationsRead
from domain.paging import PageRequest

_MINUTES: Final = timedelta(minutes=20)
"""So soon is answered what is answered in time."""
_DAY: Final = timedelta(days=1)
_READ_UNTIL: Final = timedelta(days=4)
"""What the first member was told before that is read."""
_WATCHED_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Resolve:
    cause: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    experience: int
    expectation: int


_Turn: TypeAlias = _Answer | _Ask | _Note | _Resolve | _Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class _Matter:
    """What a member, counted from 1, brought forward so long ago; `then` is what became of it.

    Each turn has the time since the ticket was filed. Staff wrote down what came by telephone.
    """

    member: int
    ago: timedelta
    kind: FeedbackKind
    topic: str
    text: str
    of_an_order: bool = False
    channel: TicketChannel = TicketChannel.MINI_PROGRAM
    then: Sequence[tuple[timedelta, _Turn]] = ()


MATTERS: Final = (
    _Matter(
        member=1,
        ago=20 * _DAY,
        kind=FeedbackKind.COMPLAINT,
        topic="delivery",
        text="下单快一周了，包裹还停在中转站，能帮我催一下吗？",
        of_an_order=True,
        then=(
            (14 * _DAY, _Answer(text="非常抱歉让您久等，我们已联系承运商，今天派送。")),
            (15 * _DAY, _Resolve(cause="carrier-late", text="包裹已送达，延误补偿积分已发放。")),
            (16 * _DAY, _Rate(experience=3, expectation=4)),
        ),
    ),
    _Matter(
        member=2,
        ago=18 * _DAY,
        kind=FeedbackKind.COMPLAINT,
        topic="product",
        text="青瓷茶杯收到时杯口有一道裂纹，希望换一个。",
        of_an_order=True,
    ),
    _Matter(
        member=4,
        ago=5 * _DAY,
        kind=FeedbackKind.COMPLAINT,
        topic="service",
        text="昨天在门店，店员说会员折扣不能用，结账后才发现可以。",
        of_an_order=True,
        then=(
            (_MINUTES, _Answer(text="给您添麻烦了，差额今天退回，已提醒门店同事。")),
            (2 * _MINUTES, _Note(text="已与店长核实，差额 12 元。")),
            (3 * _MINUTES, _Resolve(cause="staff-conduct", text="差额已原路退回。")),
            (_DAY, _Rate(experience=5, expectation=4)),
        ),
    ),
    _Matter(
        member=5,
        ago=4 * _DAY,
        kind=FeedbackKind.QUESTION,
        topic="account",
        text="换了手机号，想知道怎样绑定到原来的会员账户。",
        channel=TicketChannel.PHONE,
        then=((_MINUTES, _Resolve(cause="misunderstanding", text="已在电话中说明绑定步骤。")),),
    ),
    _Matter(
        member=1,
        ago=2 * _DAY,
        kind=FeedbackKind.QUESTION,
        topic="points",
        text="请问茶饮订单的积分什么时候到账？",
        then=((_MINUTES, _Answer(text="下单后即时到账，茶饮类商品为 1.5 倍积分。")),),
    ),
    _Matter(
        member=1,
        ago=_DAY,
        kind=FeedbackKind.SUGGESTION,
        topic="product",
        text="希望冷泡乌龙能出小包装。",
        then=((_MINUTES, _Ask(text="谢谢您的建议！您希望一包多少克？")),),
    ),
    _Matter(
        member=3,
        ago=_MINUTES,
        kind=FeedbackKind.LOSS,
        topic="delivery",
        text="物流显示已签收，可是我没有收到包裹。",
        of_an_order=True,
    ),
)


async def open_tickets(member_ids: Sequence[UUID], *, now: datetime) -> None:
    """Let members write and be served, and note which promises were broken meanwhile."""
    by = await _clerk()
    for number, matter in enumerate(MATTERS, 1):
        await _live(matter, member_ids[matter.member - 1], key=f"demo-{number}", by=by, now=now)
    await feedback.watch_deadlines(now=now, within_s=_WATCHED_S)
    read = MarkNotificationsRead(member_id=member_ids[0], all_before=now - _READ_UNTIL)
    await notifications.mark_notifications_read(read, now=now)


async def _clerk() -> Actor:
    account = await access.find_account(STAFF_LOGIN)
    assert account is not None, "the programme was set up"
    return Actor(name=f"staff:{account.code}", account_id=account.id, request_id=uuid7().hex)


async def _live(matter: _Matter, member_id: UUID, *, key: str, by: Actor, now: datetime) -> None:
    began = now - matter.ago
    ticket = await _file(matter, member_id, key=key, by=by, now=began)
    for place, (after, turn) in enumerate(matter.then, 1):
        await _take(turn, ticket, key=f"{key}-{place}", by=by, now=began + after)


async def _file(matter: _Matter, member_id: UUID, *, key: str, by: Actor, now: datetime) -> Ticket:
    if matter.channel is TicketChannel.PHONE:
        phoned = OpenTicket(
            member=ById(member_id),
            kind=matter.kind,
            topic=matter.topic,
            text=matter.text,
            channel=matter.channel,
            idempotency_key=key,
        )
        return await feedback.open_ticket(phoned, by=by, now=now)
    order = None
    if matter.of_an_order:
        [bought] = (await purchases.purchases(member_id, PageRequest(first=1))).items
        order = (member_id, bought.id)
    written = SubmitFeedback(
        member_id=member_id,
        kind=matter.kind,
        topic=matter.topic,
        text=matter.text,
        order=order,
        idempotency_key=key,
    )
    return await feedback.submit_feedback(written, now=now)


async def _take(turn: _Turn, ticket: Ticket, *, key: str, by: Actor, now: datetime) -> None:
    match turn:
        case _Answer(text=text):
            answer = AnswerTicket(ticket_id=ticket.id, text=text, idempotency_key=key)
            await feedback.answer_ticket(answer, by=by, now=now)
        case _Ask(text=text):
            ask = AskMember(ticket_id=ticket.id, text=text, idempotency_key=key)
            await feedback.ask_member(ask, by=by, now=now)
        case _Note(text=text):
            note = NoteTicket(ticket_id=ticket.id, text=text, idempotency_key=key)
            await feedback.note_ticket(note, by=by, now=now)
        case _Resolve(cause=cause, text=text):
            resolve = ResolveTicket(
                ticket_id=ticket.id, cause_code=cause, text=text, idempotency_key=key
            )
            await feedback.resolve_ticket(resolve, by=by, now=now)
        case _Rate(experience=experience, expectation=expectation):
            rate = RateTicket(
                member_id=ticket.member_id,
                ticket_id=ticket.id,
                experience=experience,
                expectation=expectation,
            )
            await feedback.rate_ticket(rate, now=now)
