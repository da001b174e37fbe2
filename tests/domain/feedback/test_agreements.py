"""Calendars and policies by version, and what is agreed with tickets; on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pytest

from domain import audit, feedback
from domain.errors import DefinitionChanged, InvalidInput
from domain.feedback import (
    Agreement,
    Promise,
    ReplyTicket,
    ServiceLevels,
    Topic,
    agreed,
    back_at,
    define_service_calendar,
    define_service_levels,
    define_topic,
)
from domain.feedback.calendars import ALWAYS
from domain.feedback.kinds import FeedbackKind
from domain.paging import PageRequest
from domain.tiers import ServiceLevel, define_levels
from tests.domain.feedback.filing import ask, complain, join
from tests.domain.feedback.service import POLICY, SHOP
from tests.domain.ledger.commands import NOW
from tests.domain.rewards.counter import CLERK
from tests.domain.tiers.levels import LEVELS
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

SATURDAY: Final = datetime(2026, 11, 28, 9, 30, tzinfo=UTC)
"""Half past five in the afternoon in Shanghai, half an hour before the shop closes."""


async def set_up() -> None:
    await define_levels(LEVELS, perks=[], now=NOW)
    await define_service_calendar(SHOP, by=CLERK, now=NOW)
    await define_service_levels(POLICY, by=CLERK, now=NOW)


async def filed(kind: FeedbackKind, *, level: str = "base", now: datetime = SATURDAY) -> Agreement:
    return await agreed(
        kind=kind, topic="delivery", level=level, service=ServiceLevel.STANDARD, now=now
    )


async def test_without_any_definition_nothing_is_promised_and_somebody_is_there() -> None:
    assert await filed(FeedbackKind.COMPLAINT) == Agreement(
        policy_version=None,
        calendar_version=None,
        answer_minutes=None,
        resolve_minutes=None,
        answer_points=0,
        resolve_points=0,
        answer_by=None,
        resolve_by=None,
        priority=3,
        off_hours=False,
    )
    assert await feedback.service_calendar() == ALWAYS
    assert await feedback.service_levels_in_force() == ServiceLevels()


async def test_what_is_agreed_with_a_complaint() -> None:
    await set_up()
    assert await filed(FeedbackKind.COMPLAINT) == Agreement(
        policy_version=1,
        calendar_version=1,
        answer_minutes=60,
        resolve_minutes=540,
        answer_points=50,
        resolve_points=200,
        answer_by=datetime(2026, 11, 30, 1, 30, tzinfo=UTC),
        resolve_by=datetime(2026, 11, 30, 9, 30, tzinfo=UTC),
        priority=3,
        off_hours=False,
    )
    gold = await filed(FeedbackKind.COMPLAINT, level="gold")
    assert (gold.answer_minutes, gold.resolve_minutes, gold.priority) == (30, None, 4)
    assert gold.answer_by == datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
    question = await filed(FeedbackKind.QUESTION)
    assert (question.answer_minutes, question.resolve_minutes) == (480, 2_160)
    assert (await filed(FeedbackKind.PRAISE)).answer_by is None


async def test_off_hours_it_is_told_when_somebody_is_back() -> None:
    await set_up()
    evening = datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
    assert (await filed(FeedbackKind.QUESTION, now=evening)).off_hours
    back = await back_at(1, evening)
    assert back.isoformat() == "2026-11-30T09:00:00+08:00"


async def test_a_ticket_keeps_the_calendar_that_it_was_filed_under() -> None:
    await set_up()
    [alice] = await join("alice")
    await define_topic(
        Topic(code="delivery", name_zh="配送", name_en="Delivery"), by=CLERK, now=NOW
    )
    made = await complain(alice, now=SATURDAY)
    asked = await ask(made, now=SATURDAY)
    assert asked.sla.resolve_by == datetime(2026, 11, 30, 9, 30, tzinfo=UTC)
    await define_service_calendar(replace(SHOP, week=ALWAYS.week, version=1), by=CLERK, now=NOW)
    newer = await filed(FeedbackKind.COMPLAINT)
    assert newer.calendar_version == 2
    assert newer.answer_by == datetime(2026, 11, 28, 10, 30, tzinfo=UTC)
    # Nine hours were left on Saturday, half an hour before the shop closed.
    said = ReplyTicket(member_id=alice, ticket_id=made.id, text="This.", idempotency_key="k")
    again = await feedback.reply_ticket(said, now=datetime(2026, 11, 30, 2, 0, tzinfo=UTC))
    assert again.sla.resolve_by == datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


async def test_versions_follow_each_other_and_are_recorded() -> None:
    await set_up()
    assert await define_service_calendar(replace(SHOP, version=1), by=CLERK, now=NOW) == replace(
        SHOP, version=1
    )
    [told] = (await audit.entries(PageRequest(first=1))).items
    assert (told.action, told.target) == (
        "service_calendar.define",
        audit.Target(kind="service_calendar", id="1"),
    )
    shorter = ServiceLevels(promises=[Promise(answer_minutes=10)], version=1)
    assert (await define_service_levels(shorter, by=CLERK, now=SATURDAY)).version == 2
    page = await feedback.defined_service_levels(PageRequest(first=1))
    assert [(one.levels.version, one.defined_at) for one in page.items] == [(2, SATURDAY)]
    older = await feedback.defined_service_levels(PageRequest(first=5, after=(2,)))
    assert [one.levels for one in older.items] == [replace(POLICY, version=1)]
    calendars = await feedback.defined_calendars(PageRequest(first=5))
    assert [one.calendar for one in calendars.items] == [replace(SHOP, version=1)]


async def test_what_is_refused_changes_nothing() -> None:
    await set_up()
    before = await everything_kept()
    with pytest.raises(DefinitionChanged) as changed:
        await define_service_levels(replace(POLICY, promises=()), by=CLERK, now=NOW)
    assert changed.value.version == 1
    with pytest.raises(DefinitionChanged):
        await define_service_calendar(replace(SHOP, exceptions={}), by=CLERK, now=NOW)
    for promise in (Promise(topic="weather"), Promise(level="platinum")):
        levels = ServiceLevels(promises=[promise], version=1)
        with pytest.raises(InvalidInput) as unknown:
            await define_service_levels(levels, by=CLERK, now=NOW)
        assert unknown.value.field is not None
        assert unknown.value.field[:2] == ("promises", "0")
    assert await everything_kept() == before
