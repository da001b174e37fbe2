"""Access tokens: made, verified, remembered.

A token is a JWT signed with EdDSA over Ed25519 and nothing else (`typ` is `at+jwt`), for one
audience, with a life of minutes. Whoever calls is in it, so that most requests are known without
asking the database; what may end a token early (sign-out, a disabled client) is asked separately.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt
from uuid_utils.compat import uuid7

from domain.access.callers import Caller, CallerKind, InvalidAccessToken
from domain.access.key_ring import KeyRing
from domain.access.key_set import decode

_ALGORITHM: Final = "EdDSA"
_TYPE: Final = "at+jwt"
_REQUIRED: Final = ["iss", "aud", "sub", "iat", "exp", "jti"]
_AUDIENCES: Final[Mapping[str, CallerKind]] = {f"jifen:{kind}": kind for kind in CallerKind}
_CHARACTERS_MAX: Final = 4096
_END_OF_TIME: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_NONE: Final[frozenset[str]] = frozenset()

# Moments are checked against the programme's clock by `_caller`, not against this machine's.
_OPTIONS: Final[Any] = {
    "require": _REQUIRED,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
}

TOKEN_LIFE: Final = timedelta(minutes=15)


class AccessTokens:
    """Makes and verifies the access tokens of one issuer with the keys of one ring.

    The verification of a signature costs 0.135 ms, so tokens that were found good are remembered
    until they expire, at most `remembered_max` of them, by the SHA-256 of their text. A change of
    the key set forgets them all.
    """

    def __init__(self, keys: KeyRing, issuer: str, *, remembered_max: int = 10_000) -> None:
        self.keys = keys
        self.issuer = issuer
        self._remembered_max = remembered_max
        self._remembered: OrderedDict[bytes, Caller] = OrderedDict()
        self._generation = keys.generation

    def issue(
        self,
        kind: CallerKind,
        subject: UUID,
        *,
        now: datetime,
        scopes: frozenset[str] = _NONE,
        roles: frozenset[str] = _NONE,
        session_id: UUID | None = None,
        ttl: timedelta = TOKEN_LIFE,
    ) -> tuple[str, datetime]:
        """A token for the caller and the moment it expires, a whole second.

        ValueError when `ttl` is not within the ring's `token_life_max`: a retired key could not be
        forgotten in time. A member's token belongs to a session, no other does.
        """
        if not timedelta(0) < ttl <= self.keys.lifetimes.token_life_max:
            raise ValueError(f"a token cannot live for {ttl}")
        assert (session_id is not None) == (kind is CallerKind.MEMBER), "sessions are of members"
        expires_at = (now + ttl).replace(microsecond=0)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": f"jifen:{kind}",
            "sub": str(subject),
            # With microseconds: a revocation must tell apart tokens of the same second.
            "iat": now.timestamp(),
            "exp": int(expires_at.timestamp()),
            "jti": str(uuid7()),
        }
        if session_id is not None:
            claims["sid"] = str(session_id)
        if scopes:
            claims["scope"] = " ".join(sorted(scopes))
        if roles:
            claims["roles"] = sorted(roles)
        key = self.keys.signing_key()
        headers = {"typ": _TYPE, "kid": key.kid}
        return jwt.encode(claims, key.private, _ALGORITHM, headers=headers), expires_at

    def verify(self, token: str, now: datetime) -> Caller:
        """The caller the token was made for; InvalidAccessToken (expired or invalid) otherwise."""
        if len(token) > _CHARACTERS_MAX or not token.isascii():
            raise InvalidAccessToken("invalid")
        self._forget_after_key_change()
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._remembered.get(digest)
        if caller is None:
            caller = _caller(self._claims(token, now), now, self.keys.lifetimes.leeway)
            self._remember(digest, caller)
        if caller.expires_at <= now - self.keys.lifetimes.leeway:
            self._remembered.pop(digest, None)
            raise InvalidAccessToken("expired")
        return caller

    def remembers(self, token: str) -> bool:
        """Whether the token was found good lately: for what may cost nothing."""
        return hashlib.sha256(token.encode()).digest() in self._remembered

    def _claims(self, token: str, now: datetime) -> dict[str, Any]:
        try:
            # One token has one spelling: no padding, no other bits where the last ones are unused.
            for part in token.split("."):
                decode(part)
            header = jwt.get_unverified_header(token)
            public = self.keys.verifying_key(str(header.get("kid")), now=now)
            if public is None or header.get("typ") != _TYPE:
                raise InvalidAccessToken("invalid")
            return jwt.decode(
                token, public, algorithms=[_ALGORITHM], issuer=self.issuer, options=_OPTIONS
            )
        except (jwt.InvalidTokenError, ValueError) as wrong:
            raise InvalidAccessToken("invalid") from wrong

    def _remember(self, digest: bytes, caller: Caller) -> None:
        self._remembered[digest] = caller
        if len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)

    def _forget_after_key_change(self) -> None:
        self.keys.refresh()
        if self._generation != self.keys.generation:
            self._generation = self.keys.generation
            self._remembered.clear()


def _caller(claims: dict[str, Any], now: datetime, leeway: timedelta) -> Caller:
    """The caller in claims whose signature and issuer are good. Their expiry is not checked."""
    try:
        kind = _AUDIENCES[claims["aud"]]
        caller = Caller(
            kind=kind,
            subject=UUID(claims["sub"]),
            scopes=frozenset(claims.get("scope", "").split()),
            roles=frozenset(claims.get("roles", ())),
            session_id=UUID(claims["sid"]) if kind is CallerKind.MEMBER else None,
            issued_at=_moment(claims["iat"]),
            expires_at=_moment(claims["exp"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as wrong:
        raise InvalidAccessToken("invalid") from wrong
    if caller.issued_at > now + leeway:
        raise InvalidAccessToken("invalid")
    return caller


def _moment(number: object) -> datetime:
    """A NumericDate (RFC 7519) as aware UTC."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"not a NumericDate: {number!r}")
    if not 0 <= number < _END_OF_TIME:
        raise ValueError(f"not a moment of this calendar: {number!r}")
    return datetime.fromtimestamp(number, UTC)
