"""All that one fake WeChat knows, in one object."""

from __future__ import annotations

import hmac
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from api.fake_wechat.faults import FaultBook
from api.fake_wechat.messages import Messages
from api.fake_wechat.people import People
from api.fake_wechat.tokens import TokenIssuer
from api.fake_wechat.wire import WeChatError

APP_ID: Final = re.compile(r"wx[0-9a-z]{16}")


def system_clock() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


class FakeWeChat:
    """The state behind the endpoints. Several fakes in one process share nothing."""

    def __init__(self, *, apps: Mapping[str, str], clock: Callable[[], datetime]) -> None:
        self._first_apps = dict(apps)
        self.clock = clock
        self.faults = FaultBook()
        self.reset()

    def reset(self) -> None:
        """Forget everybody and everything, as after a restart."""
        self.apps = dict(self._first_apps)
        self.people = People(clock=self.clock)
        self.tokens = TokenIssuer(clock=self.clock)
        self.messages = Messages(clock=self.clock)
        self.checked: Counter[str] = Counter()
        """How often an opinion was given of each text."""
        # The middleware holds on to this book, so it is emptied and not replaced.
        self.faults.faults.clear()
        self.faults.calls.clear()

    def authenticate(self, *, app_id: str, secret: str) -> None:
        """Check an app's secret: 41002, 40013, 41004 or 40125, in this order."""
        if not app_id:
            raise WeChatError(41002, "appid missing")
        if app_id not in self.apps:
            raise WeChatError(40013, "invalid appid")
        if not secret:
            raise WeChatError(41004, "appsecret missing")
        if not hmac.compare_digest(self.apps[app_id].encode(), secret.encode()):
            raise WeChatError(40125, "invalid appsecret")
