"""The fake as a Starlette application."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.fake_wechat.control import control_routes
from api.fake_wechat.endpoints import wechat_routes
from api.fake_wechat.faults import ENDPOINTS, FaultInjection
from api.fake_wechat.state import FakeWeChat, system_clock
from api.fake_wechat.wire import (
    ControlError,
    WeChatError,
    answer_control_error,
    answer_http_error,
    answer_wechat_error,
)
from api.settings import DEMO_APP_ID, DEMO_APP_SECRET

_PAGE: Final = Path(__file__).with_name("page.html")
_SAMPLE_TEMPLATE_ID: Final = "points-changed-template-of-the-fake-wechat0"


def create_fake_wechat(
    apps: Mapping[str, str] | None = None, *, clock: Callable[[], datetime] = system_clock
) -> Starlette:
    """A fake of its own for these apps (app id -> secret; None: the demo app).

    `clock` answers the present moment, aware. The state is `app.state.fake`.
    """
    if apps is None:
        apps = {DEMO_APP_ID: DEMO_APP_SECRET}
    if not apps:
        raise ValueError("the fake needs at least one app")
    fake = FakeWeChat(apps=apps, clock=clock)
    app = Starlette(
        routes=[Route("/", _page, methods=["GET"]), *wechat_routes(), *control_routes()],
        middleware=[Middleware(FaultInjection, book=fake.faults)],
        exception_handlers={
            WeChatError: answer_wechat_error,
            ControlError: answer_control_error,
            HTTPException: answer_http_error,
        },
    )
    app.state.fake = fake
    return app


async def _page(request: Request) -> Response:
    fake = request.app.state.fake
    app_id = next(iter(fake.apps))
    replacements = {
        "{base}": str(request.base_url).rstrip("/"),
        "{apps}": ", ".join(fake.apps),
        "{app}": app_id,
        "{secret}": fake.apps[app_id],
        "{template}": _SAMPLE_TEMPLATE_ID,
        "{endpoints}": ", ".join(ENDPOINTS.values()),
    }
    text = _PAGE.read_text(encoding="utf-8")
    for mark, value in replacements.items():
        text = text.replace(mark, html.escape(value))
    return HTMLResponse(text)
