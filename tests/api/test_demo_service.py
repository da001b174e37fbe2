"""The demo's service desk has something of everything; a start that begins anew adds nothing."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from api.demo.notification_texts import TEXTS, open_notification_texts
from api.demo.programme import SHOP_CODE, set_up_programme
from api.demo.service import open_service
from api.demo.tickets import open_tickets
from api.telling.settings import DEMO_TEMPLATES
from domain import access, feedback, members, notifications
from domain.feedback import FeedbackKind, QueueOf, Satisfaction, TicketStatus, ticket_queue
from domain.ledger import balance
from domain.members import ByExternalReference, ById
from domain.notifications.texts import Wording, worded
from domain.paging import PageRequest
from domain.purchases import Order, OrderLine, RecordPurchases, record_purchases
from tests.domain.feedback.desk import MONDAY
from tests.domain.rewards.counter import CLERK
from tests.graphql.kept import Kept, changed, everything_kept

pytestmark = pytest.mark.usefixtures("database")

PAGE = PageRequest(first=20)


async def buyers() -> list[UUID]:
    """Five members, each of whom has bought one thing."""
    names = [f"m-{number}" for number in range(5)]
    joined = await members.register_external_members(
        [ByExternalReference(name) for name in names], now=MONDAY
    )
    line = OrderLine(line_id="1", product_code="tea-01", quantity=1, amount_fen=10_000)
    orders = [
        Order(
            external_id=f"A-{name}",
            member=ById(joined[name]),
            placed_at=MONDAY - timedelta(days=30),
            paid_fen=10_000,
            channel="shop",
            shop="静安店",
            lines=[line],
        )
        for name in names
    ]
    batch = RecordPurchases(source=SHOP_CODE, batch_id="b", orders=orders)
    await record_purchases(batch, now=MONDAY)
    return [joined[name] for name in names]


async def test_tickets_are_answered_late_asked_about_resolved_and_rated() -> None:
    await set_up_programme(now=MONDAY)
    ids = await buyers()
    await open_service(now=MONDAY)
    await open_tickets(ids, now=MONDAY)

    question, suggestion = TicketStatus.ANSWERED, TicketStatus.WAITING_FOR_MEMBER
    mine = (await feedback.tickets_of(ids[0], PAGE)).items
    assert [(one.number, one.kind, one.status) for one in mine] == [
        ("T-000006", FeedbackKind.SUGGESTION, suggestion),
        ("T-000005", FeedbackKind.QUESTION, question),
        ("T-000001", FeedbackKind.COMPLAINT, TicketStatus.RESOLVED),
    ]
    late = mine[2]
    assert (late.cause_code, late.sla.answer_breached, late.sla.resolve_breached) == (
        *("carrier-late", True, True),
    )
    assert late.satisfaction == Satisfaction(
        experience=3, expectation=4, text=None, check=None, rated_at=MONDAY - timedelta(days=4)
    )
    # An order of tea at 100 yuan, and what two broken promises pay.
    assert (await balance(ids[0], now=MONDAY)).available == 150 + 50 + 200

    queue = (await ticket_queue(PAGE, of=QueueOf(), by=CLERK, now=MONDAY)).items
    assert [(one.number, one.sla.answer_breached) for one in queue] == [
        ("T-000002", True),
        ("T-000007", False),
        ("T-000005", False),
        ("T-000006", False),
    ]
    clerk = await access.find_account("demo-staff")
    assert clerk is not None
    assert [one.assignee_id for one in mine] == [clerk.id] * 3

    told = (await notifications.inbox(ids[0], PAGE)).items
    assert [(one.kind, one.read_at is not None) for one in told] == [
        ("TICKET_RESOLVE_LATE", False),
        ("TICKET_ANSWER_LATE", False),
        ("TICKET_ASKED", False),
        ("TICKET_ANSWERED", False),
        ("TICKET_RESOLVED", True),
        ("TICKET_ANSWERED", True),
    ]


async def test_what_the_demo_sends_by_wechat_is_not_cut() -> None:
    wording = Wording(zone=ZoneInfo("Asia/Shanghai"))
    facts = {"number": "T-000029", "ticket": "1"}
    of_tickets = [kind for kind in DEMO_TEMPLATES if kind.startswith("TICKET_")]
    assert of_tickets == ["TICKET_ANSWERED", "TICKET_ASKED"]
    for kind in of_tickets:
        shown = worded(kind, facts, text=TEXTS[kind], language="zh", wording=wording)
        assert "T-000029" in shown.body
        assert max(len(shown.title), len(shown.body)) <= 20


async def test_a_start_that_begins_anew_does_nothing_twice() -> None:
    await set_up_programme(now=MONDAY)
    ids = await buyers()
    before: Kept = {}
    for minutes in (0, 1):
        before = await everything_kept()
        await open_service(now=MONDAY)
        await open_tickets(ids, now=MONDAY + timedelta(minutes=minutes))
        await open_notification_texts(now=MONDAY)
    # The log of staff has each act for which it was asked.
    assert changed(before, await everything_kept()) == {"audit_entry", "audit_head"}
    given = {one.kind: one.text for one in await notifications.defined_texts() if one.text.version}
    assert given.keys() == TEXTS.keys()
