"""A service desk at the gateway: what may be written about, members who write, staff who serve."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

from domain import feedback
from domain.feedback import (
    Cause,
    FeedbackKind,
    Hours,
    Promise,
    ServiceCalendar,
    ServiceLevels,
    Topic,
)
from tests.domain.rewards.counter import CLERK
from tests.graphql.gateway import NOW, Gateway, Session

TOPICS: Final = ("delivery", "product", "service", "points", "account")
ALL_DAY: Final = (Hours(0, 24 * 60),)


async def open_desk() -> None:
    """Topics, causes, and promises by minutes of the world; once for a database."""
    if await feedback.topics():
        return
    for code in TOPICS:
        topic = Topic(code=code, name_zh=f"{code}：主题", name_en=code.capitalize())
        await feedback.define_topic(topic, by=CLERK, now=NOW)
    cause = Cause(code="late", topic="delivery", name_zh="晚到", name_en="Came late")
    await feedback.define_cause(cause, by=CLERK, now=NOW)
    calendar = ServiceCalendar(zone=ZoneInfo("Asia/Shanghai"), week=(ALL_DAY,) * 7)
    await feedback.define_service_calendar(calendar, by=CLERK, now=NOW)
    promises = (Promise(kind=FeedbackKind.COMPLAINT, answer_minutes=60, resolve_minutes=600),)
    await feedback.define_service_levels(ServiceLevels(promises=promises), by=CLERK, now=NOW)


async def submit(gateway: Gateway, who: Session, key: str = "k", **other: Any) -> Any:
    """`SubmitFeedback`, as clients send it: the payload."""
    given = {
        "kind": "COMPLAINT",
        "topic": "delivery",
        "text": "包裹还没到",
        "idempotencyKey": key,
        **other,
    }
    return await gateway.send("SubmitFeedback", who.access_token, input=given)


async def submitted(gateway: Gateway, who: Session, key: str = "k", **other: Any) -> Any:
    """The ticket."""
    payload = await submit(gateway, who, key, **other)
    assert payload["userErrors"] == []
    return payload["ticket"]


async def do(gateway: Gateway, name: str, ticket_id: str, *, key: str, **other: Any) -> Any:
    """An operation of staff on a ticket, `AnswerTicket` or `ResolveTicket`: the payload."""
    given = {"ticketId": ticket_id, "idempotencyKey": gateway.named(key), **other}
    return await gateway.send(name, await gateway.staff(), input=given)
