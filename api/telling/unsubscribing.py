"""The links at the end of mails: `GET /unsubscribe/{token}` asks, `POST` ends them (RFC 8058).

Mail programs and those who scan mails open every link, so that looking at one must do nothing. The
button of the page posts what a mail program posts by itself. No account, no cookie: the token is
all that it needs.
"""

from __future__ import annotations

from html import escape
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.runtime import Runtime
from domain import notifications

_HEADERS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
}
_PAGE: Final = """<!doctype html>
<html lang="zh"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<main><h1>{title}</h1>{content}</main>
</html>
"""
_BUTTON: Final = (
    '<form method="post"><input type="hidden" name="List-Unsubscribe" value="One-Click">'
    "<button>退订 · Unsubscribe</button></form>"
)


def unsubscribe_route() -> Route:
    """The route; nobody needs to be signed in for it."""
    return Route("/unsubscribe/{token}", _unsubscribe, methods=["GET", "POST"])


async def _unsubscribe(request: Request) -> Response:
    token = request.path_params["token"]
    if request.method == "POST":
        runtime: Runtime = request.app.state.runtime
        if await notifications.unsubscribe(token, now=runtime.clock.now()):
            return _page("已退订 · You are unsubscribed")
    elif notifications.unsubscribe_group(token) is not None:
        return _page("退订此类邮件？ · No more mails of this kind?", _BUTTON)
    return _page("链接无效 · This link is not good", status=HTTPStatus.NOT_FOUND)


def _page(title: str, content: str = "", *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    page = _PAGE.format(title=escape(title), content=content)
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
