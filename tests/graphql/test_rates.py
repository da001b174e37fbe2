"""Rates on the real application: what is charged, to whom, and what nobody gets around."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.rates.settings import BucketSettings, RateSettings
from api.settings import Settings
from api.stress.settings import StressSettings
from domain.access import CallerKind
from schema.charging import document_cost
from tests.graphql.gateway import GRAPHQL_JSON, NOW, Gateway, open_gateway, settings_for
from tests.graphql.operations import operation
from tests.graphql.orders import order
from tests.graphql.programme import open_shop, set_up_programme

ROOMY = StressSettings(executing_max=512, caller_in_flight_max=512, request_s_max=60)
"""Room and time for everything, on a busy machine too: what is refused here is so by its rate."""

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[Gateway]]

HOME = operation("Home")
SIGN_IN = operation("SignInWithWeChat")
UPDATE = operation("UpdateProfile")


def bucket(capacity: int, restored_per_minute: int = 60) -> BucketSettings:
    return BucketSettings(capacity=capacity, restored_per_minute=restored_per_minute)


@pytest.fixture(params=["memory", "redis"])
def open_limited(
    request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> Open:
    """Opens the gateway with these buckets, kept by the process or by a real Redis."""
    url = "memory://" if request.param == "memory" else request.getfixturevalue("redis_url")
    return opener(sqlite_url, tmp_path, fake, redis_url=url)


@pytest.fixture
def open_alone(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> Open:
    """The same, whose time is moved by hand."""
    return opener(sqlite_url, tmp_path, fake, redis_url="memory://")


def opener(database_url: str, folder: Path, fake: RunningFake, *, redis_url: str) -> Open:
    @asynccontextmanager
    async def open_it(**buckets: BucketSettings) -> AsyncIterator[Gateway]:
        settings: Settings = settings_for(database_url, folder, fake)
        rates = settings.rates.model_copy(update=buckets)
        update: dict[str, Any] = {"redis_url": redis_url, "rates": rates, "stress": ROOMY}
        async with open_gateway(settings.model_copy(update=update), fake) as gateway:
            await set_up_programme(now=NOW)
            yield gateway

    return open_it


async def post(
    gateway: Gateway,
    query: str,
    variables: Mapping[str, Any] | None = None,
    *,
    token: str | None = None,
    http: httpx.AsyncClient | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """One request that asks for its cost."""
    told = {"x-jifen-cost": "1", **(headers or {})}
    if token:
        told["authorization"] = f"Bearer {token}"
    body = {"query": query, "variables": variables}
    return await (http or gateway.http).post("/graphql", json=body, headers=told)


def cost_of(response: httpx.Response) -> Any:
    return response.json()["extensions"]["cost"]


def code_of(response: httpx.Response) -> str | None:
    errors = response.json().get("errors")
    return errors[0]["extensions"]["code"] if errors else None


def from_address(gateway: Gateway, host: str) -> httpx.AsyncClient:
    """A client at this address."""
    transport = httpx.ASGITransport(gateway.app, client=(host, 50_000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway.test")


async def test_an_operation_is_told_what_it_costs(open_limited: Open) -> None:
    async with open_limited(member=bucket(1_000, 1)) as gateway:
        token = (await gateway.sign_in()).access_token
        answers = [await post(gateway, HOME, token=token) for _ in range(2)]
        # A document that is met for the first time is paid for by its length.
        left = 1_000 - document_cost(HOME)
        costs = [cost_of(answer) for answer in answers]
        actual = costs[0]["actual"]
        assert [cost["requested"] for cost in costs] == [382, 382]
        assert [cost["actual"] for cost in costs] == [actual, actual]
        assert 40 < actual < 100
        assert [cost["budget"] for cost in costs] == [left - actual, left - 2 * actual]
        assert [cost["restoreRate"] for cost in costs] == [0.017, 0.017]
        # Nobody else is told.
        for headers in ({"x-jifen-cost": "0"}, {"x-jifen-cost": "true"}):
            assert (
                "extensions" not in (await post(gateway, HOME, token=token, headers=headers)).json()
            )
        assert "extensions" not in (await gateway.ask(HOME, token=token)).json()


@pytest.mark.parametrize("media_type", ["application/json", GRAPHQL_JSON])
async def test_who_has_nothing_left_waits(open_alone: Open, media_type: str) -> None:
    async with open_alone(member=bucket(500, 60)) as gateway:
        alice = await gateway.sign_in()
        mutation = "mutation($input:UpdateProfileInput!){updateProfile(input:$input){member{id}}}"
        given = {"input": {"nickname": "a"}}
        first = await post(gateway, mutation, given, token=alice.access_token)
        left = 500 - document_cost(mutation) - 13
        assert (code_of(first), cost_of(first)["budget"]) == (None, left)
        for _ in range(left // 13):
            assert code_of(await post(gateway, mutation, given, token=alice.access_token)) is None
        left %= 13

        given = {"input": {"nickname": "b"}}
        refused = await post(
            gateway, mutation, given, token=alice.access_token, headers={"accept": media_type}
        )
        assert (refused.status_code, refused.headers["retry-after"]) == (429, str(13 - left))
        assert refused.headers["content-type"] == f"{media_type}; charset=utf-8"
        body = refused.json()
        assert "data" not in body
        assert body["errors"][0]["extensions"] == {
            "code": "RATE_LIMITED",
            "retryAfter": 13 - left,
            "requestId": refused.headers["x-request-id"],
        }
        assert body["extensions"]["cost"] == {
            "requested": 13,
            "actual": None,
            "budget": left,
            "restoreRate": 1,
        }

        async def nickname() -> Any:
            # A question of another kind, which is asked for by nobody else here.
            gateway.clock.advance(seconds=40)
            return (await post(gateway, "{me{nickname}}", token=alice.access_token)).json()["data"]

        gateway.clock.advance(seconds=13 - left - 0.001)
        again = await post(gateway, mutation, given, token=alice.access_token)
        assert (again.status_code, again.headers["retry-after"]) == (429, "1")
        assert await nickname() == {"me": {"nickname": "a"}}
        gateway.clock.advance(seconds=0.001)
        passed = await post(gateway, mutation, given, token=alice.access_token)
        assert (passed.status_code, code_of(passed)) == (200, None)
        assert await nickname() == {"me": {"nickname": "b"}}


async def test_a_member_has_one_bucket_wherever_they_are(open_limited: Open) -> None:
    async with open_limited(member=bucket(40, 1)) as gateway:
        tokens = [(await gateway.sign_in()).access_token for _ in range(2)]
        bob = (await gateway.sign_in("o-bob")).access_token
        query = "{me{nickname}}"
        spent = Counter[str | None]()
        for number in range(60):
            async with from_address(gateway, f"203.0.113.{number}") as http:
                forwarded = {"x-forwarded-for": f"198.51.100.{number}"}
                response = await post(
                    gateway, query, token=tokens[number % 2], http=http, headers=forwarded
                )
                spent[code_of(response)] += 1
        assert spent == {None: (40 - document_cost(query)) // 2, "RATE_LIMITED": 60 - 19}
        assert code_of(await post(gateway, query, token=bob)) is None


async def test_nobody_signed_in_has_the_bucket_of_an_address(open_limited: Open) -> None:
    async with open_limited(address=bucket(10, 1)) as gateway:
        query = "{__typename}"
        hosts = ["2001:db8::1", "2001:db8::2", "2001:db8::ffff:1", "2001:db8:0:1::1", "192.0.2.1"]
        answers: dict[str, list[str | None]] = {}
        for host in hosts:
            async with from_address(gateway, host) as http:
                for header in ("X-Forwarded-For", "x-real-ip", "Forwarded", "True-Client-IP"):
                    spoofed = {header: "192.0.2.99"}
                    answer = await post(gateway, query, http=http, headers=spoofed)
                    answers.setdefault(host, []).append(code_of(answer))
        # The first paid for the document as well; the three share what one household has.
        assert answers == {
            "2001:db8::1": [None] * 4,
            "2001:db8::2": [None] * 4,
            "2001:db8::ffff:1": [None, "RATE_LIMITED", "RATE_LIMITED", "RATE_LIMITED"],
            "2001:db8:0:1::1": [None] * 4,
            "192.0.2.1": [None] * 4,
        }


async def test_bad_tokens_are_paid_for_by_their_address(open_limited: Open) -> None:
    async with open_limited(address=bucket(60, 1)) as gateway:
        token = (await gateway.sign_in()).access_token
        tried = ["nonsense", token[:-2] + "xx", "a.b.c", token.lower(), token + "x", "Bearer x"]
        async with from_address(gateway, "192.0.2.1") as http:
            refused = [await post(gateway, HOME, token=one, http=http) for one in tried * 3]
            expected = [(401, "UNAUTHENTICATED")] * 12 + [(429, "RATE_LIMITED")] * 6
            assert [(one.status_code, code_of(one)) for one in refused] == expected
            assert 290 < int(refused[-1].headers["retry-after"]) <= 300
            # It is not the address that pays for who is signed in.
            assert code_of(await post(gateway, "{me{id}}", token=token, http=http)) is None


async def test_each_sign_in_is_counted_also_under_aliases(
    open_limited: Open, fake: RunningFake
) -> None:
    async with open_limited(sign_in=bucket(12, 1)) as gateway:
        aliased = (
            "mutation{"
            + "".join(
                f'a{number}:signInWithWeChat(input:{{appId:"{DEMO_APP_ID}",code:"c{number}"}})'
                "{userErrors{code}}"
                for number in range(30)
            )
            + "}"
        )
        response = await post(gateway, aliased)
        assert response.status_code == 200
        body = response.json()
        tried = {"userErrors": [{"code": "WECHAT_CODE_INVALID"}]}
        assert body["data"] == {
            f"a{number}": tried if number < 12 else None for number in range(30)
        }
        refused = [(error["path"], error["extensions"]["code"]) for error in body["errors"]]
        # No more errors are told than the limit on them.
        assert refused == [([f"a{number}"], "RATE_LIMITED") for number in range(12, 17)]
        assert all(40 < error["extensions"]["retryAfter"] <= 60 for error in body["errors"])
        assert await gateway.phone.calls() == {"jscode2session": 12}

        # Nothing of it is left for one that is asked for alone, whatever its code.
        code = await gateway.login()
        alone = await gateway.ask(SIGN_IN, {"input": {"appId": DEMO_APP_ID, "code": code}})
        assert (alone.status_code, alone.json()["data"]) == (429, {"signInWithWeChat": None})
        assert 40 < int(alone.headers["retry-after"]) <= 60
        assert await gateway.phone.calls() == {"jscode2session": 12}
        async with from_address(gateway, "192.0.2.1") as http:
            given = {"input": {"appId": DEMO_APP_ID, "code": code}}
            elsewhere = await post(gateway, SIGN_IN, given, http=http)
            assert elsewhere.json()["data"]["signInWithWeChat"]["session"]["isNewMember"] is True


async def test_a_refresh_token_is_tried_a_few_times_wherever_from(open_limited: Open) -> None:
    async with open_limited(refresh_token=bucket(3, 1)) as gateway:
        alice = await gateway.sign_in()
        given = {"input": {"refreshToken": alice.refresh_token}}
        codes = []
        for number in range(5):
            async with from_address(gateway, f"192.0.2.{number}") as http:
                answer = (await post(gateway, operation("RefreshSession"), given, http=http)).json()
                payload = answer["data"]["refreshSession"]
                codes.append(payload and [error["code"] for error in payload["userErrors"]])
        reused, invalid = ["REFRESH_TOKEN_REUSED"], ["REFRESH_TOKEN_INVALID"]
        assert codes in ([[], reused, reused, None, None], [[], reused, invalid, None, None])
        # Another one is another matter.
        bob = await gateway.sign_in("o-bob")
        answer = await gateway.send("RefreshSession", input={"refreshToken": bob.refresh_token})
        assert answer["userErrors"] == []


async def test_what_is_refused_is_paid_for_too(open_alone: Open) -> None:
    async with open_alone(member=bucket(5_000, 1)) as gateway:
        token = (await gateway.sign_in()).access_token

        async def left() -> int:
            return int(cost_of(await post(gateway, "{__typename}", token=token))["budget"])

        async def spent(query: str, variables: Mapping[str, Any] | None = None) -> int:
            before = await left()
            assert code_of(await post(gateway, query, variables, token=token)) is not None
            return before - await left() - 1

        await left()
        # What is not valid is never known, so it is paid for each time.
        for wrong in ("{", "{nope}", "{me{id}", "{nope}#" + "x" * 4_000, "{nope}#" + "x" * 9_000):
            assert [await spent(wrong) for _ in range(2)] == [document_cost(wrong)] * 2
        assert [document_cost("x" * length) for length in (1, 16, 9_000)] == [1, 2, 500]
        # What is valid is known the second time.
        others = 'mutation{recordPurchases(input:{batchId:"b",orders:[]}){batch{id}}}'
        assert [await spent(others) for _ in range(2)] == [document_cost(others) + 1, 1]
        page = "query($n:Int!){me{ledger(first:$n){nodes{id}}}}"
        for variables in ({"n": "many"}, {}):
            assert await spent(page, variables) == (document_cost(page) + 1 if variables else 1)
        # A page that the field itself refuses: the root, the member, and the field that ran.
        assert await spent(page, {"n": 101}) == 1 + 1 + 5


async def test_a_request_that_costs_too_much_is_refused(open_alone: Open) -> None:
    page = "ledger(first:$n){nodes{id}} "
    async with open_alone() as gateway:
        token = (await gateway.sign_in()).access_token
        fixed = "{me{" + "".join(f"a{n}:{page.replace('$n', '100')}" for n in range(10)) + "}}"
        asked = "query($n:Int){me{" + "".join(f"a{n}:{page}" for n in range(10)) + "}}"
        each = 5 + 1 + 100
        for query, variables in ((fixed, None), (asked, {"n": 100}), (asked, {"n": 101})):
            for accept, status in (("application/json", 200), (GRAPHQL_JSON, 400)):
                refused = await post(
                    gateway, query, variables, token=token, headers={"accept": accept}
                )
                assert refused.status_code == status
                body = refused.json()
                assert "data" not in body
                (error,) = body["errors"]
                assert error["extensions"]["code"] == "COST_LIMIT"
                assert error["extensions"]["limit"] == 1_000
                # The fixed one is refused for what it costs at the least: the root is two of it.
                assert error["extensions"]["requested"] == 1 + 2 + 10 * each
        allowed = await post(gateway, asked, {"n": 90}, token=token)
        assert cost_of(allowed)["requested"] == 1 + 2 + 10 * 96
        assert code_of(allowed) is None


async def test_a_batch_is_charged_by_its_orders(open_alone: Open) -> None:
    async with open_alone(shop=bucket(2_000, 60)) as gateway:
        alice = (await gateway.sign_in()).member_id
        await open_shop("shop", now=NOW)
        token = await gateway.shop()
        batch = operation("RecordPurchases")
        orders = [order(f"o{number}", alice) for number in range(40)]
        given = {"input": {"batchId": "b", "orders": orders}}
        answer = await post(gateway, batch, given, token=token)
        assert cost_of(answer)["requested"] == 14 + 3 * 40
        assert cost_of(answer)["actual"] == 13 + 3 * 40
        assert cost_of(answer)["budget"] == 2_000 - document_cost(batch) - 133
        assert cost_of(answer)["restoreRate"] == 1


async def test_two_hundred_mutations_at_once_pass_and_many_more_wait(open_alone: Open) -> None:
    async with open_alone() as gateway:
        token = (await gateway.sign_in()).access_token

        async def rename(number: int) -> str | None:
            given = {"input": {"nickname": f"n{number}"}}
            return code_of(await gateway.ask(UPDATE, given, token=token))

        await rename(0)
        burst = await asyncio.gather(*(rename(number) for number in range(200)))
        assert Counter(burst) == {None: 200}

        many = (
            "mutation{"
            + " ".join(
                # Refused by the domain, after it was paid for: that is quickly done.
                f'a{number}:updateProfile(input:{{gender:"g{number}"}}){{member{{id}}}}'
                for number in range(30)
            )
            + "}"
        )
        answers = [await post(gateway, many, token=token) for _ in range(25)]
        codes = Counter(code_of(answer) for answer in answers)
        assert codes.keys() == {None, "RATE_LIMITED"}
        refused = next(answer for answer in answers if code_of(answer) == "RATE_LIMITED")
        assert refused.status_code == 429
        wait_s = int(refused.headers["retry-after"])
        assert refused.json()["errors"][0]["extensions"]["retryAfter"] == wait_s == 1
        gateway.clock.advance(seconds=wait_s)
        assert code_of(await post(gateway, many, token=token)) is None


async def test_every_sensitive_field_has_a_bucket(open_alone: Open) -> None:
    from schema.charging import SensitiveCharged
    from schema.root import Mutation

    names = set()
    for field in Mutation.__strawberry_definition__.fields:  # type: ignore[attr-defined]  # set by Strawberry
        for extension in field.extensions:
            if isinstance(extension, SensitiveCharged):
                one = extension.sensitive
                names |= {one.limit, one.subject_limit, one.device_limit} - {""}
    codes = {"sign_in_code", "sign_in_code_device", "phone_sign_in", "phone_sign_in_device"}
    codes |= {"email_code", "confirm_email"}
    assert names == {"sign_in", "refresh", "refresh_token", "transfer", "bind_phone", *codes}
    settings = RateSettings()
    for name in (*names, *CallerKind, "address"):
        assert settings.bucket(name).capacity > 0
    with pytest.raises(LookupError):
        settings.bucket("held_max")
