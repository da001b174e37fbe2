"""How the hand-written servers are served: by uvicorn, as the gateway is."""

from __future__ import annotations

import sys
from typing import Final

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response

CONNECTIONS_MAX: Final = 10
"""As many as a worker of the gateway has."""

JSON_FLAGS: Final = orjson.OPT_UTC_Z


def serve(app: Starlette) -> None:
    """Serve on the port that is the only argument."""
    port = int(sys.argv[1])
    uvicorn.run(app, port=port, access_log=False, server_header=False, log_level="warning")


def refused() -> Response:
    """The answer to a token that is not good."""
    return Response(b'{"errors":[{"message":"UNAUTHENTICATED"}]}', status_code=401)
