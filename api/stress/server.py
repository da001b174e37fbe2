"""The production server: uvicorn with workers, with bounds, and with an end in order."""

from __future__ import annotations

import math
import resource
from contextlib import suppress
from typing import Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from api.settings import Settings
from api.streaming.protocol import LightSocketProtocol
from api.stress.protocol import BoundedHttpProtocol

BACKLOG: Final = 512
"""Connections that wait for a worker's attention; more are refused by the kernel."""

KEEP_ALIVE_S: Final = 75
"""Longer than proxies keep idle connections, so that it is they who close them."""

FILES_MAX: Final = 65_536


def serve(settings: Settings) -> None:
    """Serve the gateway until a signal ends it. Raises SystemExit where it cannot start."""
    _raise_file_limit()
    config = configuration(settings)
    if config.workers == 1:
        server = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            server.run()
        if not server.started:
            raise SystemExit(uvicorn.config.STARTUP_FAILURE)
        return
    _Workers(config, sockets=[config.bind_socket()]).run()


def configuration(settings: Settings, *, workers: int | None = None) -> uvicorn.Config:
    """How uvicorn is told to serve."""
    return uvicorn.Config(
        "gateway:app",
        host=settings.host,
        port=settings.port,
        workers=workers or settings.workers,
        http=BoundedHttpProtocol,
        ws=LightSocketProtocol,
        ws_max_size=settings.streaming.message_bytes_max,
        # The gateway pings by itself, as clients expect it; small messages gain nothing by deflate.
        ws_ping_interval=None,
        ws_per_message_deflate=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        # Behind the gateway's own drain, which ends what is under way in its own words.
        timeout_graceful_shutdown=math.ceil(settings.stress.drain_s) + 1,
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        log_config=None,
        access_log=False,
    )


class _Workers(Multiprocess):
    """uvicorn's supervisor, which also closes its own copy of the listening socket.

    Left open it would go on accepting connections that nobody serves while the workers drain.
    """

    def terminate_all(self) -> None:
        """Ask every worker to end."""
        super().terminate_all()
        for listening in self.sockets:
            listening.close()


def _raise_file_limit() -> None:
    """Each connection is an open file, and the customary soft limit of 1,024 is soon reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_MAX if hard == resource.RLIM_INFINITY else min(FILES_MAX, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
