"""The access tokens of the fake, renewed and refused by WeChat's own rules.

Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.fake_wechat.wire import WeChatError

LIFETIME: Final = timedelta(seconds=7200)
OVERLAP: Final = timedelta(seconds=300)
"""In the last five minutes of a token a new one is answered, and the old one serves on."""

FORCE_PAUSE: Final = timedelta(seconds=30)
FORCED_PER_DAY_MAX: Final = 20
_TOKEN_BYTES: Final = 400
_TOKEN_CHARACTERS_MIN: Final = 512


@dataclass(slots=True)
class _Issued:
    value: str
    app_id: str
    expires_at: datetime
    revoked: bool = False


class TokenIssuer:
    """The tokens of all apps."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._issued: dict[str, _Issued] = {}
        self._current: dict[str, _Issued] = {}
        self._forced_at: dict[str, list[datetime]] = {}

    def issue(self, app_id: str, *, force_refresh: bool) -> tuple[str, int]:
        """The token of the app and the seconds it has left, by the ordinary or the forced mode."""
        now = self._clock()
        current = self._current.get(app_id)
        forced = force_refresh and self._may_force(app_id, now=now)
        if current is None or forced or current.expires_at - now <= OVERLAP:
            if current is not None:
                current.revoked = forced
                current.expires_at = min(current.expires_at, now + OVERLAP)
            current = self._new(app_id, now=now)
        return current.value, int((current.expires_at - now).total_seconds())

    def app_of(self, token: str) -> str:
        """The app a presented token belongs to; WeChat's error if the token is not accepted."""
        if not token:
            raise WeChatError(41001, "access_token missing")
        if len(token) < _TOKEN_CHARACTERS_MIN:
            raise WeChatError(40014, "invalid access_token")
        issued = self._issued.get(token)
        if issued is None or issued.revoked:
            raise WeChatError(40001, "invalid credential, access_token is invalid or not latest")
        if issued.expires_at <= self._clock():
            raise WeChatError(42001, "access_token expired")
        return issued.app_id

    def expire_all(self) -> None:
        """End every token at this moment."""
        now = self._clock()
        for issued in self._issued.values():
            issued.expires_at = min(issued.expires_at, now)

    def _may_force(self, app_id: str, *, now: datetime) -> bool:
        day_ago = now - timedelta(days=1)
        times = [at for at in self._forced_at.get(app_id, []) if at > day_ago]
        if len(times) >= FORCED_PER_DAY_MAX:
            raise WeChatError(45009, "reach max api daily quota limit")
        # Too soon after the last one, WeChat does not refresh but answers the token it has.
        if times and now - times[-1] < FORCE_PAUSE:
            return False
        self._forced_at[app_id] = [*times, now]
        return True

    def _new(self, app_id: str, *, now: datetime) -> _Issued:
        issued = _Issued(
            value=secrets.token_urlsafe(_TOKEN_BYTES), app_id=app_id, expires_at=now + LIFETIME
        )
        self._issued[issued.value] = self._current[app_id] = issued
        return issued
