"""`POST /oauth/token`: tokens for partner platforms, by client_credentials (RFC 6749, 4.4).

A partner proves itself by an assertion that it signed (`private_key_jwt`, RFC 7523), or by its
secret. What is wrong with the request is answered as RFC 6749 has it; what the transport refuses
(size, pace, too many tries) as everywhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.partners.signing import peer_address
from api.rates.addresses import client_address
from api.runtime import Runtime
from api.settings import Settings
from api.transport import TransportFault, overloaded, rate_limited, read_body
from domain.access import Scope
from domain.games import (
    ASSERTION_CHARACTERS_MAX,
    ByAssertion,
    BySecret,
    Granted,
    GrantRefused,
    grant_token,
)
from resolvers.rates import RateKey, RateLimited, RatesUnavailable
from schema.faults import FaultCode

PATH: Final = "/oauth/token"
METADATA_PATH: Final = "/.well-known/oauth-authorization-server"
BODY_BYTES_MAX: Final = 16 * 1024
FIELDS_MAX: Final = 20
CODE_CHARACTERS_MAX: Final = 64
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM: Final = "application/x-www-form-urlencoded"
_CREDENTIALS_CHARACTERS_MAX: Final = 1_024
_STATUS: Final = {"invalid_client": 401}
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}


class _Refused(Exception):
    """Raised with the word of RFC 6749 for what is wrong, and a sentence for its developer."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


def oauth(settings: Settings) -> list[Route]:
    """The token endpoint, and the document that tells where it is (RFC 8414)."""
    audiences = frozenset(
        f"{base}{path}"
        for base in (settings.issuer.rstrip("/"), settings.public_url.rstrip("/"))
        for path in ("", "/", PATH)
    )

    async def token(request: Request) -> Response:
        try:
            granted = await _granted(request, settings, audiences)
        except _Refused as refusal:
            return _refusal(refusal, basic="authorization" in request.headers)
        return _answer(200, _told(granted, request.app.state.runtime))

    async def metadata(request: Request) -> Response:
        return Response(
            orjson.dumps(_metadata(settings)),
            media_type="application/json",
            headers={"cache-control": "public, max-age=300"},
        )

    return [Route(PATH, token, methods=["POST"]), Route(METADATA_PATH, metadata, methods=["GET"])]


async def _granted(request: Request, settings: Settings, audiences: frozenset[str]) -> Granted:
    """The token that is asked for. Raises _Refused, and TransportFault."""
    runtime: Runtime = request.app.state.runtime
    now = runtime.clock.now()
    address = client_address(request.scope)
    await _charge(runtime, [RateKey("partner_token", address)], request)
    _require_form(request.headers.get("content-type", ""))
    body = await read_body(
        request, bytes_max=BODY_BYTES_MAX, seconds_max=settings.limits.body_s_max
    )
    form = _form(body)
    if form.get("grant_type") != "client_credentials":
        word = "unsupported_grant_type" if "grant_type" in form else "invalid_request"
        raise _Refused(word, "grant_type must be client_credentials.")
    proof = _proof(request, form, audiences)
    try:
        return await grant_token(
            proof,
            scopes=_scopes(form),
            address=peer_address(request.scope),
            tokens=runtime.services.tokens,
            now=now,
        )
    except GrantRefused as refusal:
        described = {
            "invalid_client": "The client could not be authenticated.",
            "invalid_scope": "The client does not hold one of the scopes.",
        }
        raise _Refused(refusal.error, described[refusal.error]) from None


async def _charge(runtime: Runtime, keys: list[RateKey], request: Request) -> None:
    """Take one try. Raises TransportFault; without the shared buckets nobody is admitted."""
    try:
        await runtime.services.rates.charge_sensitive(keys, now=runtime.clock.now())
    except RateLimited as refusal:
        raise rate_limited(refusal.retry_after_s) from None
    except RatesUnavailable:
        raise overloaded() from None


def _require_form(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != FORM:
        message = f"The body must be {FORM}."
        raise TransportFault(FaultCode.UNSUPPORTED_MEDIA_TYPE, message)


def _form(body: bytes) -> dict[str, str]:
    """The fields of the form, each once; those without a value count as left out."""
    try:
        pairs = parse_qsl(body.decode("ascii"), errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise _Refused("invalid_request", "The form cannot be read.") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Refused("invalid_request", "A field must not be repeated.")
    return dict(pairs)


def _scopes(form: Mapping[str, str]) -> frozenset[str] | None:
    return frozenset(form["scope"].split()) if "scope" in form else None


def _proof(
    request: Request, form: Mapping[str, str], audiences: frozenset[str]
) -> BySecret | ByAssertion:
    """The one proof that the request has (RFC 6749, 2.3). Raises _Refused."""
    headers = request.headers.getlist("authorization")
    ways = [
        bool(headers),
        "client_secret" in form,
        "client_assertion" in form or "client_assertion_type" in form,
    ]
    if sum(ways) > 1:
        raise _Refused("invalid_request", "One way of authentication is enough.")
    if headers:
        return _basic(headers, form)
    if "client_secret" in form:
        return BySecret(code=form.get("client_id", ""), secret=form["client_secret"])
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE or not assertion:
        raise _Refused("invalid_client", "The client did not authenticate.")
    if len(assertion) > ASSERTION_CHARACTERS_MAX:
        raise _Refused("invalid_client", "The client could not be authenticated.")
    return ByAssertion(assertion=assertion, audiences=audiences, code=form.get("client_id"))


def _basic(headers: list[str], form: Mapping[str, str]) -> BySecret:
    """The credentials of HTTP Basic, each part form-encoded before (RFC 6749, 2.3.1)."""
    scheme, _, encoded = headers[0].strip().partition(" ")
    failed = _Refused("invalid_client", "The client could not be authenticated.")
    if len(headers) > 1 or scheme.lower() != "basic" or len(encoded) > _CREDENTIALS_CHARACTERS_MAX:
        raise failed
    try:
        code, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        raise failed from None
    code, secret = unquote_plus(code), unquote_plus(secret)
    if not colon or form.get("client_id", code) != code:
        raise failed
    return BySecret(code=code, secret=secret)


def _told(granted: Granted, runtime: Runtime) -> dict[str, Any]:
    return {
        "access_token": granted.token,
        "token_type": "Bearer",
        "expires_in": int((granted.expires_at - runtime.clock.now()).total_seconds()),
        "scope": " ".join(sorted(granted.scopes)),
    }


def _refusal(refusal: _Refused, *, basic: bool) -> Response:
    told = {"error": refusal.error, "error_description": refusal.description}
    answer = _answer(_STATUS.get(refusal.error, 400), told)
    if answer.status_code == 401 and basic:
        answer.headers["www-authenticate"] = 'Basic realm="jifen"'
    return answer


def _answer(status: int, told: Mapping[str, Any]) -> Response:
    return Response(
        orjson.dumps(told), status_code=status, media_type="application/json", headers=_NO_STORE
    )


def _metadata(settings: Settings) -> dict[str, Any]:
    base = settings.public_url.rstrip("/")
    return {
        "issuer": settings.issuer,
        "token_endpoint": f"{base}{PATH}",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": [
            "private_key_jwt",
            "client_secret_basic",
            "client_secret_post",
        ],
        "token_endpoint_auth_signing_alg_values_supported": ["EdDSA"],
        "scopes_supported": sorted(Scope),
    }
