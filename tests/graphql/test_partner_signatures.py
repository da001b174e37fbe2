"""What partners sign: accepted as sent, refused before it is parsed, and then nothing changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from domain import games
from domain.games import AddPartnerKey, ChangePartner, KeyKind
from domain.storage import observed_statements
from tests.domain.access.fixtures import OPERATOR
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import order
from tests.graphql.partners import (
    Platform,
    ed25519_signature,
    hmac_signature,
    private_key,
    public_text,
    take_in,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A partner that may record purchases changes something by an operation that is there for shops.
SCOPES = frozenset({"purchases:write", "rewards:write", "rewards:read"})
READS = b'{"query": "{ partner { code } }"}'


async def body_of(gateway: Gateway) -> bytes:
    """A mutation that takes effect."""
    alice = await gateway.sign_in()
    given = {"batchId": gateway.named("batch"), "orders": [order("A", alice.member_id)]}
    document = operation("RecordPurchases")
    return orjson.dumps({"query": document, "variables": {"input": given}})


@asynccontextmanager
async def unchanged() -> AsyncIterator[None]:
    """Not a row is different after the block."""
    before = await everything_kept()
    yield
    assert await everything_kept() == before


async def refusal(platform: Platform, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    """The status and the code of what is refused, which tells nothing else."""
    response = await platform.post(body, headers, token=await platform.token())
    assert "data" not in response.json()
    assert platform.secret not in response.text
    [error] = response.json()["errors"]
    assert error["extensions"].keys() == {"code", "requestId"}
    return response.status_code, error["extensions"]["code"]


def points(response: httpx.Response) -> Any:
    """What the order of these tests earned."""
    [receipt] = response.json()["data"]["recordPurchases"]["batch"]["receipts"]
    return receipt["pointsEarned"]


async def test_what_is_signed_takes_effect_by_either_scheme(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body = await body_of(gateway)
    for secret in (None, platform.secret):
        headers = platform.headers(body, secret=secret)
        response = await platform.post(body, headers, token=await platform.token())
        assert (response.status_code, points(response)) == (200, 88)


async def test_a_mutation_that_is_not_signed_changes_nothing(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body = await body_of(gateway)
    good = platform.headers(body)
    async with unchanged():
        assert await refusal(platform, body, {}) == (401, "SIGNATURE_MISSING")
        for name in good:
            some = {key: value for key, value in good.items() if key != name}
            assert await refusal(platform, body, some) == (401, "SIGNATURE_MISSING")


async def test_who_only_reads_need_not_sign_but_a_bad_signature_is_refused(
    gateway: Gateway,
) -> None:
    platform = await take_in(gateway)
    token = await platform.token()
    for headers in ({}, platform.headers(READS)):
        response = await platform.post(READS, headers, token=token)
        assert response.json() == {"data": {"partner": {"code": platform.code}}}
    wrong = platform.headers(READS, private=private_key(2))
    assert await refusal(platform, READS, wrong) == (401, "SIGNATURE_INVALID")


async def test_whatever_was_altered_is_refused(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body = await body_of(gateway)
    good = platform.headers(body, message_id="msg_1")
    later = str(int(NOW.timestamp()) + 1)
    alterations = (
        (body + b" ", good),
        (body.replace(b"paid", b"pajd", 1), good),
        (body, good | {"webhook-id": "msg_2"}),
        (body, good | {"webhook-timestamp": later}),
        (body, good | {"webhook-timestamp": f"{good['webhook-timestamp']}.0"}),
        (body, good | {"webhook-id": ""}),
        (body, good | {"webhook-signature": good["webhook-signature"][:-4]}),
        (body, good | {"webhook-signature": "v1,AAAA"}),
        (body, good | {"webhook-signature": "v1a," + "A" * 3_000}),
        (body, platform.headers(body, private=private_key(2))),
        (body, platform.headers(body, secret="whsec_" + "A" * 44)),
        # One scheme's signature under the other's name.
        (body, good | {"webhook-signature": good["webhook-signature"].replace("v1a,", "v1,")}),
    )
    async with unchanged():
        for altered, headers in alterations:
            assert await refusal(platform, altered, headers) == (401, "SIGNATURE_INVALID")


async def test_a_signature_is_good_for_five_minutes_each_way(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body = await body_of(gateway)
    token = await platform.token()
    for seconds, expected in ((300, 200), (301, 401)):
        for at in (NOW - timedelta(seconds=seconds), NOW + timedelta(seconds=seconds)):
            headers = platform.headers(body, at=at)
            if expected == 401:
                assert await refusal(platform, body, headers) == (401, "SIGNATURE_STALE")
            else:
                assert points(await platform.post(body, headers, token=token)) == 88
    # Who has no key is not told that a moment is too old.
    forged = platform.headers(body, at=NOW - timedelta(hours=1), private=private_key(2))
    assert await refusal(platform, body, forged) == (401, "SIGNATURE_INVALID")


async def test_bodies_are_verified_before_anything_is_parsed(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    nonsense = b"{ not json"
    wrong = platform.headers(nonsense, private=private_key(2))
    assert await refusal(platform, nonsense, wrong) == (401, "SIGNATURE_INVALID")
    assert await refusal(platform, nonsense, platform.headers(nonsense)) == (400, "BAD_REQUEST")


async def test_of_several_signatures_one_suffices_and_others_are_passed_over(
    gateway: Gateway,
) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body = await body_of(gateway)
    headers = platform.headers(body)
    stamp = f"{headers['webhook-id']}.{headers['webhook-timestamp']}."
    wrong = ed25519_signature(private_key(2), stamp.encode() + body)
    many = " ".join(["v9,abc", "nonsense", wrong, headers["webhook-signature"]])
    token = await platform.token()
    response = await platform.post(body, headers | {"webhook-signature": many}, token=token)
    assert points(response) == 88
    lost = " ".join([wrong] * 8 + [headers["webhook-signature"]])
    assert await refusal(platform, body, headers | {"webhook-signature": lost}) == (
        401,
        "SIGNATURE_INVALID",
    )


async def test_a_header_that_comes_twice_is_refused(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body = await body_of(gateway)
    headers = platform.headers(body)
    response = await gateway.http.post(
        "/graphql",
        content=body,
        headers=[
            ("authorization", f"Bearer {await platform.token()}"),
            ("content-type", "application/json"),
            *headers.items(),
            ("webhook-id", headers["webhook-id"]),
        ],
    )
    assert response.json()["errors"][0]["extensions"]["code"] == "SIGNATURE_INVALID"


async def test_another_partners_key_is_no_key(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    other = await take_in(gateway, "other", scopes=SCOPES)
    body = await body_of(gateway)
    headers = platform.headers(body, secret=other.secret)
    assert await refusal(platform, body, headers) == (401, "SIGNATURE_INVALID")


async def test_keys_are_rotated_without_a_gap_and_a_retired_one_is_none(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    body, token = await body_of(gateway), await platform.token()
    fresh = private_key(3)
    added = AddPartnerKey(code=platform.code, kind=KeyKind.ED25519, public_key=public_text(fresh))
    await games.add_partner_key(added, by=OPERATOR, now=NOW)
    retires_at = NOW + timedelta(minutes=10)
    await games.retire_partner_key(
        platform.code, platform.ed25519.id, at=retires_at, by=OPERATOR, now=NOW
    )
    for minutes, old in ((0, 88), (9, 88), (10, None), (11, None)):
        gateway.clock.moment = NOW + timedelta(minutes=minutes)
        at = gateway.clock.now()
        new = await platform.post(body, platform.headers(body, at=at, private=fresh), token=token)
        assert points(new) == 88
        headers = platform.headers(body, at=at)
        if old is None:
            assert await refusal(platform, body, headers) == (401, "SIGNATURE_INVALID")
        else:
            assert points(await platform.post(body, headers, token=token)) == old


async def test_a_partner_without_keys_changes_nothing(gateway: Gateway) -> None:
    platform = await take_in(gateway, scopes=SCOPES)
    for key in (platform.ed25519, platform.hmac):
        await games.retire_partner_key(platform.code, key.id, by=OPERATOR, now=NOW)
    body = await body_of(gateway)
    assert await refusal(platform, body, platform.headers(body)) == (401, "SIGNATURE_INVALID")
    assert await refusal(platform, body, {}) == (401, "SIGNATURE_MISSING")


async def test_what_a_token_does_not_hold_is_forbidden_signed_or_not(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    body = await body_of(gateway)
    async with unchanged():
        for headers in ({}, platform.headers(body)):
            assert (await refusal(platform, body, headers))[1] == "FORBIDDEN"


async def test_a_partner_calls_from_its_networks_alone(gateway: Gateway) -> None:
    inside = await take_in(gateway, networks=("127.0.0.0/8", "10.0.0.0/8"))
    response = await inside.post(READS, {}, token=await inside.token())
    assert response.json()["data"]["partner"]["code"] == inside.code
    change = ChangePartner(
        code=inside.code, version=1, changes={"networks": ("203.0.113.0/24", "2001:db8::/32")}
    )
    await games.change_partner(change, by=OPERATOR, now=NOW)
    assert await refusal(inside, READS, {}) == (403, "NETWORK_FORBIDDEN")
    token = await inside.token()
    response = await gateway.http.get(
        "/graphql",
        params={"query": "{ partner { code } }"},
        headers={"authorization": f"Bearer {token}"},
    )
    assert response.json()["errors"][0]["extensions"]["code"] == "NETWORK_FORBIDDEN"


async def test_a_partner_is_looked_up_by_one_statement_more(gateway: Gateway) -> None:
    platform = await take_in(gateway)
    token = await platform.token()
    with observed_statements() as statements:
        await platform.post(READS, platform.headers(READS), token=token)
    assert [sql for sql in statements if "partner_key" in sql] == statements[1:2]
    assert len(statements) == 2


async def test_a_member_and_a_shop_sign_nothing(gateway: Gateway) -> None:
    """Headers of a signature say nothing where no partner asks."""
    alice = await gateway.sign_in()
    platform = await take_in(gateway)
    body = b'{"query": "{ me { nickname } }"}'
    headers = platform.headers(body, private=private_key(2))
    response = await platform.post(body, headers, token=alice.access_token)
    assert response.json() == {"data": {"me": {"nickname": ""}}}


async def test_the_first_signatures_of_these_tests_are_those_of_the_standard() -> None:
    """The vector of Standard Webhooks; domain tests hold ours to it, this one holds the tests."""
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert hmac_signature(secret, signed) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
