"""Points that one member gives to another: by id alone, so much a day, each lot with its expiry."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from api.fake_wechat import RunningFake
from api.rates.settings import BucketSettings
from api.settings import TransferSettings
from domain import members
from domain.ledger import post_one, verify_account
from domain.members import ByExternalReference
from domain.storage import fetch_all
from tests.domain.ledger.commands import earn as earn_command
from tests.graphql.gateway import NOW, Gateway, global_id, open_gateway, settings_for
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.points import balance, earn, journal, refused, token_of, transfer
from tests.graphql.programme import set_up_programme

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = global_id("Member", "01977c1e-0000-7000-8000-000000000000")


async def test_points_move_with_their_expiry_and_both_are_told(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100, order_id="A")
    gateway.clock.advance(days=1)
    await earn(gateway, alice, 100, order_id="B")
    gateway.clock.moment = NOW
    rows = "SELECT expires_at, earned_at FROM points_lot WHERE member_id = $1 ORDER BY lot_seq"
    given = [(row["expires_at"], row["earned_at"]) for row in await fetch_all(rows, alice.member)]

    payload = await transfer(gateway, alice, bob, points=130, note="生日快乐 🎂")

    assert payload == {
        "entry": {
            "id": global_id("LedgerEntry", f"{alice.member}:3"),
            "amount": -130,
            "balanceAfter": 70,
        },
        "userErrors": [],
    }
    assert await journal(gateway, bob) == [("TRANSFER_IN", 130, 130)]
    taken = [(row["expires_at"], row["earned_at"]) for row in await fetch_all(rows, bob.member)]
    assert taken == given
    # The same transfer by name, and the note, for both; both streams tell of it.
    told = []
    for session in (alice, bob):
        query = "{ me { ledger(first: 1) { nodes { note source { kind reference } } } } }"
        response = await gateway.ask(query, token=session.access_token)
        told.append(response.json()["data"]["me"]["ledger"]["nodes"][0])
        changes = await gateway.send("Changes", session.access_token)
        assert changes["changes"]["items"][-1]["kind"] == "POINTS_CHANGED"
        assert await verify_account(session.member) == []
    assert told[0] == told[1]
    assert (told[0]["note"], told[0]["source"]["kind"]) == ("生日快乐 🎂", "transfer")


async def test_nobody_rises_a_level_by_what_they_are_given(gateway: Gateway) -> None:
    """1,000 points reach silver; 2,000 that were given reach nothing."""
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 2_000)
    assert (await transfer(gateway, alice, bob, points=2_000))["userErrors"] == []
    query = "{ me { tier { level { code } progress { qualifyingPoints } } } }"
    levels = []
    for session in (alice, bob):
        tier = (await gateway.ask(query, token=session.access_token)).json()["data"]["me"]["tier"]
        levels.append((tier["level"]["code"], tier["progress"]["qualifyingPoints"]))
    assert levels == [("silver", 2_000), ("bronze", 0)]


async def test_a_transfer_sent_again_is_answered_byte_for_byte(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100)
    given = {
        "toMember": {"id": bob.member_id},
        "points": 30,
        "note": "thanks",
        "idempotencyKey": "k",
    }
    token = alice.access_token
    first = await gateway.ask(operation("TransferPoints"), {"input": given}, token=token)
    await transfer(gateway, alice, bob, points=5)
    before = await everything_kept()
    again = await gateway.ask(operation("TransferPoints"), {"input": given}, token=token)
    assert again.content == first.content

    carol = await gateway.sign_in("o-carol")
    before = await everything_kept()
    for changes in ({"points": 31}, {"note": "thank you"}, {"toMember": {"id": carol.member_id}}):
        error = refused(await transfer(gateway, alice, bob, **(given | changes)))
        assert (error["code"], error["field"]) == ("IDEMPOTENCY_CONFLICT", ["idempotencyKey"])
    assert await everything_kept() == before
    # The key is the giver's own: with it another member gives something else.
    assert (await transfer(gateway, bob, alice, idempotencyKey="k"))["userErrors"] == []


async def test_what_cannot_be_given_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100)
    openid = gateway.named("o-bob")
    before = await everything_kept()

    by_others: list[dict[str, Any]] = [
        {"phone": "+8613800138000"},
        {"wechat": {"appId": "wxjifendemo0000001", "openId": openid}},
        {"wechat": {"appId": "wxjifendemo0000001", "openId": "nobody"}},
        {"bindToken": "b"},
        {"memberRef": "m"},
        {"externalRef": "e"},
    ]
    cases: list[tuple[dict[str, Any], str, list[str] | None]] = [
        ({"points": 101}, "INSUFFICIENT_POINTS", None),
        ({"points": 0}, "POINTS_OUT_OF_RANGE", ["points"]),
        ({"points": -1}, "POINTS_OUT_OF_RANGE", ["points"]),
        ({"points": 10_001}, "TRANSFER_LIMIT_EXCEEDED", ["points"]),
        ({"toMember": {"id": NOBODY}}, "MEMBER_NOT_FOUND", ["toMember"]),
        ({"toMember": {"id": alice.member_id}}, "INVALID_INPUT", ["toMember"]),
        ({"note": "x" * 201}, "INVALID_INPUT", ["note"]),
        ({"note": "a\u0007b"}, "INVALID_INPUT", ["note"]),
        ({"idempotencyKey": ""}, "INVALID_INPUT", ["idempotencyKey"]),
        *(({"toMember": named}, "INVALID_INPUT", ["toMember"]) for named in by_others),
    ]
    for changes, code, field in cases:
        error = refused(await transfer(gateway, alice, bob, **changes))
        assert (error["code"], error["field"]) == (code, field), changes
    assert await everything_kept() == before

    # Whether an openid is a customer's is not told: both answers are the same.
    answers = set()
    for named in by_others[1:3]:
        given = {"toMember": named, "points": 1, "idempotencyKey": "k"}
        token = alice.access_token
        response = await gateway.ask(operation("TransferPoints"), {"input": given}, token=token)
        answers.add(response.content)
    assert len(answers) == 1

    # A refusal is not remembered.
    assert (await transfer(gateway, alice, bob, points=100, note=""))["userErrors"] == []


async def test_a_day_has_its_limits_which_begin_anew_at_midnight(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 30_000)
    await transfer(gateway, alice, bob, points=9_999)
    query = """mutation($input: TransferPointsInput!) { transferPoints(input: $input) {
        userErrors { code ... on TransferLimitExceeded { unit limit used requested } } } }"""

    async def told(**changes: Any) -> Any:
        given = {"toMember": {"id": bob.member_id}, "points": 2, "idempotencyKey": "k"} | changes
        token = await token_of(gateway, alice)
        response = await gateway.ask(query, {"input": given}, token=token)
        [error] = response.json()["data"]["transferPoints"]["userErrors"]
        return error

    expected = {"code": "TRANSFER_LIMIT_EXCEEDED", "unit": "POINTS", "limit": 10_000}
    assert await told() == expected | {"used": 9_999, "requested": 2}
    assert (await transfer(gateway, alice, bob, points=1, idempotencyKey="k-1"))["entry"]
    # What is answered again is not counted again.
    assert (await transfer(gateway, alice, bob, points=1, idempotencyKey="k-1"))["entry"]

    gateway.clock.moment = NOW.replace(hour=15, minute=59)
    assert await told() == expected | {"used": 10_000, "requested": 2}
    gateway.clock.advance(minutes=1)  # Midnight in Shanghai.
    alice_later = await token_of(gateway, alice)
    for number in range(20):
        given = {
            "toMember": {"id": bob.member_id},
            "points": 1,
            "idempotencyKey": f"n-{number}",
        }
        answer = await gateway.send("TransferPoints", alice_later, input=given)
        assert answer["userErrors"] == []
    assert await told() == {
        "code": "TRANSFER_LIMIT_EXCEEDED",
        "unit": "TIMES",
        "limit": 20,
        "used": 20,
        "requested": 1,
    }
    rows = await fetch_all(
        "SELECT day, points, times FROM points_transferred WHERE member_id = $1 ORDER BY day",
        alice.member,
    )
    days = [(str(row["day"]), row["points"], row["times"]) for row in rows]
    assert days == [("2026-03-01", 10_000, 2), ("2026-03-02", 20, 20)]


async def test_only_members_may_give(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await earn(gateway, alice, 100)
    given = {"toMember": {"id": bob.member_id}, "points": 30, "idempotencyKey": "k"}
    before = await everything_kept()
    for who, token, status, code in (
        ("nobody", None, 401, "UNAUTHENTICATED"),
        ("a shop", await gateway.shop(), 403, "FORBIDDEN"),
        ("a partner", await gateway.partner(), 403, "FORBIDDEN"),
        ("staff", await gateway.staff(), 403, "FORBIDDEN"),
    ):
        response = await gateway.ask(
            operation("TransferPoints"),
            {"input": given},
            token=token,
            accept="application/graphql-response+json",
        )
        assert response.status_code == status, who
        assert [one["extensions"]["code"] for one in response.json()["errors"]] == [code], who
    assert await everything_kept() == before


@pytest_asyncio.fixture(loop_scope="module")
async def strict(sqlite_url: str, tmp_path: Path, fake: RunningFake) -> AsyncIterator[Gateway]:
    """A gateway that lets nobody give more than 50 points, and that counts three tries."""
    settings = settings_for(sqlite_url, tmp_path, fake)
    rates = settings.rates.model_copy(
        update={"transfer": BucketSettings(capacity=3, restored_per_minute=1)}
    )
    limits = TransferSettings(points_per_day=50)
    changed = settings.model_copy(update={"rates": rates, "transfers": limits})
    async with open_gateway(changed, fake) as opened:
        await set_up_programme(now=NOW)
        yield opened


async def test_limits_are_settings_and_tries_are_counted(strict: Gateway) -> None:
    alice, bob = await strict.sign_in("o-alice"), await strict.sign_in("o-bob")
    await earn(strict, alice, 100)
    assert refused(await transfer(strict, alice, bob, points=51))["code"] == (
        "TRANSFER_LIMIT_EXCEEDED"
    )
    assert (await transfer(strict, alice, bob, points=50))["userErrors"] == []
    assert await balance(strict, bob) == {"available": 50, "held": 0, "debt": 0}
    await transfer(strict, alice, bob, toMember={"id": NOBODY})
    given = {"toMember": {"id": NOBODY}, "points": 1, "idempotencyKey": "k"}
    response = await strict.ask(
        operation("TransferPoints"), {"input": given}, token=alice.access_token
    )
    [error] = response.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"


async def test_points_are_given_while_redis_is_away(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    """Signing in is refused then; a ledger that cannot be used is worse than a few tries more."""
    settings = settings_for(sqlite_url, tmp_path, fake)
    rates = settings.rates.model_copy(
        update={"transfer": BucketSettings(capacity=3, restored_per_minute=1)}
    )
    nowhere = {"redis_url": "redis://127.0.0.1:1/0", "rates": rates}
    async with open_gateway(settings.model_copy(update=nowhere), fake) as gateway:
        references = [ByExternalReference("alice"), ByExternalReference("bob")]
        joined = await members.register_external_members(references, now=NOW)
        earning = earn_command(100, member_id=joined["alice"], at=NOW)
        await post_one(earning, now=NOW)
        session = await members.open_session(
            joined["alice"], app_id="wx0", tokens=gateway.tokens, now=NOW
        )
        codes = []
        for number in range(4):
            given = {
                "toMember": {"id": global_id("Member", joined["bob"])},
                "points": 1,
                "idempotencyKey": f"k-{number}",
            }
            response = await gateway.ask(
                operation("TransferPoints"), {"input": given}, token=session.access_token
            )
            errors = response.json().get("errors", [{"extensions": {"code": None}}])
            codes.append(errors[0]["extensions"]["code"])
        assert codes == [None, None, None, "RATE_LIMITED"]
