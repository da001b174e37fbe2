"""`GET /attachments/{id}`: the file, for those who may see it.

It needs the caller's token, as `wx.downloadFile` sends one; no link leads to a file without it. A
member gets what they sent and what was sent to them, staff with the role support everything. An
answer is never shown as a page of ours: it is to be saved, may run nothing, and is what it says.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.logs import request_id
from api.request_context import request_context
from api.settings import Settings
from api.stress.entry import admit
from api.transport import TransportFault, rate_limited
from domain.access import CallerKind, StaffRole
from domain.feedback import Attachment, AttachmentStore, find_attachment, look_at_attachment
from resolvers.context import RequestContext
from schema.charging import charge
from schema.faults import CodedError, FaultCode
from schema.node import decode_uuid

PATH: Final = "/attachments/{attachment_id}"
DOWNLOAD_COST: Final = 10


def attachments(settings: Settings, *, store: AttachmentStore) -> Route:
    """The route."""

    async def serve(request: Request) -> Response:
        context = await request_context(
            request, settings=settings, request_id=request_id(request.scope)
        )
        if context.caller is None:
            raise TransportFault(
                FaultCode.UNAUTHENTICATED,
                "A token is needed.",
                headers={"www-authenticate": 'Bearer realm="jifen"'},
            )
        admit(request, context.caller, bounds=settings.stress)
        try:
            await charge(context, DOWNLOAD_COST)
        except CodedError as refusal:
            raise rate_limited((refusal.extensions or {})["retryAfter"]) from None
        found = await _visible(request, context)
        content = None if found is None else await store.open(found.stored_name)
        if found is None or content is None:
            raise TransportFault(FaultCode.NOT_FOUND, "There is no such file.")
        return Response(content, media_type=found.media_type.value, headers=_headers(found))

    return Route(PATH, serve, methods=["GET"])


async def _visible(request: Request, context: RequestContext) -> Attachment | None:
    """The file that is asked for; None where there is none, or none that the caller may see."""
    try:
        attachment_id = decode_uuid(request.path_params["attachment_id"], "Attachment")
    except CodedError:
        return None
    if context.member_id is not None:
        return await find_attachment(attachment_id, member_id=context.member_id)
    caller = context.caller
    assert caller is not None, "who asks without a token was refused"
    if caller.kind is not CallerKind.STAFF or StaffRole.SUPPORT not in caller.roles:
        return None
    return await look_at_attachment(attachment_id, by=context.actor(), now=context.now)


def _headers(found: Attachment) -> dict[str, str]:
    return {
        "cache-control": "private, no-store",
        "content-disposition": f"attachment; filename*=UTF-8''{quote(found.name, safe='')}",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
