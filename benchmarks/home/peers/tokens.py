"""The access token of a member, checked as the gateway checks it, and remembered."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final
from uuid import UUID

import jwt
import orjson
from starlette.requests import Request

ISSUER: Final = "PEER_ISSUER"
KEYS: Final = "PEER_JWKS"
"""Names of variables: who issues tokens, and a file with the keys that verify them."""


class Tokens:
    """Verifies once, and remembers until the token expires."""

    def __init__(self) -> None:
        keys = orjson.loads(Path(os.environ[KEYS]).read_bytes())["keys"]
        self._keys = {key["kid"]: jwt.PyJWK(key, algorithm="EdDSA") for key in keys}
        self._issuer = os.environ[ISSUER]
        self._remembered: dict[str, tuple[UUID, UUID, float]] = {}

    def caller(self, request: Request) -> tuple[UUID, UUID]:
        """The member and the session of the request. PermissionError for a token not good."""
        scheme, _, token = request.headers["authorization"].partition(" ")
        if scheme != "Bearer":
            raise PermissionError(scheme)
        found = self._remembered.get(token)
        if found is None:
            found = self._remembered[token] = self._verified(token)
        member_id, session_id, expires_at = found
        if expires_at <= time.time():
            del self._remembered[token]
            raise PermissionError("expired")
        return member_id, session_id

    def _verified(self, token: str) -> tuple[UUID, UUID, float]:
        key = self._keys[jwt.get_unverified_header(token)["kid"]]
        try:
            claims = jwt.decode(
                token, key, algorithms=["EdDSA"], issuer=self._issuer, audience="jifen:member"
            )
        except jwt.InvalidTokenError as wrong:
            raise PermissionError("invalid") from wrong
        return UUID(claims["sub"]), UUID(claims["sid"]), claims["exp"]
