"""Tokens for partners: by an assertion that is good once, or by a secret; and nothing leaks."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain import games
from domain.access import disable_account
from domain.games import AddPartnerKey, KeyKind
from domain.storage import fetch_all
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import ISSUER, NOW, Gateway
from tests.graphql.partners import Platform, private_key, take_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DENIED = {
    "error": "invalid_client",
    "error_description": "The client could not be authenticated.",
}


async def ask(gateway: Gateway, headers: dict[str, str] | None = None, **form: str) -> Any:
    data = {"grant_type": "client_credentials", **form}
    return await gateway.http.post("/oauth/token", data=data, headers=headers)


async def by_assertion(platform: Platform, assertion: str, **form: str) -> httpx.Response:
    form |= {"client_assertion_type": JWT, "client_assertion": assertion}
    answer: httpx.Response = await ask(platform.gateway, None, **form)
    assert answer.headers["cache-control"] == "no-store"
    return answer


async def test_a_signed_assertion_gets_a_token_that_works(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    answer = (await by_assertion(platform, platform.assertion())).json()
    token = answer.pop("access_token")
    scope = "rewards:read rewards:write"
    assert answer == {"token_type": "Bearer", "expires_in": 900, "scope": scope}
    told = await gateway.ask("{ partner { code scopes } }", token=token)
    assert told.json()["data"]["partner"] == {"code": platform.code, "scopes": scope.split()}
    fewer = await by_assertion(platform, platform.assertion(aud=ISSUER), scope="rewards:read")
    assert fewer.json()["scope"] == "rewards:read"


async def test_an_assertion_is_good_once_also_for_twenty_at_once(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    assertion = platform.assertion(jti="the-one")
    answers = await asyncio.gather(*(by_assertion(platform, assertion) for _ in range(20)))
    assert sorted(one.status_code for one in answers) == [200] + [401] * 19
    assert all(one.json() == DENIED for one in answers if one.status_code == 401)
    # Another assertion with the same id is a replay too; another partner's is not.
    assert (await by_assertion(platform, platform.assertion(jti="the-one", aud=ISSUER))).json() == (
        DENIED
    )
    other = await take_in(gateway, "other")
    assert (await by_assertion(other, other.assertion(jti="the-one"))).status_code == 200


async def test_ids_are_kept_until_they_would_have_expired(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    kept = "SELECT digest FROM partner_assertion WHERE account_id = $1"
    for minutes, count in ((0, 1), (1, 2), (3, 2)):
        gateway.clock.moment = NOW + timedelta(minutes=minutes)
        assert (await by_assertion(platform, platform.assertion())).status_code == 200
        assert len(await fetch_all(kept, platform.partner.account_id)) == count


async def test_an_id_outlives_the_clock_of_a_gateway_that_is_ahead(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    used = platform.assertion()
    assert (await by_assertion(platform, used)).status_code == 200
    gateway.clock.moment = NOW + timedelta(minutes=2, seconds=20)
    assert (await by_assertion(platform, platform.assertion())).status_code == 200
    # For one that is behind the first assertion is good still, were it not for its id.
    gateway.clock.moment = NOW + timedelta(minutes=1, seconds=55)
    assert (await by_assertion(platform, used)).json() == DENIED


async def test_an_assertion_that_proves_nothing_is_told_nothing(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    other = await take_in(gateway, "other")
    seconds = int(NOW.timestamp())
    for wrong in (
        platform.assertion(private=private_key(2)),
        platform.assertion(iss=other.code),
        platform.assertion(sub="nobody", iss="nobody"),
        platform.assertion(aud="https://elsewhere.example"),
        platform.assertion(exp=seconds),
        platform.assertion(exp=seconds + 331),
        platform.assertion(exp=None),
        platform.assertion(jti=None),
        platform.assertion(jti="x" * 257),
        platform.assertion(nbf=seconds + 60),
        "nonsense",
    ):
        answer = await by_assertion(platform, wrong)
        assert (answer.status_code, answer.json()) == (401, DENIED), wrong
    named = await by_assertion(platform, platform.assertion(), client_id=other.code)
    assert named.json() == DENIED


async def test_a_retired_key_a_disabled_partner_and_a_wrong_network_prove_nothing(
    gateway: Gateway,
) -> None:
    retired, disabled = await take_in(gateway), await take_in(gateway, "disabled")
    elsewhere = await take_in(gateway, "elsewhere", networks=("203.0.113.0/24",))
    [key] = [
        one for one in await games.keys_of(retired.partner.account_id) if one.kind is KeyKind.JWT
    ]
    await games.retire_partner_key(retired.code, key.id, by=OPERATOR, now=NOW)
    await disable_account(disabled.code, by=OPERATOR, now=NOW)
    for platform in (retired, disabled, elsewhere):
        answer = await by_assertion(platform, platform.assertion())
        assert (answer.status_code, answer.json()) == (401, DENIED)


async def test_a_scope_that_is_not_held_is_not_given(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    for scope in ("purchases:write", "rewards:read everything"):
        answer = await by_assertion(platform, platform.assertion(), scope=scope)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_a_client_secret_serves_where_nothing_can_be_signed(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    made = AddPartnerKey(code=platform.code, kind=KeyKind.CLIENT_SECRET)
    secret = (await games.add_partner_key(made, by=OPERATOR, now=NOW)).secret
    assert secret is not None
    basic = base64.b64encode(f"{platform.code}:{secret}".encode()).decode()
    by_header = await ask(gateway, {"authorization": f"Basic {basic}"})
    by_form = await ask(gateway, client_id=platform.code, client_secret=secret)
    assert (by_header.status_code, by_form.status_code) == (200, 200)
    for code, given in ((platform.code, secret[:-1]), ("nobody", secret), ("\0", secret)):
        wrong = await ask(gateway, client_id=code, client_secret=given)
        assert (wrong.status_code, wrong.json()) == (401, DENIED)
    refused = await ask(gateway, {"authorization": "Basic bm8="})
    assert refused.headers["www-authenticate"] == 'Basic realm="jifen"'
    twice = await ask(
        gateway,
        {"authorization": f"Basic {basic}"},
        client_id=platform.code,
        client_secret=secret,
    )
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")


async def test_what_is_no_such_request_is_refused_as_the_standard_has_it(gateway: Gateway) -> None:
    for data, error in (
        ("", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials", "invalid_client"),
        ("&".join(f"a{number}=1" for number in range(21)), "invalid_request"),
    ):
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = await gateway.http.post("/oauth/token", content=data, headers=form)
        assert answer.json()["error"] == error, data
    as_json = await gateway.http.post("/oauth/token", json={})
    assert as_json.status_code == 415
    large = await gateway.http.post("/oauth/token", content="a" * 16_385, headers=form)
    assert large.status_code == 413


async def test_the_metadata_tells_where_tokens_are(gateway: Gateway) -> None:
    told = (await gateway.http.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == ISSUER
    assert told["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert told["token_endpoint_auth_signing_alg_values_supported"] == ["EdDSA"]
