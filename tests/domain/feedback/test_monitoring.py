"""What is counted of tickets equals what a reader of every ticket counts; and how it is read."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from time import perf_counter
from typing import Any, Final
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from domain import feedback, purchases
from domain.audit import Actor
from domain.errors import InvalidInput
from domain.feedback import (
    AnswerTicket,
    AskMember,
    Counted,
    CountedBy,
    FeedbackKind,
    MergeTickets,
    Period,
    RateTicket,
    ReopenTicket,
    ResolveTicket,
    Ticket,
    TicketStatus,
    TrendStep,
    watch_deadlines,
)
from domain.members import ById
from domain.paging import PageRequest
from domain.purchases import Order, OrderLine, RecordPurchases
from domain.storage import dialect, execute, fetch_all, observed_statements
from tests.domain.feedback.desk import MONDAY, open_desk, reply, staff, submit
from tests.domain.feedback.figures import Model

pytestmark = pytest.mark.usefixtures("database")

LOADED_AT_ONCE: Final = 2_000
ZONE: Final = ZoneInfo("Asia/Shanghai")
WEEKS: Final = Period(date(2026, 11, 23), date(2026, 12, 13))
ALL: Final = Counted(period=WEEKS, kinds=tuple(FeedbackKind))


class Desk:
    """Members who write, staff who serve them, and what becomes of it at random."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.model = Model()
        self.tickets: list[UUID] = []
        self.at = MONDAY

    async def open(self) -> None:
        self.members = await open_desk("alice", "bob")
        self.staff = [await staff("chen"), await staff("deng")]
        self.orders = {one: await self._orders(one) for one in self.members}

    async def _orders(self, member_id: UUID) -> list[tuple[UUID, str]]:
        """One order in each shop; those of the first member lift them to a level above."""
        fen = 400_000 if member_id == self.members[0] else 1_000
        orders = [
            Order(
                external_id=f"{member_id}/{shop}",
                member=ById(member_id),
                placed_at=MONDAY - timedelta(days=1),
                paid_fen=fen,
                shop=shop,
                lines=[OrderLine(line_id="1", product_code="p", quantity=1, amount_fen=fen)],
            )
            for shop in ("north", "south")
        ]
        batch = RecordPurchases(source="shop", batch_id=str(member_id), orders=orders)
        await purchases.record_purchases(batch, now=MONDAY)
        page = await purchases.purchases(member_id, PageRequest(first=9))
        return [(one.id, one.shop or "") for one in page.items]

    def later(self) -> datetime:
        self.at += timedelta(minutes=self.dice.choice([5, 40, 61, 300, 1_500, 5_000]))
        return self.at

    async def file(self, nth: int) -> Ticket:
        member_id = self.dice.choice(self.members)
        order = self.dice.choice([None, *self.orders[member_id]])
        self.at = MONDAY + timedelta(hours=self.dice.randrange(20 * 24))
        ticket = await submit(
            member_id,
            f"ticket-{nth}",
            now=self.at,
            kind=self.dice.choice(list(FeedbackKind)),
            topic=self.dice.choice(["delivery", "points"]),
            order=None if order is None else (member_id, order[0]),
        )
        if order is not None:
            self.model.shops[ticket.id] = order[1]
        first = member_id == self.members[0]
        self.model.levels[ticket.id] = "gold" if first else "base"
        self.tickets.append(ticket.id)
        return ticket

    async def live(self, ticket: Ticket) -> None:
        """What becomes of the ticket."""
        dice, who = self.dice, self.dice.choice(self.staff)

        def named() -> dict[str, Any]:
            return {"ticket_id": ticket.id, "idempotency_key": str(uuid4())}

        if dice.random() < 0.4:
            now = self.later()
            await feedback.ask_member(AskMember(text="Which?", **named()), by=who, now=now)
            self.model.stands_still(ticket, now)
            if dice.random() < 0.7:
                now = self.later()
                await reply(ticket, "This one.", key=str(uuid4()), now=now)
                self.model.runs(ticket, now)
        if dice.random() < 0.6:
            now = self.later()
            await feedback.answer_ticket(AnswerTicket(text="So.", **named()), by=who, now=now)
            self.model.runs(ticket, now)
        if dice.random() < 0.7:
            now = self.later()
            cause = "late" if ticket.topic_code == "delivery" else "other"
            done = ResolveTicket(cause_code=cause, **named())
            await feedback.resolve_ticket(done, by=who, now=now)
            self.model.stands_still(ticket, now)
            await self._after(ticket, named, who=who)

    async def _after(
        self, ticket: Ticket, named: Callable[[], dict[str, Any]], *, who: Actor
    ) -> None:
        if self.dice.random() < 0.3:
            now = self.later()
            await feedback.reopen_ticket(ReopenTicket(**named()), by=who, now=now)
            self.model.runs(ticket, now)
            if self.dice.random() < 0.5:
                now = self.later()
                done = ResolveTicket(cause_code="other", **named())
                await feedback.resolve_ticket(done, by=who, now=now)
                self.model.stands_still(ticket, now)
        if self.dice.random() < 0.7:
            said = RateTicket(
                member_id=ticket.member_id,
                ticket_id=ticket.id,
                experience=self.dice.randint(1, 5),
                expectation=self.dice.choice([None, 1, 3, 5]),
            )
            await feedback.rate_ticket(said, now=self.later())

    async def merge(self) -> None:
        """Two of a member's are one matter, where neither is over."""
        these = [one for one in await self.read() if not one.over]
        pairs = [(a, b) for a in these for b in these if a.member_id == b.member_id and a.id < b.id]
        a, b = self.dice.choice(pairs)
        command = MergeTickets(ticket_id=a.id, duplicate_ids=[b.id], idempotency_key=str(uuid4()))
        await feedback.merge_tickets(command, by=self.staff[0], now=self.at)

    async def read(self) -> list[Ticket]:
        found = [await feedback.find_ticket(one) for one in self.tickets]
        return [one for one in found if one is not None]


