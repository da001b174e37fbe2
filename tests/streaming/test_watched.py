"""What operators see of connections that stay open."""

from __future__ import annotations

from api.observability.metrics import REGISTRY
from api.observability.settings import TraceSettings
from api.observability.spans import Spans
from tests.graphql.collector import collecting
from tests.graphql.gateway import NOW
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import SHOP, open_shop
from tests.streaming.conftest import Serve
from tests.streaming.serving import Served, until


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def open_sockets() -> float:
    return value("jifen_subscriptions_open", transport="websocket")


async def test_subscriptions_and_their_events_are_counted(served_on_sqlite: Served) -> None:
    gateway = served_on_sqlite.gateway
    await open_shop(gateway.named(SHOP), now=NOW)
    session = await gateway.sign_in()
    events = value("jifen_subscription_events_total", operation="PointsChanged")
    asked = value(
        "jifen_operation_duration_seconds_count", operation="PointsChanged", outcome="failed"
    )
    assert open_sockets() == 0
    async with served_on_sqlite.ready(session.access_token) as peer:
        await peer.follow()
        await served_on_sqlite.until_followed()
        assert open_sockets() == 1
        applied(await record(gateway, "one", [order("A", session.member_id)]))
        assert (await peer.event())["available"] == 88
        assert value("jifen_subscription_events_total", operation="PointsChanged") == events + 1
    await until(lambda: open_sockets() == 0)
    assert asked == value(
        "jifen_operation_duration_seconds_count", operation="PointsChanged", outcome="failed"
    ), "a subscription is no operation of one result that failed"


async def test_a_query_on_a_socket_is_a_trace_of_its_own(serve_on_sqlite: Serve) -> None:
    with collecting() as collector:
        traces = TraceSettings(endpoint=collector.url)
        async with serve_on_sqlite(traces=traces) as served, served.ready() as peer:
            answer = await peer.answer("query OnASocket { program { name } }")
            assert answer.keys() == {"data"}
            spans = served.gateway.app.state.spans
            assert isinstance(spans, Spans)
            spans.flush()
    (trace_id,) = {one.trace_id for one in collector.spans}
    assert collector.tree(trace_id) == ("query OnASocket", ["SELECT"])
