"""Traces: sent to a real HTTP server, and compared span by span."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from api.fake_wechat import RunningFake
from api.observability.metrics import TRACE_FAILURES
from api.observability.settings import TraceSettings
from api.observability.spans import Spans
from domain import storage
from tests.graphql.collector import Collector, collecting
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import SHOP, open_shop, set_up_programme

PARENT = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{PARENT}-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@asynccontextmanager
async def traced(
    database_url: str, folder: Path, fake: RunningFake, **traces: Any
) -> AsyncIterator[Gateway]:
    settings = settings_for(database_url, folder, fake)
    settings = settings.model_copy(update={"traces": TraceSettings(**traces)})
    async with open_gateway(settings, fake) as gateway:
        yield gateway


def spans_of(gateway: Gateway) -> Spans:
    spans = gateway.app.state.spans
    assert isinstance(spans, Spans)
    return spans


async def arrived(gateway: Gateway) -> None:
    """Everything that has ended is at the collector."""
    await asyncio.to_thread(spans_of(gateway).flush)


async def test_the_spans_of_one_home_query(
    database_url: str, tmp_path: Path, fake: RunningFake, collector: Collector
) -> None:
    async with traced(database_url, tmp_path, fake, endpoint=collector.url) as gateway:
        await set_up_programme(now=NOW)
        await open_shop(gateway.named(SHOP), now=NOW)
        session = await gateway.sign_in()
        applied(await record(gateway, "one", [order("A", session.member_id)]))
        await arrived(gateway)
        collector.spans.clear()
        collector.bodies.clear()

        response = await gateway.http.post(
            "/graphql",
            json={"query": operation("Home"), "variables": {"ledgerFirst": 7}},
            headers={
                "authorization": f"Bearer {session.access_token}",
                "traceparent": SAMPLED,
                "x-request-id": "the-request",
            },
        )
        assert response.json().keys() == {"data"}
        await arrived(gateway)
        system = {"postgres": "postgresql", "sqlite": "sqlite"}[storage.dialect()]

    # The session is read before the operation begins, everything else on its behalf.
    entry, [session_read, (name, statements)] = collector.tree(PARENT)
    assert (entry, session_read, name) == ("POST /graphql", "SELECT", "query Home")
    assert sorted(statements) == [*["SELECT"] * 6, "WITH"]
    assert collector.services == {"jifen"}
    request = collector.one("POST /graphql")
    assert request.kind == 2, "a server's"
    assert request.attributes == {
        "http.request.method": "POST",
        "http.route": "/graphql",
        "http.response.status_code": 200,
        "url.path": "/graphql",
        "jifen.request_id": "the-request",
    }
    assert response.headers["traceresponse"] == f"00-{PARENT}-{request.id.hex()}-01"
    ran = collector.one("query Home")
    digest = hashlib.sha256(operation("Home").encode()).hexdigest()
    assert ran.attributes.pop("jifen.cost") > 0
    assert ran.attributes == {
        "graphql.operation.name": "Home",
        "graphql.operation.type": "query",
        "graphql.document.hash": digest,
        "jifen.outcome": "ok",
    }
    statements = [one for one in collector.spans if one.name in ("SELECT", "WITH")]
    for one in statements:
        assert one.kind == 3, "a client's"
        assert one.attributes["db.system.name"] == system
        assert one.attributes["db.operation.name"] == one.name
        assert one.attributes["db.query.text"].lstrip().upper().startswith(one.name)
        assert request.started_ns <= one.started_ns <= one.ended_ns <= request.ended_ns
    assert len({one.attributes["db.query.text"] for one in statements}) == 8
    assert not any(one.failed for one in collector.spans)
    kept_quiet = (session.member, session.access_token, session.member_id, "o-alice")
    for body in collector.bodies:
        for secret in kept_quiet:
            assert str(secret).encode() not in body


async def test_a_sign_in_shows_its_transaction_and_its_call_to_wechat(
    sqlite_url: str, tmp_path: Path, fake: RunningFake, collector: Collector
) -> None:
    async with traced(sqlite_url, tmp_path, fake, endpoint=collector.url) as gateway:
        await set_up_programme(now=NOW)
        code = await gateway.login()
        await gateway.exchange(code)
        await arrived(gateway)

    (trace_id,) = {one.trace_id for one in collector.spans}
    name, (work,) = collector.tree(trace_id)
    assert name == "POST /graphql"
    assert work[0] == "mutation SignInWithWeChat"
    assert work[1][0] == "GET /sns/jscode2session"
    assert work[1][1] == "BEGIN"
    assert work[1][-2:] == ["COMMIT", "SELECT"], "the answer reads the member"
    assert set(work[1][2:-2]) <= {"SELECT", "INSERT", "UPDATE"}
    call = collector.one("GET /sns/jscode2session")
    assert call.attributes == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "url.path": "/sns/jscode2session",
        "http.response.status_code": 200,
    }
    for body in collector.bodies:
        assert code.encode() not in body
        assert b"secret" not in body


async def test_lines_of_the_log_carry_the_trace_id(
    sqlite_url: str,
    tmp_path: Path,
    fake: RunningFake,
    collector: Collector,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = settings_for(sqlite_url, tmp_path, fake).model_copy(
        update={"traces": TraceSettings(endpoint=collector.url), "log_level": "info"}
    )
    async with open_gateway(settings, fake) as gateway:
        capsys.readouterr()
        await gateway.http.get("/livez", headers={"traceparent": SAMPLED})
        lines = [line for line in capsys.readouterr().err.splitlines() if "/livez" in line]
    assert len(lines) == 1
    assert f"trace_id={PARENT}" in lines[0]


async def test_the_collector_is_told_the_settings_headers_and_service(
    sqlite_url: str, tmp_path: Path, fake: RunningFake, collector: Collector
) -> None:
    traces = {
        "endpoint": collector.url,
        "headers": {"x-collector-key": SecretStr("the-key")},
        "service_name": "loyalty",
    }
    async with traced(sqlite_url, tmp_path, fake, **traces) as gateway:
        await gateway.http.get("/livez")
    assert [one["x-collector-key"] for one in collector.headers] == ["the-key"], "sent at the end"
    assert collector.services == {"loyalty"}


async def test_a_fault_is_marked_and_says_nothing(
    sqlite_url: str, tmp_path: Path, fake: RunningFake, collector: Collector
) -> None:
    async with traced(sqlite_url, tmp_path, fake, endpoint=collector.url) as gateway:
        await storage.execute("DROP TABLE program")
        await gateway.ask("query Faulty { program { name } }")
        await arrived(gateway)
    (failed,) = (one for one in collector.spans if one.name == "SELECT")
    assert failed.failed
    assert failed.attributes["error.type"] == "failed"
    ran = collector.one("query Faulty")
    assert (ran.failed, ran.attributes["error.type"]) == (True, "fault")
    assert not any(b"no such table" in body for body in collector.bodies)


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_without_a_collector_nobody_waits_and_nothing_breaks(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    """Nobody listens there: requests are answered, complaints are counted, and the end comes."""
    endpoint = f"http://127.0.0.1:{unused_port()}/v1/traces"
    complaints = TRACE_FAILURES._value.get()
    async with traced(sqlite_url, tmp_path, fake, endpoint=endpoint) as gateway:
        for _ in range(20):
            assert (await gateway.http.get("/livez")).status_code == 200
        exporting = asyncio.create_task(arrived(gateway))
        assert (await gateway.http.get("/livez")).status_code == 200
        assert not exporting.done(), "it tries again, and requests do not wait for it"
        closing_at = time.perf_counter()
    closed_s = time.perf_counter() - closing_at
    await exporting
    assert closed_s < 2.0
    assert TRACE_FAILURES._value.get() > complaints


async def test_a_collector_that_hangs_costs_spans_and_nothing_else(
    sqlite_url: str, tmp_path: Path, fake: RunningFake, collector: Collector
) -> None:
    collector.hold.set()
    async with traced(sqlite_url, tmp_path, fake, endpoint=collector.url) as gateway:
        assert (await gateway.http.get("/livez")).status_code == 200
        exporting = asyncio.create_task(arrived(gateway))
        assert await asyncio.to_thread(collector.held.wait, 10)
        # More than the queue takes: what does not fit is dropped, and no request is any slower.
        answers = [(await gateway.http.get("/livez")).status_code for _ in range(50)]
        assert answers == [200] * 50
        assert not exporting.done()
        closing_at = time.perf_counter()
    assert time.perf_counter() - closing_at < 2.0
    assert collector.spans == []
    collector.released.set()
    await exporting
