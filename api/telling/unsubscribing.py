"""The links at the end of mails: `GET /unsubscribe/{token}` asks, `POST` ends them (RFC 8058).

Mail programs and those who scan mails open every link, so that looking at one must do nothing, and
nothing ends but by the body that RFC 8058 has mail programs post, which the button of the page
posts, too. No account, no cookie: the token is all that it needs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from html import escape
from http import HTTPStatus
from typing import Final

from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from api.runtime import Runtime
from domain import notifications
from domain.notifications import KindGroup

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
_FIELD, _ONE_CLICK = "List-Unsubscribe", "One-Click"
_BUTTON: Final = (
    f'<form method="post"><input type="hidden" name="{_FIELD}" value="{_ONE_CLICK}">'
    "<button>退订 · Unsubscribe</button></form>"
)
_GROUPS: Final = {
    KindGroup.LEVELS: ("会员等级", "your level"),
    KindGroup.POINTS: ("积分到期", "points that expire"),
    KindGroup.ORDERS: ("订单与退款", "your orders and refunds"),
    KindGroup.REWARDS: ("兑换的礼品", "gifts that you redeemed"),
    KindGroup.NEWS: ("新品推荐", "new products"),
    KindGroup.SERVICE: ("客服反馈", "your messages to our service"),
}
_ASKING: Final = "<p>不再向您发送关于“{zh}”的邮件。</p><p>No more mails about {en}.</p>"
_BACK: Final = (
    "<p>其他通知不变；随时可在会员中心的“通知设置”中恢复。</p>"
    "<p>All else comes as before. You can have them back in your notification settings.</p>"
)

_BODY_BYTES_MAX: Final = 4 * 1024
_FIELDS_MAX: Final = 8


def unsubscribe_route() -> Route:
    """The route; nobody needs to be signed in for it."""
    return Route("/unsubscribe/{token}", _unsubscribe, methods=["GET", "POST"])


async def _unsubscribe(request: Request) -> Response:
    token = request.path_params["token"]
    found = notifications.unsubscribe_group(token)
    if found is None:
        return _page("链接无效 · This link is not good", status=HTTPStatus.NOT_FOUND)
    zh, en = _GROUPS[found[1]]
    says = _ASKING.format(zh=zh, en=en) + _BACK
    is_posted = request.method == "POST"
    if is_posted and await _is_one_click(request):
        runtime: Runtime = request.app.state.runtime
        await notifications.unsubscribe(token, now=runtime.clock.now())
        return _page("已退订 · You are unsubscribed", says)
    status = HTTPStatus.BAD_REQUEST if is_posted else HTTPStatus.OK
    return _page("退订此类邮件？ · No more mails of this kind?", says + _BUTTON, status=status)


async def _is_one_click(request: Request) -> bool:
    """Whether the body is that of RFC 8058, in either of the forms that a form has."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    parser: FormParser | MultiPartParser
    if media_type == "multipart/form-data":
        parser = MultiPartParser(
            request.headers, _bounded(request), max_files=0, max_fields=_FIELDS_MAX
        )
    elif media_type == "application/x-www-form-urlencoded":
        parser = FormParser(request.headers, _bounded(request))
    else:
        return False
    try:
        form = await parser.parse()
    except (MultiPartException, _TooMuch):
        return False
    return form.get(_FIELD) == _ONE_CLICK


class _TooMuch(Exception):
    """Raised when a body is longer than this one can be."""


async def _bounded(request: Request) -> AsyncGenerator[bytes, None]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > _BODY_BYTES_MAX:
            raise _TooMuch
        yield chunk


def _page(title: str, content: str = "", *, status: HTTPStatus = HTTPStatus.OK) -> Response:
    page = _PAGE.format(title=escape(title), content=content)
    return HTMLResponse(page, status_code=status, headers=_HEADERS)
