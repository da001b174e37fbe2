"""Request ids, access lines, tracebacks without values, the last guard."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import logging.config
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from uvicorn.config import LOGGING_CONFIG

from api.logs import configure_logs
from tests.api.gateway import Gateway, Parts, development_settings, open_gateway

SECRET = "hunter2"


@pytest.mark.parametrize("request_id", ["r-1", "A.b_c:d/e+f=g", "0" * 128])
async def test_a_well_formed_request_id_is_kept(gateway: Gateway, request_id: str) -> None:
    response = await gateway.post("{nope}", headers={"x-request-id": request_id})
    assert response.headers["x-request-id"] == request_id
    assert response.json()["errors"][0]["extensions"]["requestId"] == request_id


@pytest.mark.parametrize(
    "request_id", ["", "a b", "a\tb", "é", "<script>", '"', "0" * 129, "a\\n", "a;b"]
)
async def test_any_other_request_id_is_replaced(gateway: Gateway, request_id: str) -> None:
    response = await gateway.http.get("/livez", headers=[(b"x-request-id", request_id.encode())])
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


async def test_every_request_has_an_id_of_its_own(gateway: Gateway) -> None:
    ids = {(await gateway.http.get("/livez")).headers["x-request-id"] for _ in range(20)}
    assert len(ids) == 20


async def test_server_timing_tells_the_parts(gateway: Gateway) -> None:
    header = (await gateway.post("{ping}")).headers["server-timing"]
    parts = dict(re.findall(r"(\w+);dur=(\d+\.\d)(?:, |$)", header))
    assert list(parts) == ["auth", "graphql", "total"]
    assert float(parts["auth"]) + float(parts["graphql"]) <= float(parts["total"]) + 0.2


async def test_one_line_is_logged_per_request(tmp_path: Path) -> None:
    async with open_gateway(development_settings(log_level="info"), tmp_path) as gateway:
        with capture_logs(processors=[merge_contextvars]) as logs:
            await gateway.post("{ping}", headers={"x-request-id": "r-1"})
            await gateway.http.get("/nope", headers={"x-request-id": "r-2"})
    for line in logs:
        assert line.pop("duration_ms") >= 0
    assert logs == [
        {
            "event": "request",
            "log_level": "info",
            "method": method,
            "path": path,
            "status": status,
            "request_id": request_id,
        }
        for method, path, status, request_id in (
            ("POST", "/graphql", 200, "r-1"),
            ("GET", "/nope", 404, "r-2"),
        )
    ]


async def fail(_: Request) -> Response:
    """Fails by a fault of ours, outside of GraphQL."""
    password = SECRET
    raise RuntimeError(f"no such table: vault {len(password)}")


async def fail_half_way(_: Request) -> Response:
    """Fails when the answer has begun."""

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the rest is missing")

    return StreamingResponse(body())


ROUTES = (Route("/fail", fail), Route("/fail-half-way", fail_half_way))


async def test_a_fault_outside_of_graphql_is_masked(tmp_path: Path) -> None:
    async with open_gateway(development_settings(), tmp_path, Parts(routes=ROUTES)) as gateway:
        with capture_logs(processors=[merge_contextvars]) as logs:
            response = await gateway.http.get("/fail", headers={"x-request-id": "r-1"})
    assert response.status_code == 500
    assert response.headers["x-request-id"] == "r-1"
    assert response.json() == {
        "errors": [
            {
                "message": "Internal error",
                "extensions": {"code": "INTERNAL", "requestId": "r-1"},
            }
        ]
    }
    (line,) = logs
    assert (line["event"], line["request_id"]) == ("internal_error", "r-1")
    assert str(line["exc_info"]) == "no such table: vault 7"


async def raw_exchange(app: Any, path: str, received: dict[str, Any]) -> list[Any]:
    """The messages that the application sends for a request of which it receives this."""
    sent: list[Any] = []
    waiting = [received]

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "method": "GET" if received["type"] == "http.request" else "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "root_path": "",
        "scheme": "http",
        "server": ("gateway.test", 80),
    }
    await app(scope, receive, send)
    return sent


async def test_a_fault_in_a_begun_answer_is_logged_and_the_answer_stays_unfinished(
    tmp_path: Path,
) -> None:
    async with open_gateway(development_settings(), tmp_path, Parts(routes=ROUTES)) as gateway:
        received = {"type": "http.request", "body": b"", "more_body": False}
        with capture_logs() as logs:
            sent = await raw_exchange(gateway.app, "/fail-half-way", received)
    assert [str(line["exc_info"]) for line in logs] == ["the rest is missing"]
    # Without a last part the server closes the connection, so that the client learns of it.
    assert [(message["type"], message.get("more_body")) for message in sent] == [
        ("http.response.start", None),
        ("http.response.body", True),
    ]


async def test_a_client_that_goes_away_is_no_fault(tmp_path: Path) -> None:
    settings = development_settings(log_level="info")
    async with open_gateway(settings, tmp_path) as gateway:
        with capture_logs() as logs:
            sent = await raw_exchange(gateway.app, "/graphql", {"type": "http.disconnect"})
    assert sent == []
    assert [(line["event"], line["status"]) for line in logs] == [("request", 499)]


@pytest.fixture
def _restored_logs() -> Any:
    before = structlog.get_config()
    loggers = [logging.getLogger(name) for name in (None, "uvicorn", "uvicorn.access")]
    kept = [(one, list(one.handlers), one.propagate, one.level) for one in loggers]
    yield
    structlog.configure(**before)
    for one, handlers, propagate, level in kept:
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def logged(*, production: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    """What an exception with a secret in a variable leaves in the log."""
    written = io.StringIO()
    configure_logs(production=production, level="info")
    monkeypatch.setattr(sys, "stderr", written)
    secret = SECRET
    try:
        raise RuntimeError(f"length {len(secret)}")
    except RuntimeError as fault:
        structlog.get_logger("test").error("internal_error", exc_info=fault, path=["me"])
        structlog.get_logger("test").debug("not shown")
    return written.getvalue()


@pytest.mark.usefixtures("_restored_logs")
def test_production_logs_json_without_the_values_of_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = logged(production=True, monkeypatch=monkeypatch)
    line = json.loads(text)
    assert (line["event"], line["level"], line["path"]) == ("internal_error", "error", ["me"])
    assert line["exception"][0]["exc_type"] == "RuntimeError"
    assert line["exception"][0]["exc_value"] == "length 7"
    assert line["timestamp"].endswith("Z")
    assert SECRET not in text
    assert text.count("\n") == 1


@pytest.mark.usefixtures("_restored_logs")
def test_development_logs_text_without_the_values_of_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = logged(production=False, monkeypatch=monkeypatch)
    assert "internal_error" in text
    assert "RuntimeError: length 7" in text
    assert SECRET not in text


@pytest.mark.usefixtures("_restored_logs")
@pytest.mark.parametrize("plain_uvicorn", [False, True])
def test_what_libraries_log_is_json_too(
    monkeypatch: pytest.MonkeyPatch, *, plain_uvicorn: bool
) -> None:
    if plain_uvicorn:
        logging.config.dictConfig(LOGGING_CONFIG)
    written = io.StringIO()
    configure_logs(production=True, level="info")
    configure_logs(production=True, level="info")
    monkeypatch.setattr(sys, "stderr", written)
    secret = SECRET
    logging.getLogger("uvicorn.error").warning("the limit of %d was reached", 512)
    try:
        raise RuntimeError(f"length {len(secret)}")
    except RuntimeError:
        logging.getLogger("asyncpg.pool").exception("a connection was lost")
    logging.getLogger("asyncpg.pool").info("not shown")

    warning, error = map(json.loads, written.getvalue().splitlines())
    assert (warning["event"], warning["level"]) == ("uvicorn", "warning")
    assert (warning["logger"], warning["message"]) == (
        "uvicorn.error",
        "the limit of 512 was reached",
    )
    assert (error["event"], error["level"], error["logger"]) == ("asyncpg", "error", "asyncpg.pool")
    assert error["exception"][0]["exc_value"] == "length 7"
    assert SECRET not in written.getvalue()


@pytest.mark.usefixtures("_restored_logs")
def test_text_of_a_peer_that_is_no_utf8_is_told_in_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """uvicorn tells it with a traceback, and so a stranger could fill the log."""
    configure_logs(production=True, level="info")
    logger = logging.getLogger("uvicorn.error")
    try:
        b"\xff".decode()
    except UnicodeDecodeError:
        logger.exception("Invalid UTF-8 sequence received from client.")
    try:
        raise ValueError
    except ValueError:
        logger.exception("a fault of ours")
    peers, ours = caplog.records
    assert (peers.levelname, peers.exc_info) == ("WARNING", None)
    assert ours.levelname == "ERROR"
    assert ours.exc_info is not None
