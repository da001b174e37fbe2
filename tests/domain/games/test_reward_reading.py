"""A partner's ledger, and what a member won, are read by the page, however long they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import pytest

from domain import storage
from domain.access import KeyRing
from domain.games import game_rewards, partner_ledger
from domain.paging import PageRequest
from domain.storage import execute, fetch_all, observed_statements, transaction
from tests.domain.access import fixtures as access
from tests.domain.games.arcade import NOW, Arcade, open_arcade
from tests.domain.ledger.test_long_histories import rows_read

key_path = access.key_path
ring = access.ring

ITEMS, PAGE = 20_000, 20
OF_A_MOMENT = 4
_SINCE = NOW - timedelta(days=5)

_HISTORY = f"""
    INSERT INTO reward_item (partner_id, external_id, id, member_id, paid_to, campaign_id, kind,
        points, occurred_at, received_at, day, status, first_status, entry_seq, batch_id,
        member_digest, content_digest)
    SELECT $1, 'e' || n, gen_random_uuid(), $2, $2, $3, 'GRANT',
        5, at, at, at::date, 'APPLIED', 'APPLIED', n, 'b', 'd', 'c'
    FROM (
        SELECT n, timestamptz '{_SINCE}' + n / {OF_A_MOMENT} * interval '1 second' AS at
        FROM generate_series(1, {ITEMS}) n
    ) items
"""


@pytest.fixture
async def history(postgres_url: str, ring: KeyRing) -> AsyncIterator[Arcade]:
    """Items of one partner and one member, written as rows: no writer would make them in time."""
    await storage.connect(postgres_url)
    arcade = await open_arcade(ring)
    values = (arcade.partner.account_id, arcade.people["alice"], arcade.campaign.id)
    await execute(_HISTORY, *values)
    await execute("ANALYZE reward_item")
    yield arcade
    await storage.close()


Ask = Callable[[UUID, PageRequest], Awaitable[object]]


@pytest.mark.parametrize("plan", ["force_custom_plan", "force_generic_plan"])
async def test_a_page_reads_its_lines_and_those_of_its_moment(history: Arcade, plan: str) -> None:
    """Wherever it is, and however often its statement was prepared."""
    partner, alice = history.partner.account_id, history.people["alice"]
    for seconds in (1, ITEMS // OF_A_MOMENT // 2, ITEMS // OF_A_MOMENT - 10):
        at = _SINCE + timedelta(seconds=seconds)
        found = await fetch_all("SELECT id FROM reward_item WHERE received_at = $1", at)
        key = (at, sorted(row["id"] for row in found)[1])
        for ask, whose in ((partner_ledger, partner), (game_rewards, alice)):
            assert await rows_of(ask, whose, key, plan=plan) <= PAGE + 1 + OF_A_MOMENT


async def rows_of(ask: Ask, whose: UUID, key: tuple[datetime, UUID], *, plan: str) -> int:
    """How many items are read for the page after this key."""
    with observed_statements() as statements:
        await ask(whose, PageRequest(first=PAGE, after=key))
    [statement] = [one for one in statements if "reward_item" in one]

    async def explained() -> str:
        await execute(f"SET LOCAL plan_cache_mode = {plan}")
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        [row] = await fetch_all(explain, *(whose, *key, PAGE + 1))
        return str(row["QUERY PLAN"])

    [found] = orjson.loads(await transaction(explained))
    return rows_read(found["Plan"])


@pytest.mark.usefixtures("database")
async def test_who_reads_on_from_a_minute_ago_misses_nothing_that_ended_late(
    ring: KeyRing,
) -> None:
    arcade = await open_arcade(ring)
    partner_id = arcade.partner.account_id
    for n, ago_s in enumerate((120, 70, 5)):
        await arcade.push(f"b{n}", arcade.item(f"a{n}"), now=NOW - timedelta(seconds=ago_s))
    read = await partner_ledger(partner_id, PageRequest(first=10))
    # It came in before what was read, and was not there yet.
    await arcade.push("late", arcade.item("late"), now=NOW - timedelta(seconds=10))
    since = NOW - timedelta(minutes=1)
    on = [key for key, line in zip(read.keys, read.items, strict=True) if line.received_at < since]
    more = await partner_ledger(partner_id, PageRequest(first=10, after=on[-1]))
    assert [one.external_id for one in more.items] == ["late", "a2"]
    last = await partner_ledger(partner_id, PageRequest(first=10, after=read.keys[-1]))
    assert last.items == []
