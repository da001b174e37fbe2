"""A key of a member's is known whichever record of theirs used it, and found by its index."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from uuid import UUID

import orjson
import pytest

from domain.custody import MergeBecause, merge
from domain.idempotency import digests
from domain.members import Answered, recall_own, remember_own
from domain.storage import dialect, execute, fetch_all, observed_statements, transaction
from tests.domain.access.fixtures import NOW
from tests.domain.members.test_consents import rows_of
from tests.domain.members.test_phones import a_member

pytestmark = pytest.mark.usefixtures("database")

GIVEN = digests({"reward": "mug"})
KEYS = 2_000


async def remembered(member_id: UUID, *keys: str) -> None:
    async def work() -> None:
        for key in keys:
            answer = {"by": str(member_id)}
            await remember_own("test", member_id, key=key, digests=GIVEN, answer=answer, now=NOW)

    await transaction(work)


async def join(keeper: UUID, loser: UUID) -> None:
    because = MergeBecause.STAFF
    made = await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=NOW))
    assert made is not None


async def known(member_id: UUID, key: str) -> UUID | None:
    found = await recall_own("test", member_id, key=key, digests=GIVEN)
    if found is None:
        return None
    assert found == Answered(record_id=found.record_id, answer={"by": str(found.record_id)})
    return found.record_id


async def test_all_records_of_a_person_know_all_their_keys() -> None:
    first, second, third, other, stranger = [await a_member(name) for name in "abcde"]
    for number, one in enumerate((first, second, third, other, stranger)):
        await remembered(one, f"k-{number}", "each")
    before = [[await known(one, f"k-{n}") for n in range(5)] for one in (first, second)]
    assert before == [
        [first, None, None, None, None],
        [None, second, None, None, None],
    ]
    await join(second, first)
    await join(third, second)
    await join(third, other)
    theirs = [first, second, third, other]
    for one in theirs:
        assert [await known(one, f"k-{n}") for n in range(5)] == [*theirs, None]
        # Of a key that several used it is the one's own answer.
        assert await known(one, "each") == one
    assert [await known(stranger, f"k-{n}") for n in range(5)] == [None] * 4 + [stranger]
    with observed_statements() as statements:
        await known(first, "k-3")
        await known(stranger, "k-3")
    assert len(statements) == 2


async def test_a_key_is_found_by_its_index() -> None:
    keeper, loser = await a_member("keeper"), await a_member("loser")
    await remembered(loser, *(f"k-{n}" for n in range(KEYS)))
    await join(keeper, loser)
    scopes = import_module("domain.members.own_keys")._SCOPES
    with observed_statements() as statements:
        assert await known(keeper, "k-7") == loser
    [statement] = statements
    assert scopes in statement
    if dialect() == "postgres":
        await execute("ANALYZE idempotency")
        await execute("ANALYZE member")
        sql = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        [row] = await fetch_all(sql, "k-7", "test", keeper)
        [plan] = orjson.loads(row["QUERY PLAN"])
        # Of 2,000 keys the one; the rest are the person's records.
        assert rows_of(plan["Plan"]) <= 16, orjson.dumps(plan, option=2).decode()
    else:
        rows = await fetch_all(f"EXPLAIN QUERY PLAN {statement}", "k-7", "test", keeper)
        told = str([row["detail"] for row in rows])
        assert "idempotency" in told
        assert "SCAN idempotency" not in told
        assert "(scope=? AND key=?)" in told
