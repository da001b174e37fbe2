"""Serving the fake: in the foreground for people, in a thread for tests."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import typer
import uvicorn
from starlette.applications import Starlette

from api.fake_wechat.application import create_fake_wechat
from api.fake_wechat.connections import DroppableProtocol
from api.fake_wechat.state import FakeWeChat, system_clock

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8001
_STOP_SECONDS_MAX: Final = 5
_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True)
class RunningFake:
    """A fake that serves. Change `state` between requests only: it lives in another thread."""

    base_url: str
    state: FakeWeChat


def serve(
    *, host: str = LOOPBACK, port: int = DEFAULT_PORT, apps: Mapping[str, str] | None = None
) -> None:
    """Serve until interrupted, after printing the base URL. Port 0: one that is free.

    A port that is taken is told in one line on standard error, and the process exits with status 1.
    """
    try:
        listener = _listen(host, port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "another program uses this port" if taken else error.strerror
        typer.echo(f"fake WeChat: cannot serve on {host}:{port}: {reason}", err=True)
        raise SystemExit(1) from None
    with listener:
        typer.echo(f"fake WeChat: {_url_of(listener)}")
        # Interrupting it by hand is how a server ends, and no error to show a traceback for.
        with suppress(KeyboardInterrupt):
            _server(create_fake_wechat(apps)).run(sockets=[listener])


@contextmanager
def running_fake_wechat(
    apps: Mapping[str, str] | None = None,
    *,
    clock: Callable[[], datetime] = system_clock,
    port: int = 0,
) -> Iterator[RunningFake]:
    """Serve on loopback, in a thread, while the block runs. Port 0: one that is free.

    Requests are accepted from the first line of the block on.
    """
    app = create_fake_wechat(apps, clock=clock)
    with serving_in_thread(app, port=port) as base_url:
        yield RunningFake(base_url=base_url, state=app.state.fake)


@contextmanager
def serving_in_thread(app: Starlette, *, port: int = 0) -> Iterator[str]:
    """Serve any application on loopback, in a thread, while the block runs; yields its base URL."""
    with _listen(LOOPBACK, port) as listener:
        server = _server(app)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="fake-wechat", daemon=True
        )
        base_url = _url_of(listener)
        thread.start()
        try:
            yield base_url
        finally:
            server.should_exit = True
            thread.join(timeout=2 * _STOP_SECONDS_MAX)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that what connects now waits instead of being refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named. Left on, it makes each
    # answer (head and body are two writes) wait 40 ms for the acknowledgement of the head.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(app: Starlette) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        http=DroppableProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        # A proxy header must not change the addresses by which a connection is found and dropped.
        proxy_headers=False,
        timeout_graceful_shutdown=_STOP_SECONDS_MAX,
    )
    return uvicorn.Server(config)
