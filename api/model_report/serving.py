"""`GET /recommendations/report`: the report, for staff who run marketing or administer.

It names no member, and is told in the language of the request.
"""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.logs import request_id
from api.model_report.page import VERSIONS_MAX, content_policy, report_page
from api.request_context import request_context
from api.settings import Settings
from api.stress.entry import admit
from api.transport import TransportFault, rate_limited
from domain.access import CallerKind, StaffRole
from domain.recommendations import recommendation_models
from resolvers.context import RequestContext
from schema.charging import charge
from schema.faults import CodedError, FaultCode

PATH: Final = "/recommendations/report"
REPORT_COST: Final = 100
"""Drawing takes a thread some tenths of a second."""

ROLES: Final = frozenset({StaffRole.MARKETING, StaffRole.ADMIN, StaffRole.AUDITOR})


def report_route(settings: Settings) -> Route:
    """The route."""
    # One at a time in this process: what is drawn takes the thread, and matplotlib's settings.
    drawing = asyncio.Semaphore(1)

    async def serve(request: Request) -> Response:
        context = await request_context(
            request, settings=settings, request_id=request_id(request.scope)
        )
        _require_reader(context)
        assert context.caller is not None, "who asks without a token was refused"
        admit(request, context.caller, bounds=settings.stress)
        try:
            await charge(context, REPORT_COST)
        except CodedError as refusal:
            raise rate_limited((refusal.extensions or {})["retryAfter"]) from None
        models = await recommendation_models(first=VERSIONS_MAX)
        async with drawing:
            page = await asyncio.to_thread(report_page, models, language=context.language)
        return Response(page, media_type="text/html; charset=utf-8", headers=_headers(context))

    return Route(PATH, serve, methods=["GET"])


def _require_reader(context: RequestContext) -> None:
    """Raises TransportFault for all but staff who have a role for it."""
    caller = context.caller
    if caller is None:
        raise TransportFault(
            FaultCode.UNAUTHENTICATED,
            "A token of staff is needed.",
            headers={"www-authenticate": 'Bearer realm="jifen"'},
        )
    if caller.kind is not CallerKind.STAFF or not ROLES & caller.roles:
        roles = ", ".join(sorted(ROLES))
        raise TransportFault(FaultCode.FORBIDDEN, f"A token of staff is needed: {roles}.")


def _headers(context: RequestContext) -> dict[str, str]:
    return {
        "cache-control": "private, no-store",
        "content-language": context.language,
        "content-security-policy": content_policy(),
        "referrer-policy": "no-referrer",
        "vary": "Accept-Language",
        "x-content-type-options": "nosniff",
    }
