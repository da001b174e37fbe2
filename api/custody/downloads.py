"""The link to an export: `GET /exports/{id}?token=…`, good once.

The secret stands in the query, which no line of the log tells. A link that is no good is answered
with 404 whatever is wrong with it: unknown, used, expired. The file is sent whole, also to whoever
asks for a part: a part would use the link up.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.custody.settings import CustodySettings
from api.runtime import Runtime
from api.transport import TransportFault
from domain.custody import take_export
from schema.faults import FaultCode
from schema.node import parse_uuid

PATH: Final = "/exports/{export_id}"
TOKEN_CHARACTERS: Final = 43


def downloads(custody: CustodySettings) -> Route:
    """The route."""

    async def download(request: Request) -> Response:
        runtime: Runtime = request.app.state.runtime
        export_id, token = _id(request), request.query_params.get("token", "")
        if export_id is None or len(token) != TOKEN_CHARACTERS or not token.isascii():
            raise _not_found()
        found = await take_export(
            export_id, token=token, files=custody.files, now=runtime.clock.now()
        )
        if found is None:
            raise _not_found()
        return _WholeFile(
            found,
            media_type="application/zip",
            filename="my-data.zip",
            headers={"cache-control": "no-store", "referrer-policy": "no-referrer"},
        )

    async def look(request: Request) -> Response:
        """Programs that show links ahead ask for the head of them, which must not use them up."""
        return Response(status_code=204, headers={"cache-control": "no-store"})

    async def serve(request: Request) -> Response:
        return await (look if request.method == "HEAD" else download)(request)

    return Route(PATH, serve, methods=["GET"])


class _WholeFile(FileResponse):
    """A file that is sent from its beginning to its end, whatever part of it is asked for."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = [(name, value) for name, value in scope["headers"] if name.lower() != b"range"]
        del self.headers["accept-ranges"]
        await super().__call__({**scope, "headers": asked}, receive, send)


def _id(request: Request) -> UUID | None:
    try:
        return parse_uuid(request.path_params["export_id"])
    except ValueError:
        return None


def _not_found() -> TransportFault:
    return TransportFault(FaultCode.NOT_FOUND, "This link leads nowhere, or was used before.")
