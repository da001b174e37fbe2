"""Metrics: counted by what the real gateway does, read as Prometheus reads them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.observability.metrics import REGISTRY
from api.observability.samplers import sample_connections, sample_outbox_once
from tests.graphql import conftest
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.operations import operation
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import SHOP, open_shop

gateway = conftest.own_gateway


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Counting is the same on both databases; that both tell of statements, traces show."""
    return sqlite_url


def value(name: str, **labels: str) -> float:
    """A sample as it stands now; 0 before the first count."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Counted:
    """How much a sample has grown since this was made."""

    def __init__(self, name: str, **labels: str) -> None:
        self.name, self.labels = name, labels
        self.before = value(name, **labels)

    @property
    def grown(self) -> float:
        return value(self.name, **self.labels) - self.before


def operations(name: str, outcome: str) -> Counted:
    return Counted("jifen_operation_duration_seconds_count", operation=name, outcome=outcome)


async def test_operations_are_counted_by_name_and_outcome(gateway: Gateway) -> None:
    counted = {
        "home": operations("Home", "ok"),
        "sign-in": operations("SignInWithWeChat", "ok"),
        "refused": operations("SignInWithWeChat", "refused"),
        "failed": operations("Home", "failed"),
        "anonymous": operations("anonymous", "ok"),
        "invalid": operations("invalid", "failed"),
    }
    codes = {
        "used": Counted("jifen_refusals_total", code="WECHAT_CODE_INVALID"),
        "stranger": Counted("jifen_errors_total", code="UNAUTHENTICATED"),
        "wrong": Counted("jifen_errors_total", code="GRAPHQL_VALIDATION_FAILED"),
        "no-json": Counted("jifen_errors_total", code="BAD_REQUEST"),
    }
    answered = Counted("jifen_http_requests_total", route="/graphql", method="POST", status="200")
    bad = Counted("jifen_http_requests_total", route="/graphql", method="POST", status="400")
    nowhere = Counted("jifen_http_requests_total", route="other", method="GET", status="404")

    session = await gateway.sign_in()
    await gateway.ask(operation("Home"), token=session.access_token)
    await gateway.ask(
        operation("SignInWithWeChat"), {"input": {"appId": "wxjifendemo0000001", "code": "no"}}
    )
    await gateway.ask(operation("Home"))
    await gateway.ask("{ program { name } }")
    await gateway.ask("query AnyNameAtAll { nothing }")
    await gateway.http.post("/graphql", content=b"[", headers={"content-type": "application/json"})
    await gateway.http.get("/any/path/at/all")

    assert {name: one.grown for name, one in counted.items()} == dict.fromkeys(counted, 1)
    assert {name: one.grown for name, one in codes.items()} == dict.fromkeys(codes, 1)
    assert (answered.grown, bad.grown, nowhere.grown) == (6, 1, 1)
    assert value("jifen_operations_in_flight") == 0
    exposed = (await gateway.http.get("/metrics")).text
    assert "AnyNameAtAll" not in exposed
    assert "/any/path" not in exposed


async def test_statements_are_counted_by_kind(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    kinds = {
        kind: Counted("jifen_database_statement_duration_seconds_count", kind=kind, outcome="ok")
        for kind in ("SELECT", "WITH", "INSERT", "BEGIN", "COMMIT")
    }
    waits = Counted("jifen_database_connection_wait_seconds_count", outcome="granted")

    await gateway.ask(operation("Home"), token=session.access_token)
    grown = {kind: one.grown for kind, one in kinds.items()}
    assert grown["SELECT"] + grown["WITH"] >= 8
    assert (grown["INSERT"], grown["BEGIN"], grown["COMMIT"]) == (0, 0, 0)
    assert waits.grown >= 8

    await open_shop(gateway.named(SHOP), now=NOW)
    before = {kind: one.grown for kind, one in kinds.items()}
    applied(await record(gateway, "one", [order("A", session.member_id)]))
    assert kinds["INSERT"].grown > before["INSERT"]
    assert kinds["BEGIN"].grown - before["BEGIN"] >= 1
    assert kinds["COMMIT"].grown - before["COMMIT"] == kinds["BEGIN"].grown - before["BEGIN"]


async def test_the_pool_and_the_outbox_are_told(gateway: Gateway) -> None:
    await open_shop(gateway.named(SHOP), now=NOW)
    session = await gateway.sign_in()
    applied(await record(gateway, "one", [order("A", session.member_id)]))

    sample_connections()
    assert value("jifen_database_connections", state="open") >= 1
    assert value("jifen_database_connections", state="in_use") == 0
    await sample_outbox_once(NOW)
    assert value("jifen_outbox_parked") == 0
    assert value("jifen_outbox_undelivered") >= 0
    assert value("jifen_outbox_lag_seconds") >= 0


async def test_what_is_served_is_what_prometheus_reads(gateway: Gateway) -> None:
    response = await gateway.http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert response.headers["cache-control"] == "no-store"
    families = {one.name: one for one in text_string_to_metric_families(response.text)}
    missing = {
        "jifen_http_requests",
        "jifen_operation_duration_seconds",
        "jifen_operations_in_flight",
        "jifen_slow_operations",
        "jifen_errors",
        "jifen_refusals",
        "jifen_admission_queue",
        "jifen_shed",
        "jifen_rate_limited",
        "jifen_subscriptions_open",
        "jifen_outbox_undelivered",
        "jifen_outbox_lag_seconds",
        "jifen_outbox_parked",
        "jifen_redis_breaker_open",
        "jifen_redis_failures",
        "jifen_database_statement_duration_seconds",
        "jifen_database_connection_wait_seconds",
        "jifen_database_connections",
        "jifen_event_loop_lag_seconds",
        "process_resident_memory_bytes",
        "process_open_fds",
    } - families.keys()
    assert missing == set()
