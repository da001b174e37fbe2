"""Subscribe messages of the fake: consents, the rules of their values, and the outbox."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from api.fake_wechat.wire import WeChatError

TEMPLATE_ID: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""The form of WeChat's template ids. The fake takes every id of this form for a template."""

_OUTBOX_MESSAGES_MAX: Final = 10_000
_LANGUAGES: Final = ("zh_CN", "en_US", "zh_HK", "zh_TW")
_STATES: Final = ("developer", "trial", "formal")

# The documented form of a value by the kind of its keyword (the key without its number).
_VALUE_FORMS: Final = {
    "thing": re.compile(r".{1,20}", re.DOTALL),
    "number": re.compile(r"[+-]?\d{1,32}(\.\d{1,32})?"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(r"[^\w\s]{1,5}"),
    "character_string": re.compile(r"[\x20-\x7e]{1,32}"),
    "phrase": re.compile(r"[\u4e00-\u9fff]{1,5}"),
}


class Messages:
    """Who consented to what, and what was sent."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._consents: Counter[tuple[str, str, str]] = Counter()
        self.outbox: list[dict[str, Any]] = []

    def consent(self, *, app_id: str, openid: str, template_id: str, count: int) -> int:
        """Add consents, each good for one message; answers how many there are now."""
        self._consents[app_id, openid, template_id] += count
        return self._consents[app_id, openid, template_id]

    def send(self, *, app_id: str, message: dict[str, Any]) -> None:
        """Check the message as WeChat does, use one consent up and record it in the outbox."""
        openid, template_id = message.get("touser"), message.get("template_id")
        if not isinstance(openid, str) or not openid:
            raise WeChatError(40003, "invalid openid")
        if not isinstance(template_id, str) or not TEMPLATE_ID.fullmatch(template_id):
            raise WeChatError(40037, "invalid template_id")
        _check_frame(message)
        _check_values(message.get("data"))
        key = (app_id, openid, template_id)
        if self._consents[key] <= 0:
            raise WeChatError(43101, "user refuse to accept the msg")
        self._consents[key] -= 1
        record = {name: message.get(name) for name in ("page", "miniprogram_state", "lang")}
        self.outbox.append(
            {
                "appId": app_id,
                "touser": openid,
                "template_id": template_id,
                "data": message["data"],
                "sentAt": self._clock().isoformat(),
                **record,
            }
        )
        # The oldest go first, so that a fake which runs for months stays small.
        del self.outbox[:-_OUTBOX_MESSAGES_MAX]


def _check_frame(message: dict[str, Any]) -> None:
    if message.get("lang", "zh_CN") not in _LANGUAGES:
        raise WeChatError(47003, "argument invalid! lang")
    if message.get("miniprogram_state", "formal") not in _STATES:
        raise WeChatError(47003, "argument invalid! miniprogram_state")
    page = message.get("page", "")
    if not isinstance(page, str) or page.startswith("/"):
        raise WeChatError(41030, "invalid page")


def _check_values(data: object) -> None:
    if not isinstance(data, dict) or not data:
        raise WeChatError(47003, "argument invalid! data")
    for keyword, entry in data.items():
        value = entry.get("value") if isinstance(entry, dict) else None
        form = _VALUE_FORMS.get(keyword.rstrip("0123456789"))
        if not isinstance(value, str) or not value or (form and not form.fullmatch(value)):
            raise WeChatError(47003, f"argument invalid! data.{keyword}.value invalid")
