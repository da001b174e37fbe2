"""The queue of staff costs a range of an index for each status, however many tickets are open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson
import pytest

from domain import feedback
from domain.feedback import QueueOf, queue_statement
from domain.paging import PageRequest
from domain.storage import dialect, execute, fetch_all
from tests.domain.feedback.desk import MONDAY, open_desk, submit
from tests.domain.rewards.counter import CLERK

pytestmark = pytest.mark.usefixtures("database")

PAGE: Final = 20
AT_ONCE: Final = 10_000

# Copies of the one real ticket, as many as a year leaves open: filing them one by one would take
# minutes, and nothing but their number matters here.
COPIES: Final = {
    "postgres": "SELECT n AS n, gen_random_uuid() AS id"
    " FROM generate_series($1::int, $2::int) AS n",
    "sqlite": "SELECT n, lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-7'"
    " || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-'"
    " || hex(randomblob(6))) AS id FROM (WITH RECURSIVE c (n) AS (SELECT $1 UNION ALL"
    " SELECT n + 1 FROM c WHERE n < $2) SELECT n FROM c)",
}
LATER: Final = {
    "postgres": "t.due_at + make_interval(secs => c.n % 5000)",
    "sqlite": "t.due_at",
}


async def fill(tickets: int) -> None:
    """So many tickets of one member, of all priorities, a third of them answered."""
    columns = "kind, topic, channel, submitted_at, last_message_at, off_hours, version"
    for begin in range(2, tickets + 1, AT_ONCE):
        await execute(
            f"INSERT INTO ticket (member_id, id, number, status, priority, due_at, {columns})"
            " SELECT t.member_id, c.id, c.n,"
            " CASE c.n % 3 WHEN 0 THEN 'ANSWERED' ELSE 'OPEN' END, 1 + c.n % 4,"
            f" {LATER[dialect()]}, {', '.join(f't.{one}' for one in columns.split(', '))}"
            f" FROM ticket AS t, ({COPIES[dialect()]}) AS c WHERE t.number = 1",
            *(begin, min(begin + AT_ONCE - 1, tickets)),
        )


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read the table."""
    if plan.get("Relation Name") == "ticket":
        yield plan
    for part in plan.get("Plans", ()):
        yield from scans(part)


async def read_by_a_page(page: PageRequest, of: QueueOf) -> list[int]:
    """How many rows each part of the statement read, each through a range of the index."""
    statement, values = queue_statement(page, of=of)
    if dialect() == "sqlite":
        plan = await fetch_all(f"EXPLAIN QUERY PLAN {statement}", *values)
        found = [row["detail"] for row in plan if " ticket " in f"{row['detail']} "]
        assert len(found) == len(of.statuses)
        assert all("SEARCH ticket USING INDEX ticket_queue" in one for one in found), found
        assert all("status=? AND (rank,due_at,id)>(?,?,?))" in one for one in found), found
        return []
    [row] = await fetch_all(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *values)
    [plan] = orjson.loads(row["QUERY PLAN"])
    parts = list(scans(plan["Plan"]))
    for part in parts:
        assert part["Node Type"] == "Index Scan"
        assert part["Index Name"].startswith("ticket_queue"), part
        assert "ROW(rank, due_at, id) >" in part["Index Cond"]
        assert part.get("Rows Removed by Filter", 0) == 0
    return [part["Actual Rows"] for part in parts]


@pytest.mark.soak
async def test_a_page_of_the_queue_reads_one_range_for_each_status(
    full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    [alice] = await open_desk("alice")
    await submit(alice)
    tickets = 100_000 if full_form else 2_000
    await fill(tickets)
    await execute("ANALYZE ticket" if dialect() == "postgres" else "ANALYZE")

    of = QueueOf(member_id=None)
    page = PageRequest(first=PAGE)
    read = await read_by_a_page(page, of)
    first = await feedback.ticket_queue(page, of=of, by=CLERK, now=MONDAY)
    assert [one.priority for one in first.items] == [4] * PAGE
    assert list(first.keys) == sorted(first.keys)

    # Far down the queue a page costs what the first one costs.
    [middle] = await fetch_all(
        "SELECT due_at, id FROM ticket WHERE status = 'OPEN' AND priority = 2"
        " ORDER BY due_at, id LIMIT 1 OFFSET $1",
        tickets // 20,
    )
    after = PageRequest(first=PAGE, after=(-2, middle["due_at"], middle["id"]))
    deep = await read_by_a_page(after, of)
    following = await feedback.ticket_queue(after, of=of, by=CLERK, now=MONDAY)
    assert min(following.keys) > (-2, middle["due_at"], middle["id"])

    narrow = await read_by_a_page(page, QueueOf(topic="delivery"))
    if dialect() == "postgres":
        for each in (read, deep, narrow):
            assert len(each) == 3
            assert max(each) <= PAGE + 1
    tally("tickets in a queue of which a page read one range for each status", tickets, 2_000)


async def test_no_status_at_all_is_an_empty_page() -> None:
    [alice] = await open_desk("alice")
    await submit(alice)
    page = PageRequest(first=PAGE)
    found = await feedback.ticket_queue(page, of=QueueOf(statuses=()), by=CLERK, now=MONDAY)
    assert (found.items, found.has_next) == ([], False)
