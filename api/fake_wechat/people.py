"""The users of the fake: their login codes, sessions, phone numbers and open data."""

from __future__ import annotations

import base64
import hashlib
import itertools
import secrets
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from api.fake_wechat.wire import WeChatError

CODE_LIFETIME: Final = timedelta(minutes=5)
ACTIVITY: Final = timedelta(hours=2)
LOGINS_PER_MINUTE_MAX: Final = 100
_AES_BYTES: Final = 16


@dataclass(slots=True)
class _Code:
    app_id: str
    expires_at: datetime


@dataclass(slots=True, kw_only=True)
class _LoginCode(_Code):
    openid: str
    unionid: str | None
    used: bool = False


@dataclass(slots=True, kw_only=True)
class _PhoneCode(_Code):
    number: str
    country_code: str


_C = TypeVar("_C", bound=_Code)


@dataclass(slots=True)
class Session:
    """A user signed in to one app. `session_key` is base64 of 16 bytes, new at each login."""

    openid: str
    unionid: str | None
    session_key: str
    active_until: datetime


class People:
    """Everyone who ever got a code. Times are those of the fake's clock."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._login_codes: dict[str, _LoginCode] = {}
        self._phone_codes: dict[str, _PhoneCode] = {}
        self._sessions: dict[tuple[str, str], Session] = {}
        self._logins: defaultdict[tuple[str, str], deque[datetime]] = defaultdict(deque)

    def issue_login_code(self, *, app_id: str, openid: str, unionid: str | None) -> str:
        """What `wx.login` gives the mini-program: single use, five minutes."""
        code = self._new_code()
        self._login_codes[code] = _LoginCode(
            app_id=app_id,
            openid=openid,
            unionid=unionid,
            expires_at=self._clock() + CODE_LIFETIME,
        )
        return code

    def exchange_login_code(self, *, app_id: str, code: str) -> Session:
        """Use the code up. WeChat's errors: 40029 unknown or expired, 40163 used, 45011 rate."""
        now = self._clock()
        issued = self._login_codes.get(code)
        if issued is None or issued.app_id != app_id or issued.expires_at <= now:
            raise WeChatError(40029, "invalid code")
        if issued.used:
            raise WeChatError(40163, "code been used")
        self._limit_logins(app_id, issued.openid, now=now)
        issued.used = True
        session = Session(
            openid=issued.openid,
            unionid=issued.unionid,
            session_key=base64.b64encode(secrets.token_bytes(_AES_BYTES)).decode(),
            active_until=now + ACTIVITY,
        )
        self._sessions[app_id, issued.openid] = session
        return session

    def issue_phone_code(self, *, app_id: str, number: str, country_code: str) -> str:
        """What `getPhoneNumber` gives the mini-program: single use, five minutes."""
        code = self._new_code()
        self._phone_codes[code] = _PhoneCode(
            app_id=app_id,
            number=number,
            country_code=country_code,
            expires_at=self._clock() + CODE_LIFETIME,
        )
        return code

    def exchange_phone_code(self, *, app_id: str, code: str) -> dict[str, Any]:
        """The `phone_info` of the code, once. WeChat's error for anything else: 40029."""
        now = self._clock()
        issued = self._phone_codes.get(code)
        if issued is None or issued.app_id != app_id or issued.expires_at <= now:
            raise WeChatError(40029, "invalid code")
        del self._phone_codes[code]
        abroad = issued.country_code != "86"
        return {
            "phoneNumber": f"+{issued.country_code}{issued.number}" if abroad else issued.number,
            "purePhoneNumber": issued.number,
            "countryCode": issued.country_code,
            "watermark": {"timestamp": int(now.timestamp()), "appid": app_id},
        }

    def session(self, *, app_id: str, openid: str) -> Session | None:
        """The latest session of the user in this app, active or not."""
        return self._sessions.get((app_id, openid))

    def is_active(self, session: Session) -> bool:
        """Whether the user signed in within the last two hours."""
        return self._clock() < session.active_until

    def open_data(self, session: Session, *, app_id: str, fields: dict[str, Any]) -> dict[str, str]:
        """What `wx.getUserProfile` gives: rawData with signature, encryptedData with iv.

        `fields` overrides fields of the profile and, with `watermark`, the watermark itself.
        """
        profile = {
            "nickName": "微信用户",
            "gender": 0,
            "language": "zh_CN",
            "city": "",
            "province": "",
            "country": "",
            "avatarUrl": "https://thirdwx.qlogo.cn/mmopen/vi_32/demo/132",
        }
        watermark = {"timestamp": int(self._clock().timestamp()), "appid": app_id}
        profile |= {name: value for name, value in fields.items() if name != "watermark"}
        secret = profile | {
            "openId": session.openid,
            "watermark": fields.get("watermark", watermark),
        }
        if session.unionid is not None:
            secret["unionId"] = session.unionid
        raw_data = orjson.dumps(profile).decode()
        signed = (raw_data + session.session_key).encode()
        iv = secrets.token_bytes(_AES_BYTES)
        return {
            "rawData": raw_data,
            "signature": hashlib.sha1(signed, usedforsecurity=False).hexdigest(),
            "encryptedData": _encrypt(orjson.dumps(secret), key=session.session_key, iv=iv),
            "iv": base64.b64encode(iv).decode(),
        }

    def expire_codes(self) -> None:
        """End every login and phone code at this moment."""
        now = self._clock()
        for code in self._login_codes.values():
            code.expires_at = min(code.expires_at, now)
        for phone_code in self._phone_codes.values():
            phone_code.expires_at = min(phone_code.expires_at, now)

    def expire_activity(self) -> None:
        """Make every user look as if the last visit was more than two hours ago."""
        now = self._clock()
        for session in self._sessions.values():
            session.active_until = min(session.active_until, now)

    def _new_code(self) -> str:
        # An expired code is answered like an unknown one, so it need not be kept. The oldest come
        # first; dropping up to two for each new one keeps the fake small for as long as it runs.
        _forget_oldest(self._login_codes, now=self._clock())
        _forget_oldest(self._phone_codes, now=self._clock())
        return secrets.token_urlsafe(24)

    def _limit_logins(self, app_id: str, openid: str, *, now: datetime) -> None:
        recent = self._logins[app_id, openid]
        while recent and now - recent[0] >= timedelta(minutes=1):
            recent.popleft()
        if len(recent) >= LOGINS_PER_MINUTE_MAX:
            raise WeChatError(45011, "api minute-quota reach limit, must slower, retry next minute")
        recent.append(now)


def _forget_oldest(codes: dict[str, _C], *, now: datetime) -> None:
    for code, issued in list(itertools.islice(codes.items(), 2)):
        if issued.expires_at <= now:
            del codes[code]


def _encrypt(plain: bytes, *, key: str, iv: bytes) -> str:
    padder = PKCS7(_AES_BYTES * 8).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(base64.b64decode(key)), modes.CBC(iv)).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()
