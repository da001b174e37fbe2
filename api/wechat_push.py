"""WeChat's message push: `GET` proves the address, `POST` brings what happened to users.

Each mini-program has an address of its own, `/wechat/push/{app_id}`, with the token and the key
that its console shows. Where a key is set, only what is sealed with it is believed: the signature
of the plain mode covers no body. A push older than five minutes is refused; one that comes again
meanwhile is answered and has no second effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.custody.settings import PushSettings
from api.runtime import Runtime
from api.transport import TransportFault, read_body
from domain.custody import AuthorizationChanged, AuthorizationNotice, heed
from domain.wechat import PushCipher, PushInvalid, is_push_signed
from schema.faults import FaultCode

log = structlog.get_logger("jifen.wechat")

PATH: Final = "/wechat/push/{app_id}"
BODY_BYTES_MAX: Final = 64 * 1024
BODY_S_MAX: Final = 3.0
OLD_AFTER_S: Final = 300
_NUMBER: Final = re.compile("[0-9]{1,4}")
_MOMENT: Final = re.compile("[0-9]{1,12}")
_SIGNED_CHARACTERS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class _Signed:
    """What the address of a push says of it."""

    timestamp: str
    nonce: str
    signature: str
    msg_signature: str

    @classmethod
    def of(cls, query: Mapping[str, str]) -> _Signed:
        names = ("timestamp", "nonce", "signature", "msg_signature")
        return cls(*(query.get(name, "")[:_SIGNED_CHARACTERS_MAX] for name in names))

    def is_fresh(self, now: datetime) -> bool:
        """Whether it was sent within five minutes of now, by WeChat's clock."""
        if not (self.timestamp.isascii() and self.timestamp.isdigit()):
            return False
        return abs(int(self.timestamp[:20]) - now.timestamp()) <= OLD_AFTER_S


def wechat_push(pushes: Mapping[str, PushSettings]) -> Route:
    """The route, for these mini-programs by their app id."""

    async def serve(request: Request) -> Response:
        app_id = request.path_params["app_id"]
        settings = pushes.get(app_id)
        if settings is None:
            raise TransportFault(FaultCode.NOT_FOUND, "Nothing is served at this path.")
        runtime: Runtime = request.app.state.runtime
        signed, now = _Signed.of(request.query_params), runtime.clock.now()
        if request.method != "POST":
            _believe(signed, settings, now=now)
            return PlainTextResponse(request.query_params.get("echostr", ""))
        body = await read_body(request, bytes_max=BODY_BYTES_MAX, seconds_max=BODY_S_MAX)
        event = _opened(body, signed, settings, app_id=app_id, now=now)
        changed = _change_of(event, app_id=app_id)
        if changed is not None:
            done = await heed(changed, cooling=runtime.services.cooling, now=now)
            log.info("wechat_push", notice=changed.notice.value, done=done)
        # WeChat sends again what is not answered so within five seconds.
        return PlainTextResponse("success")

    return Route(PATH, serve, methods=["GET", "POST"])


def _believe(
    signed: _Signed, settings: PushSettings, *, now: datetime, encrypted: str | None = None
) -> None:
    """Raises FORBIDDEN for what WeChat did not sign, or signed too long ago."""
    good = is_push_signed(
        signature=signed.signature if encrypted is None else signed.msg_signature,
        token=settings.token.get_secret_value(),
        timestamp=signed.timestamp,
        nonce=signed.nonce,
        encrypted=encrypted,
    )
    if not good or not signed.is_fresh(now):
        raise TransportFault(FaultCode.FORBIDDEN, "This push is not WeChat's, or is too old.")


def _opened(
    body: bytes, signed: _Signed, settings: PushSettings, *, app_id: str, now: datetime
) -> dict[str, Any]:
    """The event in the body of a push that is believed."""
    outer = _object(body)
    if settings.aes_key is None:
        _believe(signed, settings, now=now)
        return outer
    encrypted = outer.get("Encrypt")
    if not isinstance(encrypted, str) or not encrypted.isascii():
        raise TransportFault(FaultCode.FORBIDDEN, "This push is not sealed.")
    _believe(signed, settings, now=now, encrypted=encrypted)
    cipher = PushCipher(app_id=app_id, encoding_aes_key=settings.aes_key.get_secret_value())
    try:
        return _object(cipher.decrypt(encrypted))
    except PushInvalid as invalid:
        raise TransportFault(FaultCode.FORBIDDEN, f"{invalid}.") from None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise TransportFault(FaultCode.BAD_REQUEST, "A push is one JSON object.")
    return value


def _change_of(event: Mapping[str, Any], *, app_id: str) -> AuthorizationChanged | None:
    """The notice in an event; None for what is none of ours to heed, which is answered all the
    same, or WeChat would send it again. A notice that we know is not passed over in silence."""
    notice, open_id, sent_at_s = event.get("Event"), event.get("OpenID"), _moment(event)
    if notice not in {one.value for one in AuthorizationNotice}:
        return None
    if event.get("AppID", app_id) != app_id or event.get("PluginID"):
        log.warning("wechat_push_ignored", notice=notice, why="another app's, or a plugin's")
    elif not isinstance(open_id, str):
        log.warning("wechat_push_ignored", notice=notice, why="no OpenID")
    elif sent_at_s is None:
        log.warning("wechat_push_ignored", notice=notice, why="no CreateTime")
    else:
        return AuthorizationChanged(
            app_id=app_id,
            open_id=open_id,
            notice=AuthorizationNotice(notice),
            revoked=_numbers(event.get("RevokeInfo")),
            sent_at_s=sent_at_s,
        )
    return None


def _moment(event: Mapping[str, Any]) -> int | None:
    """The Unix time of an event: WeChat writes it as a number, or as the digits of one."""
    told = event.get("CreateTime")
    if isinstance(told, bool) or not isinstance(told, str | int):
        return None
    return int(told) if _MOMENT.fullmatch(str(told)) else None


def _numbers(told: object) -> frozenset[int]:
    """The numbers in a text like `6` or `6,8`; what is no number names nothing that we know."""
    words = str(told).replace(",", " ").split() if isinstance(told, str | int) else []
    return frozenset(int(word) for word in words if _NUMBER.fullmatch(word))
