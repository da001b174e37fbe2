"""The log of slow operations: one line, with what it takes to find the reason, and no more."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from api.fake_wechat import RunningFake
from domain import storage
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.graphql.programme import set_up_programme

Lines = list[dict[str, Any]]


async def slow_lines(
    database_url: str,
    folder: Path,
    fake: RunningFake,
    *,
    slow_ms: int,
    do: Callable[[Gateway], Any],
) -> Lines:
    """The lines that were logged while `do` ran."""
    settings = settings_for(database_url, folder, fake)
    settings = settings.model_copy(update={"slow_operation_ms": slow_ms, "log_level": "warning"})
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=NOW)
        with structlog.testing.capture_logs() as lines:
            await do(gateway)
    return [dict(one) for one in lines if one["event"] == "slow_operation"]


async def test_the_line_of_a_home_page(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> None:
    sessions = []

    async def ask(gateway: Gateway) -> None:
        sessions.append(await gateway.sign_in())
        await gateway.http.post(
            "/graphql",
            json={"query": operation("Home")},
            headers={
                "authorization": f"Bearer {sessions[0].access_token}",
                "x-request-id": "the-request",
            },
        )

    sign_in, home = await slow_lines(sqlite_url, tmp_path, fake, slow_ms=0, do=ask)

    assert (sign_in["operation"], sign_in["kind"]) == ("SignInWithWeChat", "mutation")
    assert sign_in["caller"] == "anonymous"
    known = {name: home[name] for name in ("operation", "kind", "caller", "outcome", "request_id")}
    assert known == {
        "operation": "Home",
        "kind": "query",
        "caller": "member",
        "outcome": "ok",
        "request_id": "the-request",
    }
    assert home["document"] == hashlib.sha256(operation("Home").encode()).hexdigest()
    assert home["statements"] == 7, "the eighth is the session's, before the operation"
    assert home["statements_ms"] > 0
    assert home["duration_ms"] > 0
    slowest = home["slowest"]
    assert len(slowest) == 3
    assert [one["ms"] for one in slowest] == sorted((one["ms"] for one in slowest), reverse=True)
    assert all(one["sql"].startswith(("SELECT", "WITH")) for one in slowest)
    (session,) = sessions
    for secret in (session.member, session.member_id, session.access_token, "o-alice"):
        assert str(secret) not in str(home)
        assert str(secret) not in str(sign_in)


async def test_what_is_quick_writes_no_line(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    async def ask(gateway: Gateway) -> None:
        await gateway.ask("{ program { name } }")

    assert await slow_lines(sqlite_url, tmp_path, fake, slow_ms=60_000, do=ask) == []


@pytest.mark.parametrize("query", ["{ nothing }", "{", "query Named { nothing }"])
async def test_what_never_ran_names_nothing(
    query: str, sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    async def ask(gateway: Gateway) -> None:
        await gateway.ask(query)

    (line,) = await slow_lines(sqlite_url, tmp_path, fake, slow_ms=0, do=ask)
    assert (line["operation"], line["kind"], line["outcome"]) == ("invalid", None, "failed")
    assert (line["statements"], line["slowest"], line["document"]) == (0, [], None)


async def test_statements_of_one_request_are_not_anothers(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    async def ask(gateway: Gateway) -> None:
        await storage.fetch_one("SELECT 1 AS one")
        await gateway.ask("query Alone { program { name } }")
        await storage.fetch_one("SELECT 1 AS one")

    (line,) = await slow_lines(sqlite_url, tmp_path, fake, slow_ms=0, do=ask)
    assert (line["operation"], line["statements"]) == ("Alone", 1)
