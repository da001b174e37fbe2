"""How the fake speaks: WeChat's errors on WeChat's paths, plain 400s on its own control paths."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

BODY_BYTES_MAX: Final = 256 * 1024


class WeChatError(Exception):
    """An error as WeChat reports it: HTTP 200 with `errcode` and `errmsg`."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(f"{errcode} {errmsg}")
        self.errcode = errcode
        self.errmsg = errmsg


class ControlError(Exception):
    """A control request that makes no sense: HTTP 400 with the reason."""


async def answer_wechat_error(_request: Request, error: Exception) -> Response:
    """HTTP 200, as WeChat does it."""
    assert isinstance(error, WeChatError)
    return JSONResponse({"errcode": error.errcode, "errmsg": error.errmsg})


async def answer_control_error(_request: Request, error: Exception) -> Response:
    """HTTP 400 with `{"error": reason}`."""
    return JSONResponse({"error": str(error)}, status_code=400)


async def answer_http_error(_request: Request, error: Exception) -> Response:
    """Unknown paths and wrong methods, in JSON too."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


async def read_body(request: Request) -> bytes | None:
    """The body, or None when it is larger than 256 KiB (the rest is left unread)."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def json_object(body: bytes | None) -> dict[str, Any] | None:
    """The JSON object in a body, or None if it holds anything else."""
    try:
        value = orjson.loads(body or b"")
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


class ControlFields:
    """The fields of a control request, each taken once with its rule.

    `finish()` refuses what nobody took: a misspelt field would otherwise be ignored silently.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = dict(fields)

    @classmethod
    async def of(cls, request: Request) -> ControlFields:
        """Read the request. An empty body counts as `{}`."""
        body = await read_body(request)
        if body == b"":
            return cls({})
        fields = json_object(body)
        if fields is None:
            raise ControlError("the body must be one JSON object of at most 256 KiB")
        return cls(fields)

    def text(self, name: str, pattern: re.Pattern[str], default: str | None = None) -> str:
        """A text that matches the whole pattern. Required when there is no default."""
        value = self._fields.pop(name, default)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ControlError(f"{name} must be a text of the form {pattern.pattern}")
        return value

    def text_or_none(self, name: str, pattern: re.Pattern[str]) -> str | None:
        """A text that matches the whole pattern, or None when it is absent or null."""
        if self._fields.get(name) is None:
            self._fields.pop(name, None)
            return None
        return self.text(name, pattern)

    def integer(self, name: str, *, low: int, high: int, default: int | None = None) -> int:
        """A whole number within bounds. Required when there is no default."""
        value = self._fields.pop(name, default)
        if type(value) is not int or not low <= value <= high:
            raise ControlError(f"{name} must be a whole number from {low} to {high}")
        return value

    def number(self, name: str, *, low: float, high: float) -> float:
        """A number within bounds."""
        value = self._fields.pop(name, None)
        if type(value) not in {int, float} or not low <= value <= high:
            raise ControlError(f"{name} must be a number from {low} to {high}")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false; absent means false."""
        value = self._fields.pop(name, False)
        if not isinstance(value, bool):
            raise ControlError(f"{name} must be true or false")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of the names. Required when there is no default."""
        value = self._fields.pop(name, default)
        if value not in choices:
            raise ControlError(f"{name} must be one of: {', '.join(choices)}")
        return str(value)

    def mapping(self, name: str) -> dict[str, Any]:
        """A JSON object; absent means empty."""
        value = self._fields.pop(name, {})
        if not isinstance(value, dict):
            raise ControlError(f"{name} must be a JSON object")
        return value

    def has(self, name: str) -> bool:
        """Whether the request names this field."""
        return name in self._fields

    def finish(self) -> None:
        """Refuse the fields that were not taken."""
        if self._fields:
            raise ControlError(f"unknown fields: {', '.join(sorted(self._fields))}")