def day_of(ticket: Ticket) -> date:
    return ticket.submitted_at.astimezone(ZONE).date()


async def check(desk: Desk, counted: Counted, tickets: Sequence[Ticket]) -> int:
    """All ways to count these tickets, each beside the model; how many cells there were."""
    model = desk.model
    assert await feedback.complaints(counted) == model.figures(tickets)
    cells = 0
    for by, of in (
        (CountedBy.SHOP, lambda one: model.shops.get(one.id)),
        (CountedBy.LEVEL, lambda one: model.levels[one.id]),
        (CountedBy.CAUSE, lambda one: one.cause_code),
        (CountedBy.TOPIC, lambda one: one.topic_code),
        (CountedBy.KIND, lambda one: one.kind.value),
        (CountedBy.CHANNEL, lambda one: one.channel.value),
    ):
        groups = await feedback.complaints_by(counted, by, groups_max=100)
        assert {one.code: one.figures for one in groups} == model.told_apart(tickets, of)
        sizes = [one.figures.tickets for one in groups]
        assert sizes == sorted(sizes, reverse=True)
        cells += len(groups)
    people = await feedback.complaints_by_person(counted, groups_max=100)
    assert {one.person and one.person.id: one.figures for one in people} == model.told_apart(
        tickets, lambda one: one.assignee_id
    )
    for step in TrendStep:
        buckets = await feedback.complaints_over_time(counted, step)
        assert [one.period for one in buckets] == list(counted.period.buckets(step))
        for bucket in buckets:
            period = bucket.period
            inside = [one for one in tickets if period.first <= day_of(one) <= period.last]
            assert bucket.figures == model.figures(inside), (step, period)
        cells += len(buckets)
    return cells


