"""Recording on both databases: a row exists exactly if the act does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from tortoise.exceptions import IntegrityError

from domain import audit
from domain.audit import Actor, AuditChainBroken, AuditEntry, NotAudited, Target
from domain.outbox import Event, announce
from domain.paging import PageRequest
from domain.storage import execute, fetch_one, observed_statements, transaction
from tests.domain.access.fixtures import NOW, OPERATOR

pytestmark = pytest.mark.usefixtures("database")

LI = Actor(name="staff:li.na", account_id=UUID(int=7), request_id="r-1")
TEA = Target(kind="product", id="tea")


async def act(number: int = 1, *, by: Actor = LI) -> None:
    async def work() -> None:
        audit.record(by, "tea.pour", target=TEA, after={"cups": number}, now=NOW)

    await transaction(work)


async def log(*, first: int = 100) -> list[AuditEntry]:
    return list((await audit.entries(PageRequest(first=first))).items)


async def test_a_row_tells_who_did_what_to_what_when() -> None:
    async def work() -> None:
        audit.record(
            LI, "tea.pour", target=TEA, before={"b": 1, "a": None}, after={"a": ["x"]}, now=NOW
        )
        audit.record(OPERATOR, "tea.look", now=NOW + timedelta(seconds=1))

    await transaction(work)
    second, first = await log()
    assert first == AuditEntry(
        seq=1,
        at=NOW,
        actor="staff:li.na",
        account_id=UUID(int=7),
        action="tea.pour",
        target=TEA,
        before='{"a":null,"b":1}',
        after='{"a":["x"]}',
        request_id="r-1",
        hash=first.hash,
    )
    assert (second.seq, second.actor, second.account_id) == (2, "cli:tests", None)
    assert (second.target, second.before, second.after) == (None, None, None)
    assert await audit.head() == audit.Head(seq=2, hash=second.hash)


async def test_what_rolls_back_is_not_told() -> None:
    await act()
    before = await audit.head()

    async def fails() -> None:
        audit.record(LI, "tea.spill", now=NOW)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await transaction(fails)
    assert await audit.head() == before
    assert [entry.action for entry in await log()] == ["tea.pour"]


async def test_only_inside_a_transaction() -> None:
    with pytest.raises(AssertionError):
        audit.record(LI, "tea.pour", now=NOW)
    assert await log() == []


async def test_the_chain_is_locked_after_everything_else_and_costs_three_statements() -> None:
    async def work() -> None:
        audit.record(LI, "tea.pour", now=NOW)
        audit.record(LI, "tea.pour", now=NOW)
        await announce([Event(kind="Poured", member_id=UUID(int=1), facts={})], now=NOW)
        await execute("UPDATE access_account SET name = name")

    with observed_statements() as statements:
        await transaction(work)
    assert "access_account" in statements[0]
    assert [sql.split()[0] for sql in statements[-3:]] == ["SELECT", "INSERT", "UPDATE"]
    assert all("audit_" in sql for sql in statements[-3:])
    assert all("outbox" in sql for sql in statements[1:-3])


async def test_work_that_records_nothing_is_not_committed() -> None:
    await act()

    async def forgetful() -> None:
        await execute(
            "INSERT INTO level (code, rank, name_zh, name_en, threshold)"
            " VALUES ('x', 0, 'x', 'x', 0)"
        )

    with pytest.raises(NotAudited):
        await audit.audited(forgetful)
    assert await fetch_one("SELECT code FROM level") is None

    async def honest() -> str:
        await forgetful()
        audit.record(LI, "level.make", now=NOW)
        return "made"

    assert await audit.audited(honest) == "made"
    assert await fetch_one("SELECT code FROM level") is not None

    async def both() -> None:
        await audit.audited(honest_look)
        await audit.audited(nothing)

    async def honest_look() -> None:
        audit.record(LI, "level.look", now=NOW)

    async def nothing() -> None:
        """What another part of the same transaction recorded does not count for this one."""

    with pytest.raises(NotAudited):
        await transaction(both)
    assert [entry.action for entry in await log()] == ["level.make", "tea.pour"]


async def test_rows_of_many_at_once_make_one_chain() -> None:
    await asyncio.gather(*(act(number) for number in range(8)))
    entries = await log()
    assert [entry.seq for entry in entries] == [8, 7, 6, 5, 4, 3, 2, 1]
    cups = {orjson.loads(entry.after or "")["cups"] for entry in entries}
    assert cups == set(range(8))
    assert (await audit.verify()).broken is None


FIRST = "hash = (SELECT hash FROM audit_entry WHERE seq = 1)"
BREAKING = {
    "goes back": f"UPDATE audit_head SET seq = 1, {FIRST}",
    "goes nowhere": "UPDATE audit_head SET hash = hash",
    "goes beyond the rows": "UPDATE audit_head SET seq = 3",
    "names another hash": f"UPDATE audit_head SET {FIRST}",
    "is another": "UPDATE audit_head SET id = 2",
    "is removed": "DELETE FROM audit_head",
    "is added": "INSERT INTO audit_head SELECT 2, seq, hash FROM audit_head",
}


@pytest.mark.parametrize("how", BREAKING)
async def test_the_head_only_follows_the_rows(how: str) -> None:
    await act()
    await act()
    head = await audit.head()
    with pytest.raises(IntegrityError):
        await execute(BREAKING[how])
    assert await audit.head() == head


async def test_the_head_skips_no_row() -> None:
    """A row that somebody put beyond the head does not carry it over a gap."""
    await act()
    await execute(INSERTED.format(seq=3))
    with pytest.raises(IntegrityError):
        await execute(
            "UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit_entry WHERE seq = 3)"
        )


INSERTED = """INSERT INTO audit_entry SELECT {seq}, at, actor, account_id, action, target_kind,
    target_id, before, after, request_id, hash FROM audit_entry WHERE seq = 1"""


async def test_where_a_row_stands_in_the_way_nothing_is_done_and_that_is_said_at_once() -> None:
    await act()
    await execute(INSERTED.format(seq=2))
    attempts: list[int] = []

    async def work() -> None:
        attempts.append(1)
        await execute(
            "INSERT INTO level (code, rank, name_zh, name_en, threshold)"
            " VALUES ('x', 0, 'x', 'x', 0)"
        )
        audit.record(LI, "level.make", now=NOW)

    with pytest.raises(AuditChainBroken, match="row 2") as broken:
        await transaction(work)
    assert (broken.value.seq, len(attempts)) == (2, 1)
    assert await fetch_one("SELECT code FROM level") is None
    assert (await audit.head()).seq == 1


async def test_pages_are_newest_first() -> None:
    for number in range(5):
        await act(number)
    page = await audit.entries(PageRequest(first=2))
    assert ([entry.seq for entry in page.items], page.has_next) == ([5, 4], True)
    page = await audit.entries(PageRequest(first=3, after=page.keys[-1]))
    assert ([entry.seq for entry in page.items], page.has_next) == ([3, 2, 1], False)
