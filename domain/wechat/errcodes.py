"""WeChat's error numbers, and which of them are facts for the caller.

Source: the error tables of https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/.
What is listed in `_REFUSALS` is returned to the caller as a refusal. Any other number means that we
called WeChat wrongly or that its console is set up wrongly: a `WeChatFault`, masked at the edge.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from domain.errors import (
    UnknownApp,
    WeChatCodeInvalid,
    WeChatCodeUsed,
    WeChatRateLimited,
    WeChatRefusal,
    WeChatUnavailable,
    WeChatUserBlocked,
)


class Errcode(IntEnum):
    """The numbers this client acts on."""

    BUSY = -1
    OK = 0
    TOKEN_NOT_LATEST = 40001
    OPENID_UNKNOWN = 40003
    APP_ID_INVALID = 40013
    TOKEN_MALFORMED = 40014
    CODE_INVALID = 40029
    TEMPLATE_UNKNOWN = 40037
    APP_SECRET_INVALID = 40125
    CODE_USED = 40163
    USER_BLOCKED = 40226
    TOKEN_EXPIRED = 42001
    CONSENT_MISSING = 43101
    RATE_LIMITED = 45011
    CONTENT_INVALID = 47003
    USER_INACTIVE = 61010
    SIGNATURE_INVALID = 87009


TOKEN_REFUSED: Final = frozenset(
    {Errcode.TOKEN_NOT_LATEST, Errcode.TOKEN_EXPIRED, Errcode.TOKEN_MALFORMED}
)
"""The access token is to be replaced and the call repeated once; it had no effect."""

_REFUSALS: Final[dict[int, type[WeChatRefusal]]] = {
    Errcode.BUSY: WeChatUnavailable,
    Errcode.APP_ID_INVALID: UnknownApp,
    Errcode.APP_SECRET_INVALID: UnknownApp,
    Errcode.CODE_INVALID: WeChatCodeInvalid,
    Errcode.CODE_USED: WeChatCodeUsed,
    Errcode.USER_BLOCKED: WeChatUserBlocked,
    Errcode.RATE_LIMITED: WeChatRateLimited,
}


class WeChatFault(Exception):
    """WeChat refused a call for a reason no caller can act on: our mistake or the console's.

    Not a refusal: the edge masks it, logs it and counts it by `endpoint` and `errcode`.
    """

    def __init__(self, *, endpoint: str, errcode: int, errmsg: str) -> None:
        super().__init__(f"{endpoint} answered {errcode}: {errmsg}")
        self.endpoint = endpoint
        self.errcode = errcode
        self.errmsg = errmsg


def error_of(*, endpoint: str, errcode: int, errmsg: str) -> WeChatRefusal | WeChatFault:
    """The exception that an errcode other than 0 stands for."""
    refusal = _REFUSALS.get(errcode)
    if refusal is not None:
        return refusal()
    return WeChatFault(endpoint=endpoint, errcode=errcode, errmsg=errmsg)