@pytest.mark.soak
async def test_figures_are_those_of_a_reader_of_every_ticket(
    full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    desk = Desk(8)
    await desk.open()
    count = 150 if full_form else 30
    for nth in range(count):
        await desk.live(await desk.file(nth))
    for _ in range(count // 15):
        await desk.merge()
    await watch_deadlines(now=MONDAY + timedelta(days=90), within_s=60)
    tickets = await desk.read()
    assert {one.status for one in tickets} == set(TicketStatus) - {TicketStatus.CLOSED}
    cells = await check(desk, ALL, tickets)
    half = Counted(period=Period(date(2026, 11, 26), date(2026, 12, 3)))
    cells += await check(
        desk,
        half,
        [
            one
            for one in tickets
            if one.kind in (FeedbackKind.COMPLAINT, FeedbackKind.LOSS)
            and half.period.first <= day_of(one) <= half.period.last
        ],
    )
    only = Counted(
        period=WEEKS, kinds=ALL.kinds, shop="north", level="gold", topic="delivery", cause="late"
    )
    cells += await check(
        desk,
        only,
        [
            one
            for one in tickets
            if desk.model.shops.get(one.id) == "north"
            and desk.model.levels[one.id] == "gold"
            and (one.topic_code, one.cause_code) == ("delivery", "late")
        ],
    )
    tally("cells of counted tickets", cells, 90)


async def many_tickets(count: int) -> None:
    """So many tickets over a year, as a bulk load writes them."""
    [alice] = await open_desk("alice")
    made = await submit(alice, "one")
    row = (await fetch_all("SELECT * FROM ticket WHERE id = $1", made.id))[0]
    # The database makes the rank itself.
    other = {"id", "number", "submitted_at", "rank"}
    names = [name for name in row.keys() if name not in other]  # noqa: SIM118
    numbers = (
        "WITH RECURSIVE n (i) AS (SELECT $1::int UNION ALL SELECT i + 1 FROM n WHERE i < $2::int)"
    )
    if dialect() == "postgres":
        given = "gen_random_uuid(), n.i, t.submitted_at - n.i * interval '5 minutes'"
    else:
        moment = "strftime('%Y-%m-%d %H:%M:%f', t.submitted_at, '-' || (n.i * 5) || ' minutes')"
        given = f"lower(hex(randomblob(16))), n.i, {moment} || '000+00:00'"
    for begin in range(2, count + 1, LOADED_AT_ONCE):
        await execute(
            f"{numbers} INSERT INTO ticket (id, number, submitted_at, {', '.join(names)})"
            f" SELECT {given}, {', '.join(f't.{name}' for name in names)}"
            " FROM n, ticket t WHERE t.number = 1",
            *(begin, min(begin + LOADED_AT_ONCE - 1, count)),
        )
    await execute("ANALYZE ticket")


@pytest.mark.soak
async def test_a_period_is_a_range_of_an_index(
    full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    count = 100_000 if full_form else 4_000
    await many_tickets(count)
    week = Counted(period=Period(date(2026, 11, 16), date(2026, 11, 18)), kinds=ALL.kinds)
    questions: list[Callable[[], Any]] = [
        lambda: feedback.complaints(week),
        lambda: feedback.complaints_by(week, CountedBy.TOPIC, groups_max=20),
        lambda: feedback.complaints_by_person(week, groups_max=20),
        lambda: feedback.complaints_over_time(week, TrendStep.DAY),
    ]
    for ask in questions:
        with observed_statements() as seen:
            await ask()
        assert sum("ticket t" in one for one in seen) == 1
        assert len(seen) <= 3, seen
    figures = await feedback.complaints(week)
    assert figures.tickets == 3 * 288
    plan = await explained(week)
    assert "ticket_submitted" in plan, plan
    assert "Seq Scan on ticket" not in plan, plan
    assert "SCAN t'" not in plan, plan
    begun = perf_counter()
    year = Counted(period=Period(date(2025, 12, 1), date(2026, 11, 23)), kinds=ALL.kinds)
    assert (await feedback.complaints(year)).tickets == count
    all_ms = (perf_counter() - begun) * 1_000
    begun = perf_counter()
    month = Counted(period=Period(date(2026, 10, 24), date(2026, 11, 22)), kinds=ALL.kinds)
    await feedback.complaints_by(month, CountedBy.TOPIC, groups_max=20)
    month_ms = (perf_counter() - begun) * 1_000
    tally(f"ms for all of {count:,} tickets on {dialect()}", round(all_ms), 0)
    tally(f"ms for a month of {count:,} tickets on {dialect()}", round(month_ms), 0)


async def explained(counted: Counted) -> str:
    """How the database reads what is counted."""
    with observed_statements() as seen:
        await feedback.complaints(counted)
    [statement] = [one for one in seen if "ticket t" in one]
    since, until = counted.period.within(ZONE)
    kinds = [one.value for one in counted.kinds]
    verb = "EXPLAIN" if dialect() == "postgres" else "EXPLAIN QUERY PLAN"
    rows = await fetch_all(f"{verb} {statement}", since, until, kinds, None, None, None, None)
    return "\n".join(str(dict(row)) for row in rows)


def test_buckets_follow_the_calendar() -> None:
    period = Period(date(2026, 1, 30), date(2026, 3, 2))
    assert [(one.first, one.last) for one in period.buckets(TrendStep.MONTH)] == [
        (date(2026, 1, 30), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 3, 1), date(2026, 3, 2)),
    ]
    weeks = period.buckets(TrendStep.WEEK)
    assert (weeks[0].first, weeks[0].last) == (date(2026, 1, 30), date(2026, 2, 1))
    assert weeks[1].first.weekday() == 0
    assert len(period.buckets(TrendStep.DAY)) == 32
    begins, ends = Period(date(2026, 3, 29), date(2026, 3, 29)).within(ZoneInfo("Europe/Berlin"))
    assert ends - begins == timedelta(hours=23)
    with pytest.raises(InvalidInput):
        Period(date(2026, 1, 1), date(2026, 4, 3)).buckets(TrendStep.DAY)
