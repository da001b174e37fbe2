"""All of Complete Journey's transactions, killed half-way, resumed, imported again, looked at."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from uuid import UUID

import pytest

from api.demo.programme import set_up_programme
from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain import members, recommendations, storage
from domain.ledger import verify_account
from domain.members import ByExternalReference
from tests.closing import ClosingReport
from tests.domain.access.fixtures import NOW
from tests.graphql.gateway import Gateway, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.imports.running import import_purchases, kill_import_after, run

LINES = 75_000
ORDERS = 47_243
PRODUCTS = 92_331
OPTIONS = ("--preset", "complete-journey", "--rule", "lifetime", "--time-zone", "Asia/Shanghai")


@dataclass(slots=True)
class Truth:
    """What the file says, reckoned without the project's rules."""

    paid_fen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By order."""
    owner: dict[str, str] = field(default_factory=dict)
    """By order."""
    without_value: int = 0
    """Lines of zero quantity or value."""
    lines_of: Counter[str] = field(default_factory=Counter)
    """Lines with a quantity, by product."""

    def points_by_member(self) -> dict[str, int]:
        """One point per whole yuan of an order, by household."""
        points: dict[str, int] = defaultdict(int)
        for order, fen in self.paid_fen.items():
            points[self.owner[order]] += fen // 100
        return dict(points)


def read_truth(file: Path) -> Truth:
    from pyarrow import parquet

    truth = Truth()
    columns = ["household_id", "basket_id", "product_id", "quantity", "sales_value"]
    rows = parquet.read_table(file, columns=columns).to_pylist()
    assert len(rows) == LINES
    for row in rows:
        fen = int((Decimal(str(row["sales_value"])) * 100).to_integral_value(ROUND_HALF_UP))
        truth.paid_fen[row["basket_id"]] += fen
        truth.owner[row["basket_id"]] = row["household_id"]
        truth.without_value += row["quantity"] == 0 or fen == 0
        truth.lines_of[row["product_id"]] += row["quantity"] > 0
    assert len(truth.paid_fen) == ORDERS
    return truth


async def set_up(url: str) -> None:
    """The demo's programme, whose levels the home page shows."""
    await storage.connect(url)
    try:
        await set_up_programme(now=NOW)
    finally:
        await storage.close()


async def one(sql: str) -> int:
    row = await storage.fetch_one(sql)
    assert row is not None
    return int(row["n"])


async def points_by_reference() -> dict[str, int]:
    rows = await storage.fetch_all(
        "SELECT i.subject, COALESCE(a.available, 0) AS available FROM member_identity AS i "
        "LEFT JOIN points_account AS a ON a.member_id = i.member_id WHERE i.kind = 'external'"
    )
    return {row["subject"]: row["available"] for row in rows}


@pytest.mark.faults
@pytest.mark.timeout(240)
async def test_the_real_transactions(
    database_url: str, real_data: Path, tmp_path: Path, fake: RunningFake, report: ClosingReport
) -> None:
    file = real_data / "completejourney_transactions_sample.parquet"
    rejects = tmp_path / "rejects.csv"
    options = (*OPTIONS, "--rejects", rejects)
    products = real_data / "completejourney_products.parquet"
    said = await run(database_url, "import-products", products, "--preset", "complete-journey")
    assert f"{PRODUCTS:,} rows: {PRODUCTS:,} imported ({PRODUCTS:,} new, 0 changed)" in said
    await set_up(database_url)

    killed_at = await kill_import_after(database_url, file, *options, rows=LINES // 2)
    resumed = await import_purchases(database_url, file, *options)
    assert resumed.rows == LINES
    assert resumed.rejected == 0
    assert resumed.imported + resumed.known == LINES
    # What was recorded before the kill is there, and nothing of it is done twice.
    assert killed_at <= resumed.known < LINES
    again = await import_purchases(database_url, file, *options)
    assert (again.imported, again.known, again.rejected) == (0, LINES, 0)
    assert (again.orders, again.points) == (0, 0)
    assert not rejects.exists()

    truth = read_truth(file)
    await storage.connect(database_url)
    try:
        await assert_as_the_file_says(truth)
        await recommendations.refresh_popularity(now=NOW)
    finally:
        await storage.close()
    async with open_gateway(settings_for(database_url, tmp_path, fake), fake) as gateway:
        await assert_home_as_the_file_says(gateway, truth)
    database = database_url.split(":", 1)[0]
    report.notes.append(
        f"Complete Journey on {database}: {LINES:,} lines, killed at {killed_at:,}; the rest at "
        f"{resumed.rate:,} rows/s, all again at {again.rate:,} rows/s"
    )


async def assert_as_the_file_says(truth: Truth) -> None:
    expected = truth.points_by_member()
    assert await points_by_reference() == expected
    assert await one("SELECT COUNT(*) AS n FROM purchase") == ORDERS
    assert await one("SELECT COUNT(*) AS n FROM purchase_line") == LINES
    assert await one("SELECT SUM(paid_fen) AS n FROM purchase") == sum(truth.paid_fen.values())
    assert await one("SELECT SUM(points) AS n FROM purchase") == sum(expected.values())
    kept = "SELECT COUNT(*) AS n FROM purchase_line WHERE quantity = 0 OR amount_fen = 0"
    assert await one(kept) == truth.without_value > 0
    # An order that earned nothing left no entry; every other one left exactly one.
    earning = sum(1 for fen in truth.paid_fen.values() if fen >= 100)
    assert await one("SELECT COUNT(*) AS n FROM points_entry") == earning
    busiest = await storage.fetch_all(
        "SELECT member_id FROM points_account ORDER BY version DESC, member_id LIMIT 20"
    )
    for row in busiest:
        member_id: UUID = row["member_id"]
        assert await verify_account(member_id) == []


async def assert_home_as_the_file_says(gateway: Gateway, truth: Truth) -> None:
    """The home page of the household with the most orders, verbatim, in 8 statements at most."""
    orders = Counter(truth.owner[order] for order, fen in truth.paid_fen.items() if fen >= 100)
    household, count = min(orders.items(), key=lambda item: (-item[1], item[0]))
    assert count > 20
    [member_id] = await members.resolve_members([ByExternalReference(household)])
    assert member_id is not None
    session = await members.open_session(
        member_id, app_id=DEMO_APP_ID, tokens=gateway.tokens, now=gateway.clock.now()
    )
    with storage.observed_statements() as statements:
        home = await gateway.ask(operation("Home"), token=session.access_token)
    assert len(statements) <= 8
    body = home.json()
    assert "errors" not in body, body
    me = body["data"]["me"]
    assert me["points"] == {
        "available": truth.points_by_member()[household],
        "pending": 0,
        "held": 0,
        "debt": 0,
        "expiringSoon": [],
    }
    assert me["tier"]["level"]["code"] == "bronze"
    # The purchases are years old: none of them counts for a level now.
    assert me["tier"]["progress"]["qualifyingPoints"] == 0
    nodes = [edge["node"] for edge in me["ledger"]["edges"]]
    assert len(nodes) == 20
    for node in nodes:
        order = node["source"]["reference"]
        assert truth.owner[order] == household
        assert (node["kind"], node["amount"]) == ("EARN", truth.paid_fen[order] // 100)
    assert nodes[0]["balanceAfter"] == me["points"]["available"]
    assert me["ledger"]["pageInfo"]["hasNextPage"] is True
    shown = [item["score"] for item in me["recommendations"]["items"]]
    bought = truth.lines_of.total()
    most = [lines / bought for _, lines in truth.lines_of.most_common(len(shown))]
    assert shown == pytest.approx(most)
