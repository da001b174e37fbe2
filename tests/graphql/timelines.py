"""Timelines in tests: kept as the worker beside the gateway keeps them, and read as clients do."""

from __future__ import annotations

from typing import Any

from api.workers.timelines import TELLING
from domain.members import timeline_consumer
from domain.outbox import drain
from tests.graphql.gateway import Gateway, Session


async def keep_timelines(gateway: Gateway) -> int:
    """Hand over all that was announced; returns how many events that were."""
    delivered = await drain([timeline_consumer(TELLING)], clock=gateway.clock.now)
    return delivered.events


async def timeline(gateway: Gateway, session: Session, **variables: Any) -> Any:
    """The member's own, as they read it."""
    return (await gateway.send("Timeline", session.access_token, **variables))["timeline"]


async def staff_timeline(gateway: Gateway, session: Session, *, language: str = "zh") -> Any:
    """Kinds and titles as staff reads them."""
    query = """query($by: MemberRef!) { staff { member(by: $by) {
        timeline(first: 50) { nodes { kind title } } } } }"""
    response = await gateway.ask(
        query,
        {"by": {"id": session.member_id}},
        token=await gateway.staff(),
        language=language,
    )
    body = response.json()
    assert "errors" not in body, body
    nodes = body["data"]["staff"]["member"]["timeline"]["nodes"]
    return [(node["kind"], node["title"]) for node in nodes]
