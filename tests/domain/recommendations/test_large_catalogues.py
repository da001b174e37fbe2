"""What is asked at every request looks at a few rows of a large catalogue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from domain import recommendations, storage
from domain.recommendations import Shelf, Surface, recommended
from domain.recommendations.offering import NEW_PRODUCTS_MAX
from domain.recommendations.serving_statement import statement
from domain.storage import execute, fetch_all, fetch_one
from tests.domain.ledger.commands import ALICE, NOW

PRODUCTS = 20_000

_FILL = """
    INSERT INTO product (id, code, title, active, updated_at, introduced_at)
    SELECT gen_random_uuid(), 'p' || n, 'x', TRUE, $1::timestamptz,
           $1::timestamptz - n * INTERVAL '1 second'
    FROM generate_series(1, $2::int) AS n
"""


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """All steps of a plan."""
    return [plan, *(node for part in plan.get("Plans", ()) for node in nodes(part))]


async def steps(sql: str, *values: object) -> list[dict[str, Any]]:
    """What the database did with a statement."""
    row = await fetch_one(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *values)
    assert row is not None
    told = row["QUERY PLAN"]
    [plan] = orjson.loads(told) if isinstance(told, str) else told
    return nodes(plan["Plan"])


@pytest.fixture
async def many(postgres_url: str) -> AsyncIterator[None]:
    """A first import that calls all products new, the first of them the newest."""
    await storage.connect(postgres_url)
    await execute(_FILL, NOW, PRODUCTS)
    await execute("ANALYZE product")
    yield
    await storage.close()


@pytest.mark.usefixtures("many")
async def test_the_last_moment_of_a_product_is_found_in_an_index() -> None:
    sql = "SELECT $1::uuid, $3::timestamptz, $4::uuid, " + recommendations.changes("postgres")
    found = await steps(sql, ALICE, NOW, NOW, ALICE, NOW - recommendations.INTRODUCED_LATELY)
    assert "Seq Scan" not in {
        node["Node Type"] for node in found if node.get("Relation Name") == "product"
    }
    assert sum(node["Actual Rows"] for node in found if node.get("Relation Name") == "product") <= 2


@pytest.mark.usefixtures("many")
async def test_letters_choose_from_the_newest() -> None:
    since = NOW - recommendations.INTRODUCED_LATELY
    values = (["LETTERS"], NOW, 10, True, 0.05, 0.05, since)
    found = await steps(statement(Surface.LETTERS, "postgres"), ALICE, *values)
    sorted_rows = [node["Actual Rows"] for node in found if node["Node Type"].endswith("Sort")]
    assert max(sorted_rows, default=0) <= NEW_PRODUCTS_MAX
    answer = await recommended(
        ALICE, surface=Surface.LETTERS, shelf=Shelf.POPULAR, first=10, now=NOW
    )
    newest = await fetch_all(
        "SELECT code FROM product ORDER BY introduced_at DESC LIMIT $1", NEW_PRODUCTS_MAX
    )
    assert len(answer.items) == 10
    assert {one.product.code for one in answer.items} <= {row["code"] for row in newest}
