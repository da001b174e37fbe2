"""Sign-ins that nobody vouches for, and refresh tokens that cannot be exchanged."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class WeChatRefusal(Refusal):
    """The branch of what WeChat did not vouch for."""


@dataclass(eq=False, kw_only=True)
class UnknownApp(WeChatRefusal):
    """Returned when the app id is not one of this programme's, or its secret is wrong."""

    code = ErrorCode.APP_UNKNOWN


@dataclass(eq=False, kw_only=True)
class WeChatCodeInvalid(WeChatRefusal):
    """Returned when the login code is unknown to WeChat or older than five minutes."""

    code = ErrorCode.WECHAT_CODE_INVALID


@dataclass(eq=False, kw_only=True)
class WeChatCodeUsed(WeChatRefusal):
    """Returned when the login code was exchanged before; `wx.login` gives a fresh one."""

    code = ErrorCode.WECHAT_CODE_USED


@dataclass(eq=False, kw_only=True)
class WeChatPhoneCodeInvalid(WeChatRefusal):
    """Returned when a code of `getPhoneNumber` is unknown, used, or older than five minutes."""

    code = ErrorCode.WECHAT_PHONE_CODE_INVALID


@dataclass(eq=False, kw_only=True)
class WeChatRateLimited(WeChatRefusal):
    """Returned when WeChat limits how often this user may sign in (100 times a minute)."""

    code = ErrorCode.WECHAT_RATE_LIMITED
    retryable = True


@dataclass(eq=False, kw_only=True)
class WeChatUserBlocked(WeChatRefusal):
    """Returned when WeChat classes the user as high-risk and blocks the sign-in."""

    code = ErrorCode.WECHAT_USER_BLOCKED


@dataclass(eq=False, kw_only=True)
class WeChatUnavailable(WeChatRefusal):
    """Returned when WeChat stays busy, slow or unreachable after the bounded retries."""

    code = ErrorCode.WECHAT_UNAVAILABLE
    retryable = True
    # False where WeChat surely did not act. It counts for us; clients are not told.
    perhaps_sent: bool = True


@dataclass(eq=False, kw_only=True)
class SessionRefusal(Refusal):
    """The branch of refresh tokens that cannot be exchanged."""


@dataclass(eq=False, kw_only=True)
class RefreshTokenInvalid(SessionRefusal):
    """Returned when the refresh token is unknown, expired or signed out: sign in again."""

    code = ErrorCode.REFRESH_TOKEN_INVALID


@dataclass(eq=False, kw_only=True)
class RefreshTokenReused(SessionRefusal):
    """Returned when a refresh token is presented a second time: its family is revoked."""

    code = ErrorCode.REFRESH_TOKEN_REUSED
