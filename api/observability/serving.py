"""Who may read the metrics, and where.

A port of their own, answered by a thread, so that a process whose loop hangs still tells so. Each
worker takes the first free port of its deployment's range: what Prometheus adds up are processes.
Or `/metrics` beside everything else, for those who bring the token or come from an allowed address;
to all others nothing is there.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import start_http_server
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.observability.metrics import REGISTRY
from api.observability.settings import LOOPBACK, MetricsSettings
from api.transport import TransportFault
from schema.faults import FaultCode

log = structlog.get_logger("jifen.metrics")

PATH: Final = "/metrics"


def metrics_route(settings: MetricsSettings, *, at_home: bool) -> list[Route]:
    """`/metrics`, or nothing where nobody may read it.

    `at_home` opens it to this machine: in development, where one process tells everything.
    """
    addresses = settings.addresses or (LOOPBACK if at_home else ())
    if settings.token is None and not addresses:
        return []
    token = settings.token.get_secret_value() if settings.token else None

    async def metrics(request: Request) -> Response:
        if not (_is_allowed(request, addresses) or _brings(request, token)):
            raise TransportFault(FaultCode.NOT_FOUND, "Nothing is served at this path.")
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(REGISTRY),
            headers={"content-type": content_type, "cache-control": "no-store"},
        )

    return [Route(PATH, metrics)]


def _is_allowed(request: Request, addresses: Sequence[IPv4Network | IPv6Network]) -> bool:
    if request.client is None:
        return False
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return False
    return any(address in network for network in addresses)


def _brings(request: Request, token: str | None) -> bool:
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    return (
        token is not None
        and scheme.lower() == "bearer"
        and hmac.compare_digest(brought.strip().encode(), token.encode())
    )


class MetricsServer:
    """The metrics of this process on a port of their own."""

    def __init__(self, server: WSGIServer, thread: threading.Thread) -> None:
        self._server, self._thread = server, thread
        self.port: int = server.server_port

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=1)


def serve_metrics(settings: MetricsSettings, *, workers: int) -> MetricsServer | None:
    """Serve on the first free port from the settings' on, one for each worker.

    None where the settings name no port, and where all are taken: metrics are worth a line in the
    log, but no process fails for want of them.
    """
    if settings.port is None:
        return None
    for port in range(settings.port, settings.port + workers):
        try:
            server, thread = start_http_server(port, addr=settings.host, registry=REGISTRY)
        except OSError:
            continue
        log.info("metrics_served", port=port, host=settings.host)
        return MetricsServer(server, thread)
    log.error("metrics_ports_taken", first=settings.port, ports=workers)
    return None
