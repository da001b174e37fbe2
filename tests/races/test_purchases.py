"""Racing batches of purchases, and racing imports of one file."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain.members import PhoneKeyFile, use_phone_keys
from domain.purchases import (
    ImportedOrder,
    ImportOrders,
    current_rule,
    import_orders,
    publish_rule,
)
from domain.storage import fetch_all, observed_statements
from tests.domain.purchases.shop import NOW, RULE, Shop, line, lines_of, open_shop, order
from tests.races.contention import Gate
from tests.races.pushing import push, told

CROWD = 8
ACCOUNTS = "SELECT 1 FROM points_account FOR UPDATE"


@pytest.fixture(scope="module")
def phone_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The keys under which both processes name members."""
    path = tmp_path_factory.mktemp("phones") / "phone-keys.json"
    use_phone_keys(PhoneKeyFile(path, now=NOW, create_missing=True))
    return path


@pytest.fixture
async def shop(postgres: str) -> Shop:
    """A shop whose members have an account each, so that there is something to wait for."""
    opened = await open_shop("alice", "bob")
    await opened.record(order("first-a", "bob"), order("first-b", "alice"), batch_id="first")
    return opened


async def elsewhere(
    database: str, phone_keys: Path, batch_id: str, *order_ids: str
) -> asyncio.subprocess.Process:
    """Another process that pushes the batch half as often as the crowd is large."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.pushing", database, str(phone_keys), batch_id),
        *(str(CROWD // 2), *order_ids),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def answers_of(process: asyncio.subprocess.Process) -> list[Any]:
    output, _ = await process.communicate()
    assert process.returncode == 0
    answers: list[Any] = orjson.loads(output.splitlines()[-1])
    return answers


async def test_two_processes_that_push_one_batch_apply_it_once(
    shop: Shop, gate: Gate, postgres: str, phone_keys: Path
) -> None:
    order_ids = [f"order-{n}" for n in range(6)]
    await gate.hold(ACCOUNTS)
    process = await elsewhere(postgres, phone_keys, "batch", *order_ids)
    crowd = asyncio.gather(*(push("batch", order_ids) for _ in range(CROWD // 2)))
    await gate.open(waiting=CROWD)
    answers = [told(answer) for answer in await crowd] + await answers_of(process)

    assert sorted(replayed for replayed, _ in answers) == [False] + [True] * (CROWD - 1)
    receipts = answers[0][1]
    assert [(status, points) for status, _, points in receipts] == [("APPLIED", 88)] * 6
    assert all(answer[1] == receipts for answer in answers)
    assert await shop.available("alice") == await shop.available("bob") == 4 * 88
    await shop.verify()


async def test_orders_that_two_processes_push_in_other_batches_are_applied_once(
    shop: Shop, gate: Gate, postgres: str, phone_keys: Path
) -> None:
    order_ids = [f"order-{n}" for n in range(6)]
    await gate.hold(ACCOUNTS)
    process = await elsewhere(postgres, phone_keys, "theirs", *order_ids)
    crowd = asyncio.gather(
        *(push(f"ours-{n}", order_ids[::-1] if n % 2 else order_ids) for n in range(CROWD // 2))
    )
    await gate.open(waiting=CROWD)
    answers = [told(answer) for answer in await crowd] + await answers_of(process)

    fresh = [receipts for replayed, receipts in answers if not replayed]
    assert len(fresh) == CROWD // 2 + 1
    statuses = [status for receipts in fresh for status, _, _ in receipts]
    assert statuses.count("APPLIED") == 6
    assert statuses.count("DUPLICATE") == 6 * (len(fresh) - 1)
    assert len({purchase for receipts in fresh for _, purchase, _ in receipts}) == 6
    assert await shop.available("alice") == await shop.available("bob") == 4 * 88
    await shop.verify()


async def test_who_waited_for_the_winner_sees_it_and_writes_nothing_in_vain(
    shop: Shop, gate: Gate
) -> None:
    """Keys are recalled under the accounts' locks: no loser runs into a key that is taken."""
    with observed_statements() as statements:
        await gate.hold(ACCOUNTS)
        pushes = asyncio.gather(*(push("batch", ["order-1"]) for _ in range(CROWD // 2)))
        imports = asyncio.gather(*(bring("A", "1", "2") for _ in range(CROWD // 2)))
        await gate.open(waiting=CROWD)
        await pushes
        await imports
    remembered = [sql for sql in statements if sql.lstrip().startswith("INSERT INTO idempotency")]
    # The batch and its order, and the order of the file: each in one run of one winner.
    assert len(remembered) == 3
    await shop.verify()


async def bring(external_id: str, *line_ids: str) -> ImportedOrder:
    """Import one order of alice's with lines of 100 yuan."""
    lines = [line("cup", 10_000, line_id=line_id) for line_id in line_ids]
    command = ImportOrders(
        source="file", orders=[order(external_id, "alice", *lines)], create_members=True
    )
    [outcome] = await import_orders(command, rule=await current_rule("standard"), now=NOW)
    assert outcome.refusal is None
    return outcome


async def test_imports_that_record_one_order_at_once_record_it_once(shop: Shop, gate: Gate) -> None:
    await gate.hold(ACCOUNTS)
    crowd = asyncio.gather(*(bring("A", "1", "2") for _ in range(CROWD)))
    await gate.open(waiting=CROWD)
    outcomes = await crowd
    assert sorted(outcome.points_earned for outcome in outcomes) == [0] * (CROWD - 1) + [200]
    assert sorted(len(outcome.known) for outcome in outcomes) == [0] + [2] * (CROWD - 1)
    assert await shop.available("alice") == 88 + 200
    await shop.verify()


async def test_imports_that_add_to_one_order_at_once_add_each_line_once(
    shop: Shop, gate: Gate
) -> None:
    await bring("A", "1")
    await gate.hold("SELECT 1 FROM purchase FOR UPDATE")
    crowd = asyncio.gather(*(bring("A", "1", "2", f"only-{n}") for n in range(CROWD)))
    await gate.open(waiting=CROWD)
    outcomes = await crowd
    assert sorted(outcome.points_earned for outcome in outcomes) == [100] * (CROWD - 1) + [200]
    assert [row[0] for row in await lines_of("A")] == sorted(
        ["1", "2", *(f"only-{n}" for n in range(CROWD))]
    )
    assert await shop.available("alice") == 88 + 100 * (CROWD + 2)
    await shop.verify()


async def test_rules_published_at_once_are_different_versions(shop: Shop, gate: Gate) -> None:
    await gate.hold("LOCK TABLE earning_rule IN SHARE MODE")
    rules = [replace(RULE, permille_per_yuan=rate) for rate in (500, 600, 700)]
    crowd = asyncio.gather(*(publish_rule(rule, now=NOW) for rule in rules))
    await gate.open(waiting=3)
    published = await crowd
    assert [rule.permille_per_yuan for rule in published] == [500, 600, 700]
    assert sorted(rule.version for rule in published) == [2, 3, 4]
    rows = await fetch_all("SELECT version FROM earning_rule ORDER BY version")
    assert [row["version"] for row in rows] == [1, 2, 3, 4]
