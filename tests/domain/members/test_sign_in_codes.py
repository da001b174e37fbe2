"""Sign-in codes: sent to anybody, good once, bounded in tries, whatever the sender does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.access import AccessTokens
from domain.errors import InvalidInput, SignInCodeInvalid, SignInCodeTooSoon, SmsUnavailable
from domain.members import (
    ByExternalReference,
    PhoneKeyFile,
    RequestSignInCode,
    SignedIn,
    SignInWithPhone,
    bind_phone_identity,
    forget_codes_of,
    forget_sign_in_codes,
    identities,
    phone_masked,
    phone_vault,
    register_external_members,
    request_sign_in_code,
    sign_in_with_phone,
    use_phone_keys,
)
from domain.members import phone_keys as keeping
from domain.members.phone_keys import new_phone_key, read_phone_keys, write_phone_keys
from domain.storage import execute, fetch_all, fetch_one, transaction
from domain.texting import TextingLimits, WebhookTextMessages
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import announced, count
from tests.domain.members.test_phones import a_member, bind
from tests.domain.texting.receiver import SECRET, Receiver, running_receiver

pytestmark = pytest.mark.usefixtures("database")

PHONE = "+8613800138000"
OTHER = "+8613800138001"


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    _receiver.reset()
    return _receiver


@pytest.fixture
async def texts(receiver: Receiver) -> AsyncIterator[WebhookTextMessages]:
    limits = TextingLimits(deadline_s=5, try_s=2)
    sender = WebhookTextMessages(url=receiver.url, secret=SECRET, limits=limits)
    yield sender
    await sender.aclose()


class Telephone:
    """Somebody who asks for codes, reads them and types them in."""

    def __init__(
        self, receiver: Receiver, texts: WebhookTextMessages, tokens: AccessTokens
    ) -> None:
        self.receiver, self.texts, self.tokens = receiver, texts, tokens

    async def ask(self, phone: str = PHONE, *, now: datetime = NOW) -> str:
        """The code that arrives."""
        command = RequestSignInCode(phone=phone, language="en")
        again = await request_sign_in_code(command, texts=self.texts, now=now)
        assert again == timedelta(seconds=60)
        return self.receiver.code(phone)

    async def type(
        self, code: str, phone: str = PHONE, *, now: datetime = NOW, **more: Any
    ) -> SignedIn:
        """The sign-in."""
        command = SignInWithPhone(phone=phone, code=code, **more)
        return await sign_in_with_phone(command, tokens=self.tokens, now=now)


@pytest.fixture
def telephone(receiver: Receiver, texts: WebhookTextMessages, tokens: AccessTokens) -> Telephone:
    return Telephone(receiver, texts, tokens)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def everything() -> dict[str, list[dict[str, Any]]]:
    tables = ("member", "member_identity", "member_phone", "member_session", "outbox")
    return {
        table: sorted((dict(row) for row in await fetch_all(f"SELECT * FROM {table}")), key=str)
        for table in tables
    }


async def the_row() -> dict[str, Any]:
    row = await fetch_one("SELECT * FROM sign_in_code")
    assert row is not None
    return dict(row)


async def test_the_first_code_makes_a_member_and_the_next_finds_them(telephone: Telephone) -> None:
    first = await telephone.type(await telephone.ask(), invite_code="friend")
    assert first.is_new_member
    assert first.member.joined_at == NOW
    [identity] = await identities(first.member.id)
    assert (identity.kind.value, identity.app_id, identity.label) == ("phone", "", "+86138****8000")
    assert await announced() == [
        ("MemberJoined", {"via": "phone", "app_id": "app", "invite_code": "friend"})
    ]
    session = await fetch_one("SELECT app_id FROM member_session")
    assert session is not None
    assert session["app_id"] == "app"

    later = NOW + timedelta(minutes=1)
    second = await telephone.type(await telephone.ask(now=later), now=later)
    assert not second.is_new_member
    assert second.member.id == first.member.id
    assert await count("member") == 1


async def test_a_number_that_an_import_brought_leads_to_its_member(telephone: Telephone) -> None:
    joined = await register_external_members([ByExternalReference("a")], now=NOW)
    await transaction(lambda: bind_phone_identity(joined["a"], PHONE, now=NOW))
    signed_in = await telephone.type(await telephone.ask())
    assert (signed_in.member.id, signed_in.is_new_member) == (joined["a"], False)


async def test_a_message_says_what_it_is_in_the_language_of_the_client(
    telephone: Telephone, receiver: Receiver
) -> None:
    code = await telephone.ask()
    await request_sign_in_code(RequestSignInCode(phone=OTHER), texts=telephone.texts, now=NOW)
    english, chinese = receiver.messages
    assert len(code) == 6
    assert english["text"] == f"Your code is {code}. It is good for 5 minutes; tell it to nobody."
    assert english["values"] == {"code": code, "minutes": "5"}
    assert chinese["text"] == f"您的验证码是 {receiver.code(OTHER)}，5 分钟内有效，请勿告诉他人。"
    assert [one["type"] for one in receiver.messages] == ["sms.sign_in_code"] * 2


async def test_a_code_works_once(telephone: Telephone) -> None:
    code = await telephone.ask()
    await telephone.type(code)
    before = await everything()
    with pytest.raises(SignInCodeInvalid) as refused:
        await telephone.type(code)
    assert refused.value.field == ("code",)
    assert await everything() == before


async def test_of_twenty_at_once_one_is_let_in(telephone: Telephone) -> None:
    code = await telephone.ask()
    answers = await asyncio.gather(
        *(telephone.type(code) for _ in range(20)), return_exceptions=True
    )
    assert [type(one) for one in answers].count(SignedIn) == 1
    assert [type(one) for one in answers].count(SignInCodeInvalid) == 19
    assert await count("member") == await count("member_session") == 1


async def test_five_tries_and_no_more(telephone: Telephone) -> None:
    code = await telephone.ask()
    before = await everything()
    for spent in range(1, 6):
        with pytest.raises(SignInCodeInvalid):
            await telephone.type(other_than(code))
        assert (await the_row())["tries_left"] == 5 - spent
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(code)
    assert await everything() == before


async def test_four_wrong_tries_and_the_right_one(telephone: Telephone) -> None:
    code = await telephone.ask()
    for _ in range(4):
        with pytest.raises(SignInCodeInvalid):
            await telephone.type(other_than(code))
    assert (await telephone.type(code)).is_new_member


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "12345a", "１２３４５６", "12 456", "1\n" * 3]
)
async def test_what_is_no_code_is_no_try(telephone: Telephone, code: str) -> None:
    await telephone.ask()
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(code)
    assert (await the_row())["tries_left"] == 5


async def test_a_code_lives_for_five_minutes(telephone: Telephone) -> None:
    code = await telephone.ask()
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(code, now=NOW + timedelta(minutes=5))
    in_time = NOW + timedelta(minutes=5) - timedelta(microseconds=1)
    assert (await telephone.type(code, now=in_time)).is_new_member


async def test_a_code_is_good_for_its_own_number(telephone: Telephone) -> None:
    code = await telephone.ask(PHONE)
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(code, OTHER)
    assert (await telephone.type(code, PHONE)).is_new_member


async def test_a_new_code_replaces_the_one_before(telephone: Telephone) -> None:
    old = await telephone.ask()
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(other_than(old))
    later = NOW + timedelta(seconds=60)
    new = await telephone.ask(now=later)
    if new != old:
        with pytest.raises(SignInCodeInvalid):
            await telephone.type(old, now=later)
    assert (await telephone.type(new, now=later)).is_new_member


async def test_a_bad_invite_code_spends_no_try(telephone: Telephone) -> None:
    code = await telephone.ask()
    for invite_code in ("a" * 65, "a\x00b"):
        with pytest.raises(InvalidInput) as refused:
            await telephone.type(code, invite_code=invite_code)
        assert refused.value.field == ("invite_code",)
    assert (await the_row())["tries_left"] == 5


async def test_another_code_after_a_minute_and_ten_in_a_day(telephone: Telephone) -> None:
    for number in range(10):
        now = NOW + number * timedelta(seconds=60)
        await telephone.ask(now=now)
        with pytest.raises(SignInCodeTooSoon) as refused:
            await telephone.ask(now=now + timedelta(seconds=59))
        assert refused.value.retry_at == now + timedelta(seconds=60)
        assert refused.value.retryable
    with pytest.raises(SignInCodeTooSoon) as refused:
        await telephone.ask(now=NOW + timedelta(hours=1))
    assert refused.value.retry_at == NOW + timedelta(days=1)
    assert len(telephone.receiver.messages) == 10
    await telephone.ask(OTHER, now=NOW)
    await telephone.ask(now=NOW + timedelta(days=1))
    assert (await fetch_all("SELECT sent_in_window FROM sign_in_code ORDER BY sent_at DESC"))[0][
        "sent_in_window"
    ] == 1


async def test_a_sign_in_does_not_begin_the_day_anew(telephone: Telephone) -> None:
    await telephone.type(await telephone.ask())
    with pytest.raises(SignInCodeTooSoon):
        await telephone.ask(now=NOW + timedelta(seconds=30))
    await telephone.ask(now=NOW + timedelta(seconds=60))
    assert (await the_row())["sent_in_window"] == 2


async def test_what_the_sender_refused_was_not_asked_for(
    telephone: Telephone, receiver: Receiver
) -> None:
    receiver.answers = [400]
    with pytest.raises(SmsUnavailable):
        await telephone.ask()
    assert await count("sign_in_code") == 0
    code = receiver.code(PHONE)
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(code)
    assert (await telephone.type(await telephone.ask())).is_new_member


async def test_what_was_perhaps_sent_was_asked_for(
    telephone: Telephone, receiver: Receiver
) -> None:
    for number in range(10):
        now = NOW + number * timedelta(seconds=60)
        receiver.answers = [500, 500] if number % 2 else [503, 400]
        with pytest.raises(SmsUnavailable):
            await telephone.ask(now=now)
        with pytest.raises(SignInCodeInvalid):
            await telephone.type(receiver.code(PHONE), now=now)
        with pytest.raises(SignInCodeTooSoon) as refused:
            await telephone.ask(now=now + timedelta(seconds=59))
        assert refused.value.retry_at == now + timedelta(seconds=60)
    with pytest.raises(SignInCodeTooSoon) as refused:
        await telephone.ask(now=NOW + timedelta(hours=1))
    assert refused.value.retry_at == NOW + timedelta(days=1)
    assert len(receiver.requests) == 20


@pytest.mark.parametrize(("answers", "sent"), [([400], 1), ([500, 500], 2)])
async def test_an_older_code_outlives_one_that_did_not_go_out(
    telephone: Telephone, receiver: Receiver, answers: list[int], sent: int
) -> None:
    code = await telephone.ask()
    with pytest.raises(SignInCodeInvalid):
        await telephone.type(other_than(code))
    before = await the_row()
    receiver.answers = list(answers)
    again = NOW + timedelta(seconds=60)
    with pytest.raises(SmsUnavailable):
        await telephone.ask(now=again)
    counted = {"sent_at": again, "sent_in_window": 2} if sent == 2 else {}
    assert await the_row() == before | counted
    assert before["tries_left"] == 4
    assert (await telephone.type(code)).is_new_member


async def test_a_failing_sender_buys_no_guess(telephone: Telephone, receiver: Receiver) -> None:
    """While a message is on its way its code cannot be tried: it may never arrive."""
    guesses: list[int] = []

    class OnItsWay(WebhookTextMessages):
        async def send(self, phone: str, message: Any) -> None:
            with pytest.raises(SignInCodeInvalid):
                await telephone.type(message.values["code"])
            guesses.append((await the_row())["tries_left"])
            await super().send(phone, message)

    telephone.texts = OnItsWay(url=receiver.url, secret=SECRET)
    code = await telephone.ask()
    await telephone.texts.aclose()
    assert guesses == [0]
    assert (await the_row())["tries_left"] == 5
    assert (await telephone.type(code)).is_new_member


async def test_the_row_tells_neither_number_nor_code(telephone: Telephone) -> None:
    code = await telephone.ask()
    row = await the_row()
    assert row["phone_index"] == phone_vault().index(PHONE)
    assert row["digest"] == phone_vault().code_digest(code, salt=row["salt"])
    assert code not in str({name: row[name] for name in ("phone_index", "key_id")})
    assert "13800138000" not in str(row)


async def test_malformed_numbers_are_refused(telephone: Telephone) -> None:
    for phone in ("", "+86", "hello", "+8623800138000"):
        with pytest.raises(InvalidInput):
            await telephone.ask(phone)
        with pytest.raises(InvalidInput):
            await telephone.type("123456", phone)
    assert telephone.receiver.requests == []
    assert await count("sign_in_code") == 0


async def test_what_nothing_counts_any_more_is_forgotten(telephone: Telephone) -> None:
    await telephone.ask(PHONE)
    await telephone.ask(OTHER, now=NOW + timedelta(hours=1))
    assert await forget_sign_in_codes(now=NOW + timedelta(hours=23)) == 0
    assert await forget_sign_in_codes(now=NOW + timedelta(days=1, seconds=1)) == 1
    assert (await the_row())["phone_index"] == phone_vault().index(OTHER)


async def test_codes_go_with_their_owner_whatever_key_they_stand_under(
    telephone: Telephone, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Of three numbers one is sealed anew, one waits for it, and one cannot be opened any more."""
    path, third = tmp_path / "phone-keys.json", "+8613800138002"
    old, new = new_phone_key(NOW), new_phone_key(NOW + timedelta(seconds=1))
    write_phone_keys(path, (old,))
    monkeypatch.setattr(keeping, "_in_force", None)
    use_phone_keys(PhoneKeyFile(path, now=NOW))
    alice, bob, bobs = await a_member("alice"), await a_member("bob"), "+8613800138003"
    for phone in (PHONE, third):
        await bind(alice, phone)
    await telephone.ask(third)
    newest = "(SELECT id FROM member_phone ORDER BY id DESC LIMIT 1)"
    await execute(f"UPDATE member_phone SET sealed = $1 WHERE id = {newest}", b"\0" * 40)
    write_phone_keys(path, (new, old))
    await bind(alice, OTHER)
    await bind(bob, bobs)
    for phone in (PHONE, OTHER, bobs):
        await telephone.ask(phone)
    assert await count("sign_in_code") == 4
    await forget_codes_of([alice])
    assert (await the_row())["phone_index"] == phone_vault().index(bobs)


async def test_a_code_outlives_new_keys(
    telephone: Telephone, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "phone-keys.json"
    monkeypatch.setattr(keeping, "_in_force", None)
    use_phone_keys(PhoneKeyFile(path, now=NOW, create_missing=True))
    code = await telephone.ask()
    write_phone_keys(path, (new_phone_key(NOW), *read_phone_keys(path)))
    signed_in = await telephone.type(code)
    assert await phone_masked(signed_in.member.id) == "+86138****8000"
    # The minute and the day are those of the number, under whatever key.
    with pytest.raises(SignInCodeTooSoon):
        await telephone.ask()
    await telephone.ask(now=NOW + timedelta(minutes=1))
    assert (await the_row())["sent_in_window"] == 2
