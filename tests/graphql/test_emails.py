"""An e-mail address, set and confirmed through the application; and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr, ValidationError

from api.fake_wechat import RunningFake
from api.telling.settings import SmtpSettings
from domain.notifications.channels.deliveries import LEASE
from tests.domain.mailing.post_office import FROM, PostOffice, open_post_office
from tests.domain.wechat.mini_program import MovableClock
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for
from tests.graphql.kept import changed, everything_kept
from tests.graphql.programme import set_up_programme

pytestmark = pytest.mark.asyncio(loop_scope="module")

EMAIL = "wang.wu@example.com"
MEMBER = "member { id emailMasked }"
ERRORS = "userErrors { code message field retryable }"
SET = (
    f"mutation ($input: SetEmailInput!) {{ setEmail(input: $input) {{"
    f" sent resendAfter {MEMBER} {ERRORS} }} }}"
)
CONFIRM = (
    f"mutation ($input: ConfirmEmailInput!) {{ confirmEmail(input: $input) {{"
    f" {MEMBER} {ERRORS} }} }}"
)


@pytest.fixture(scope="module")
def _office() -> Iterator[PostOffice]:
    with open_post_office() as office:
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(
    shared_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    _serving_fake: tuple[RunningFake, MovableClock],
    _office: PostOffice,
) -> AsyncIterator[Gateway]:
    fake, _ = _serving_fake
    fake.state.reset()
    settings = settings_for(shared_url, tmp_path_factory.mktemp("keys"), fake)
    smtp = SmtpSettings(
        host="127.0.0.1", port=_office.port, security="none", from_address=FROM, deadline_s=5
    )
    async with open_gateway(settings.model_copy(update={"smtp": smtp}), fake) as opened:
        await set_up_programme(now=NOW)
        yield opened


@pytest.fixture
def office(_office: PostOffice) -> PostOffice:
    _office.reset()
    return _office


async def do(gateway: Gateway, document: str, token: str | None, **given: Any) -> Any:
    answer = (await gateway.ask(document, token=token, variables={"input": given})).json()
    return next(iter(answer["data"].values())) if answer.get("data") else None


def errors(answer: Any) -> list[tuple[str, list[str] | None, bool]]:
    return [(one["code"], one["field"], one["retryable"]) for one in answer["userErrors"]]


async def test_a_member_sets_and_confirms_changes_and_takes_away(
    gateway: Gateway, office: PostOffice
) -> None:
    session = await gateway.sign_in("email-1")
    token, mine = session.access_token, session.member_id
    before = await everything_kept()
    answer = await do(gateway, SET, token, email=EMAIL)
    nobody = {"id": mine, "emailMasked": None}
    assert answer == {"sent": True, "resendAfter": 60, "member": nobody, "userErrors": []}
    assert changed(before, await everything_kept()) == {"email_code", "email_code_asker"}
    answer = await do(gateway, CONFIRM, token, email=EMAIL, code=office.code(EMAIL))
    known = {"id": mine, "emailMasked": "w***@example.com"}
    assert answer == {"member": known, "userErrors": []}
    answer = await do(gateway, SET, token, email=None)
    assert answer == {"sent": False, "resendAfter": None, "member": nobody, "userErrors": []}


async def test_what_cannot_be_is_refused_and_changes_nothing(
    gateway: Gateway, office: PostOffice
) -> None:
    token = (await gateway.sign_in("email-2")).access_token
    other = (await gateway.sign_in("email-3")).access_token
    email = "li@example.com"
    before = await everything_kept()
    answer = await do(gateway, SET, token, email="li@example")
    assert (answer["sent"], errors(answer)) == (None, [("INVALID_INPUT", ["email"], False)])
    office.refusals.append("550 nobody of this name")
    answer = await do(gateway, SET, token, email=email)
    assert errors(answer) == [("EMAIL_REFUSED", ["email"], False)]
    office.refusals.append("451 later")
    answer = await do(gateway, SET, token, email=email)
    assert errors(answer) == [("EMAIL_UNAVAILABLE", None, True)]
    # That they asked is counted, so that nobody finds out which addresses there are.
    assert changed(before, await everything_kept()) == {"email_code_asker"}
    await do(gateway, SET, token, email=email)
    before = await everything_kept()
    answer = await do(gateway, SET, other, email=email)
    assert errors(answer) == [("EMAIL_CODE_TOO_SOON", None, True)]
    assert await everything_kept() == before
    answer = await do(gateway, CONFIRM, other, email=email, code=office.code(email))
    assert (answer["member"], errors(answer)) == (None, [("EMAIL_CODE_INVALID", ["code"], False)])
    assert changed(before, await everything_kept()) == {"email_code"}
    assert await do(gateway, SET, None, email=email) is None


async def test_production_sends_no_mail_in_clear() -> None:
    smtp = SmtpSettings(host="mail.example.com", security="none", username="jifen")
    assert smtp.problems(is_production=True) == [
        "JIFEN_SMTP__FROM_ADDRESS must be an e-mail address",
        "JIFEN_SMTP__USERNAME and JIFEN_SMTP__PASSWORD go together",
        "JIFEN_SMTP__SECURITY must be tls or starttls in production",
    ]
    good = SmtpSettings(
        host="mail.example.com",
        username="jifen",
        password=SecretStr("secret"),
        from_address="service@example.com",
    )
    assert good.problems(is_production=True) == []
    assert "secret" not in repr(good.server)
    two_lines = good.model_copy(update={"from_name": "Tea\r\nBcc: all@example.com"})
    assert two_lines.problems(is_production=True) == [
        "JIFEN_SMTP__FROM_NAME must be one line without control characters"
    ]


async def test_no_mail_takes_as_long_as_its_sender_has_it_for_itself() -> None:
    assert SmtpSettings(deadline_s=60).deadline_s < LEASE.total_seconds()
    with pytest.raises(ValidationError):
        SmtpSettings(deadline_s=61)
