"""Signing in by phone and binding one, through the application; and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.fake_wechat import DEMO_APP_ID, RunningFake
from api.rates.settings import CAPACITY_MAX, BucketSettings
from domain.members import ByPhone, identities, resolve_members
from domain.storage import dialect, execute, fetch_one
from tests.domain.texting.receiver import Receiver, running_receiver
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import NOW, settings_for
from tests.graphql.kept import changed, everything_kept
from tests.graphql.phones import Telephones, open_telephones
from tests.graphql.programme import set_up_programme

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNLIMITED = BucketSettings(capacity=CAPACITY_MAX, restored_per_minute=CAPACITY_MAX)

_NUMBERS = count(10_000_000)


def a_phone() -> str:
    """A number that no other test has."""
    return f"+86138{next(_NUMBERS)}"


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    shared_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
    _receiver: Receiver,
) -> AsyncIterator[Telephones]:
    fake, _ = _serving_fake
    fake.state.reset()
    settings = settings_for(shared_url, tmp_path_factory.mktemp("keys"), fake)
    # What the database bounds is proved without the help of rates.
    names = ("address", "sign_in_code", "phone_sign_in", "phone_sign_in_device", "bind_phone")
    rates = settings.rates.model_copy(update=dict.fromkeys(names, UNLIMITED))
    settings = settings.model_copy(update={"rates": rates})
    async with open_telephones(settings, fake, _receiver) as opened:
        await set_up_programme(now=NOW)
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def telephones(shared: Telephones, fake: RunningFake) -> Telephones:
    shared.gateway.clock.moment = NOW
    shared.receiver.reset()
    tag = f"-{next(_NUMBERS)}"
    return Telephones(gateway=replace(shared.gateway, tag=tag), receiver=shared.receiver)


def errors(answer: Any) -> list[tuple[str, list[str] | None, bool]]:
    return [(one["code"], one["field"], one["retryable"]) for one in answer["userErrors"]]


async def test_an_app_signs_in_by_phone(telephones: Telephones) -> None:
    phone, gateway = a_phone(), telephones.gateway
    before = await everything_kept()
    first = await telephones.sign_in(phone)
    assert first.is_new_member
    assert first.access_token_expires_at == "2026-03-01T12:15:00Z"
    assert changed(before, await everything_kept()) == {
        *("member", "member_identity", "member_phone", "member_session", "refresh_token"),
        *("outbox", "outbox_stream", "sign_in_code"),
    }
    gateway.clock.advance(minutes=1)
    second = await telephones.sign_in(phone)
    assert (second.is_new_member, second.member_id) == (False, first.member_id)
    answer = await gateway.ask("{ me { id phoneMasked } }", token=second.access_token)
    masked = f"+86138****{phone[-4:]}"
    assert answer.json()["data"] == {"me": {"id": first.member_id, "phoneMasked": masked}}


async def test_numbers_are_taken_in_any_spelling_of_e164(telephones: Telephones) -> None:
    phone = a_phone()
    session = await telephones.sign_in(phone)
    telephones.gateway.clock.advance(minutes=1)
    spelt = f"{phone[:3]} {phone[3:6]}-{phone[6:]}"
    code = await telephones.code(phone)
    given = {"phone": spelt, "code": code}
    answer = await telephones.gateway.send("SignInWithPhone", input=given)
    assert answer["session"]["member"]["id"] == session.member_id


async def test_a_wrong_a_used_and_an_old_code_are_refused_and_change_nothing(
    telephones: Telephones,
) -> None:
    phone, gateway = a_phone(), telephones.gateway
    code = await telephones.code(phone)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for given in ({"phone": phone, "code": wrong}, {"phone": a_phone(), "code": code}):
        before = await everything_kept()
        answer = await gateway.send("SignInWithPhone", input=given)
        assert answer["session"] is None
        assert errors(answer) == [("SIGN_IN_CODE_INVALID", ["code"], False)]
        assert changed(before, await everything_kept()) <= {"sign_in_code"}
    gateway.clock.advance(minutes=5)
    before = await everything_kept()
    answer = await gateway.send("SignInWithPhone", input={"phone": phone, "code": code})
    assert errors(answer) == [("SIGN_IN_CODE_INVALID", ["code"], False)]
    assert await everything_kept() == before


async def test_a_code_too_soon_is_refused_with_the_moment(telephones: Telephones) -> None:
    phone, gateway = a_phone(), telephones.gateway
    await telephones.code(phone)
    gateway.clock.advance(seconds=10)
    before = await everything_kept()
    query = """mutation ($input: RequestSignInCodeInput!) { requestSignInCode(input: $input) {
        sent resendAfter userErrors { code message retryable
            ... on SignInCodeTooSoon { retryAt } } } }"""
    response = await gateway.ask(query, {"input": {"phone": phone}}, language="en")
    assert response.json()["data"]["requestSignInCode"] == {
        "sent": None,
        "resendAfter": None,
        "userErrors": [
            {
                "code": "SIGN_IN_CODE_TOO_SOON",
                "message": "Too many codes were sent; try again later",
                "retryable": True,
                "retryAt": "2026-03-01T12:01:00Z",
            }
        ],
    }
    assert await everything_kept() == before


async def test_a_sender_that_refuses_is_told_and_the_next_try_is_not_too_soon(
    telephones: Telephones,
) -> None:
    phone, gateway = a_phone(), telephones.gateway
    telephones.receiver.answers = [422]
    before = await everything_kept()
    answer = await gateway.send("RequestSignInCode", input={"phone": phone})
    assert (answer["sent"], answer["resendAfter"]) == (None, None)
    [error] = answer["userErrors"]
    assert (error["code"], error["retryable"]) == ("SMS_UNAVAILABLE", True)
    assert await everything_kept() == before
    assert (await telephones.sign_in(phone)).is_new_member


async def test_what_a_failing_sender_perhaps_sent_counts(telephones: Telephones) -> None:
    phone, gateway = a_phone(), telephones.gateway
    telephones.receiver.answers = [500, 503]
    for code in ("SMS_UNAVAILABLE", "SIGN_IN_CODE_TOO_SOON"):
        answer = await gateway.send("RequestSignInCode", input={"phone": phone})
        assert (answer["sent"], answer["resendAfter"]) == (None, None)
        [error] = answer["userErrors"]
        assert (error["code"], error["retryable"]) == (code, True)
    gateway.clock.advance(minutes=1)
    assert (await telephones.sign_in(phone)).is_new_member


async def test_who_is_a_member_is_not_told(telephones: Telephones) -> None:
    """A number that is a member's and one that is nobody's are answered byte for byte alike."""
    known, unknown = a_phone(), a_phone()
    await telephones.sign_in(known)
    telephones.gateway.clock.advance(minutes=1)
    answers = [
        (await telephones.ask("RequestSignInCode", {"phone": phone})).content
        for phone in (known, unknown)
    ]
    assert answers[0] == answers[1]
    guesses = [
        (await telephones.ask("SignInWithPhone", {"phone": phone, "code": "000000x"})).content
        for phone in (known, unknown, a_phone())
    ]
    assert len(set(guesses)) == 1


MALFORMED = (
    "13800138000",
    "+86",
    "+8613800",
    "hello",
    "",
    "+86138001380001234",
    "+861380013800\x00",
)


@pytest.mark.parametrize("phone", MALFORMED)
@pytest.mark.parametrize("name", ["RequestSignInCode", "SignInWithPhone"])
async def test_malformed_numbers_are_refused(telephones: Telephones, name: str, phone: str) -> None:
    given = {"phone": phone} | ({"code": "123456"} if name == "SignInWithPhone" else {})
    before = await everything_kept()
    body = (await telephones.ask(name, given)).json()
    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert await everything_kept() == before
    assert telephones.receiver.requests == []


async def test_a_bad_invite_code_is_refused(telephones: Telephones) -> None:
    phone = a_phone()
    code = await telephones.code(phone)
    before = await everything_kept()
    given = {"phone": phone, "code": code, "inviteCode": "a" * 65}
    answer = await telephones.gateway.send("SignInWithPhone", input=given)
    assert errors(answer) == [("INVALID_INPUT", ["inviteCode"], False)]
    assert await everything_kept() == before


async def test_a_phone_is_bound(telephones: Telephones) -> None:
    phone, gateway = a_phone(), telephones.gateway
    alice = await gateway.sign_in("o-alice")
    answer = await telephones.bind(alice.access_token, phone)
    masked = f"+86138****{phone[-4:]}"
    assert answer == {"member": {"id": alice.member_id, "phoneMasked": masked}, "userErrors": []}
    assert await resolve_members([ByPhone(phone)]) == [alice.member]
    assert (await telephones.sign_in(phone)).member_id == alice.member_id


async def test_binding_the_same_phone_again_changes_nothing(telephones: Telephones) -> None:
    phone, gateway = a_phone(), telephones.gateway
    alice = await gateway.sign_in("o-alice")
    first = await telephones.bind(alice.access_token, phone)
    before = await everything_kept()
    assert await telephones.bind(alice.access_token, phone) == first
    assert await everything_kept() == before


async def test_another_phone_replaces_the_one_before(telephones: Telephones) -> None:
    old, new, gateway = a_phone(), a_phone(), telephones.gateway
    alice = await gateway.sign_in("o-alice")
    await telephones.bind(alice.access_token, old)
    answer = await telephones.bind(alice.access_token, new)
    assert answer["member"]["phoneMasked"] == f"+86138****{new[-4:]}"
    assert await resolve_members([ByPhone(old), ByPhone(new)]) == [None, alice.member]
    kinds = [one.kind.value for one in await identities(alice.member)]
    assert sorted(kinds) == ["phone", "wechat_openid"]
    # Whoever has the number now is somebody else.
    stranger = await telephones.sign_in(old)
    assert stranger.is_new_member
    assert stranger.member_id != alice.member_id


async def test_a_number_of_another_country_is_bound(telephones: Telephones) -> None:
    gateway = telephones.gateway
    alice = await gateway.sign_in("o-alice")
    code = await gateway.phone.phone(phone="2079460958", countryCode="44")
    answer = await gateway.send(
        "BindPhone", alice.access_token, input={"appId": DEMO_APP_ID, "code": code}
    )
    assert answer["member"]["phoneMasked"] == "+44207****0958"
    assert await resolve_members([ByPhone("+442079460958")]) == [alice.member]


async def test_what_wechat_does_not_vouch_for_is_not_bound(telephones: Telephones) -> None:
    gateway = telephones.gateway
    alice = await gateway.sign_in("o-alice")
    code = await gateway.phone.phone(phone=a_phone().removeprefix("+86"))
    used = {"appId": DEMO_APP_ID, "code": code}
    await gateway.send("BindPhone", alice.access_token, input=used)
    before = await everything_kept()
    refused = {
        "WECHAT_PHONE_CODE_INVALID": [
            *(used, {**used, "code": "no-such-code"}, {**used, "code": ""}),
            {**used, "code": await gateway.phone.login(openid="o-alice")},
        ],
        "APP_UNKNOWN": [{**used, "appId": "wx-unknown"}],
    }
    for code, inputs in refused.items():
        for given in inputs:
            answer = await gateway.send("BindPhone", alice.access_token, input=given)
            assert answer["member"] is None
            assert [one["code"] for one in answer["userErrors"]] == [code]
    assert await everything_kept() == before


async def test_binding_needs_a_member(telephones: Telephones) -> None:
    given = {"appId": DEMO_APP_ID, "code": "x"}
    response = await telephones.ask("BindPhone", given)
    assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def count_tries() -> None:
    """Have the database itself count each try that is spent, whoever spends it."""
    await execute("DROP TABLE IF EXISTS spent_try")
    await execute("CREATE TABLE spent_try (phone_index TEXT NOT NULL)")
    into = "INSERT INTO spent_try VALUES (NEW.phone_index)"
    spends = "OLD.tries_left = NEW.tries_left + 1"
    if dialect() == "sqlite":
        await execute(
            "CREATE TRIGGER count_tries AFTER UPDATE ON sign_in_code "
            f"WHEN {spends} BEGIN {into}; END"
        )
        return
    await execute(
        "CREATE FUNCTION count_tries() RETURNS trigger LANGUAGE plpgsql AS "
        f"$body$BEGIN {into}; RETURN NEW; END$body$"
    )
    await execute(
        "CREATE TRIGGER count_tries AFTER UPDATE ON sign_in_code "
        f"FOR EACH ROW WHEN ({spends}) EXECUTE FUNCTION count_tries()"
    )


async def spent_tries() -> int:
    row = await fetch_one("SELECT count(*) AS count FROM spent_try")
    assert row is not None
    return int(row["count"])


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_guessing_never_gets_more_tries_than_codes_have(
    telephones: Telephones, full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    """By aliases, from a new address and device each time, while new codes are asked for."""
    phone, gateway = a_phone(), telephones.gateway
    documents, attempts = (334 if full_form else 11), 0
    await count_tries()
    for number in range(documents):
        await gateway.send("RequestSignInCode", input={"phone": phone})
        right = telephones.receiver.code(phone)
        aliases = " ".join(
            f'a{nth}: signInWithPhone(input: {{phone: "{phone}", code: "{code}"}})'
            "{ session { isNewMember } userErrors { code } }"
            for nth, code in enumerate(wrong_codes(right, 30, seed=number))
        )
        transport = httpx.ASGITransport(
            gateway.app, client=(f"10.{number >> 8}.{number & 255}.1", 1)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as http:
            response = await http.post(
                "/graphql",
                json={"query": f"mutation {{ {aliases} }}"},
                headers={"x-device-id": f"device {number}"},
            )
        answers = list(response.json()["data"].values())
        refused = {"session": None, "userErrors": [{"code": "SIGN_IN_CODE_INVALID"}]}
        assert answers == [refused] * 30
        attempts += len(answers)
        gateway.clock.advance(seconds=60)
    sent = len([one for one in telephones.receiver.messages if one["to"] == phone])
    assert sent == 10
    assert await spent_tries() == 5 * sent
    # Not even the right code is taken any more.
    given = {"phone": phone, "code": telephones.receiver.code(phone)}
    answer = await gateway.send("SignInWithPhone", input=given)
    assert errors(answer) == [("SIGN_IN_CODE_INVALID", ["code"], False)]
    tally(
        f"guesses at a sign-in code, {5 * sent} of them tries",
        attempts,
        10_000 if full_form else 330,
    )


def wrong_codes(right: str, number: int, *, seed: int) -> list[str]:
    chance = Random(seed)
    codes = (f"{chance.randrange(1_000_000):06}" for _ in range(number * 2))
    return [code for code in codes if code != right][:number]
