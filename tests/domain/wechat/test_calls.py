"""What each call gives when WeChat behaves, and which refusals its errors become."""

from __future__ import annotations

import base64

import pytest

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain.errors import (
    Refusal,
    UnknownApp,
    WeChatCodeInvalid,
    WeChatCodeUsed,
    WeChatPhoneCodeInvalid,
    WeChatRateLimited,
    WeChatUnavailable,
    WeChatUserBlocked,
)
from domain.wechat import (
    AppSecret,
    SessionKey,
    SubscribeOutcome,
    SubscribeResult,
    TextScene,
    TextSuggestion,
    TextVerdict,
    WeChatClient,
    WeChatFault,
    WeChatPhone,
    decrypt_open_data,
    is_raw_data_signed,
)
from tests.domain.wechat.conftest import SECRETS, Worker
from tests.domain.wechat.mini_program import OTHER_APP_ID, TEMPLATE_ID, MiniProgram, MovableClock


async def sign_in(client: WeChatClient, phone: MiniProgram) -> SessionKey:
    session = await client.code2session(DEMO_APP_ID, await phone.login())
    return session.session_key


async def test_code_is_exchanged_once(client: WeChatClient, phone: MiniProgram) -> None:
    code = await phone.login(openid="o-alice", unionid="u-alice")

    session = await client.code2session(DEMO_APP_ID, code)

    assert (session.openid, session.unionid) == ("o-alice", "u-alice")
    assert len(base64.b64decode(session.session_key.reveal())) == 16
    with pytest.raises(WeChatCodeUsed):
        await client.code2session(DEMO_APP_ID, code)


async def test_unionid_may_be_absent(client: WeChatClient, phone: MiniProgram) -> None:
    session = await client.code2session(DEMO_APP_ID, await phone.login(openid="o-bob"))

    assert (session.openid, session.unionid) == ("o-bob", None)


async def test_code_of_one_app_is_unknown_to_another(
    client: WeChatClient, phone: MiniProgram
) -> None:
    code = await phone.login(appId=OTHER_APP_ID)

    with pytest.raises(WeChatCodeInvalid):
        await client.code2session(DEMO_APP_ID, code)
    assert (await client.code2session(OTHER_APP_ID, code)).openid == "o-alice"


async def test_code_lives_five_minutes(
    client: WeChatClient, phone: MiniProgram, clock: MovableClock
) -> None:
    in_time, too_late = await phone.login(openid="o-in-time"), await phone.login()

    clock.advance(minutes=4, seconds=59)
    assert (await client.code2session(DEMO_APP_ID, in_time)).openid == "o-in-time"
    clock.advance(seconds=1)
    with pytest.raises(WeChatCodeInvalid):
        await client.code2session(DEMO_APP_ID, too_late)


@pytest.mark.parametrize("code", ["", "a\x00b", "a\nb", "密码", "a" * 513])
async def test_what_cannot_be_a_code_is_not_sent(
    client: WeChatClient, phone: MiniProgram, code: str
) -> None:
    with pytest.raises(WeChatCodeInvalid):
        await client.code2session(DEMO_APP_ID, code)
    with pytest.raises(WeChatPhoneCodeInvalid):
        await client.phone_number(DEMO_APP_ID, code)
    assert await phone.calls() == {}


async def test_code_with_signs_of_a_query_is_sent_as_it_is(
    client: WeChatClient, phone: MiniProgram
) -> None:
    with pytest.raises(WeChatCodeInvalid):
        await client.code2session(DEMO_APP_ID, "x&grant_type=other&js_code=%00#?")
    assert await phone.calls() == {"jscode2session": 1}


async def test_app_that_is_not_configured_is_unknown(
    client: WeChatClient, phone: MiniProgram
) -> None:
    unknown = "wx9999999999999999"
    key = SessionKey("AAAA")

    for call in (
        client.code2session(unknown, "code"),
        client.phone_number(unknown, "code"),
        client.check_session(unknown, openid="o", session_key=key),
        client.check_text(unknown, openid="o", scene=TextScene.COMMENT, content="x"),
        client.send_subscribe_message(unknown, openid="o", template_id="t", values={}),
        client.mini_program_code(unknown, scene="x"),
    ):
        with pytest.raises(UnknownApp):
            await call
    assert await phone.calls() == {}


async def test_app_or_secret_that_wechat_does_not_know(worker: Worker, phone: MiniProgram) -> None:
    unknown = "wx9999999999999999"
    client = worker(apps={DEMO_APP_ID: AppSecret("wrong"), unknown: AppSecret("s")})

    for app_id in (DEMO_APP_ID, unknown):
        with pytest.raises(UnknownApp):
            await client.code2session(app_id, "code")
        with pytest.raises(UnknownApp):
            await client.phone_number(app_id, "code")
    assert await phone.calls() == {"jscode2session": 2, "stable_token": 2}


@pytest.mark.parametrize(
    ("errcode", "refusal"),
    [
        (-1, WeChatUnavailable),
        (40013, UnknownApp),
        (40029, WeChatCodeInvalid),
        (40125, UnknownApp),
        (40163, WeChatCodeUsed),
        (40226, WeChatUserBlocked),
        (45011, WeChatRateLimited),
    ],
)
async def test_errcodes_of_a_sign_in_become_refusals(
    client: WeChatClient, phone: MiniProgram, errcode: int, refusal: type[Refusal]
) -> None:
    await phone.break_endpoint("jscode2session", errcode=errcode)

    with pytest.raises(refusal):
        await client.code2session(DEMO_APP_ID, await phone.login())


async def test_hundred_sign_ins_a_minute_are_the_limit(
    client: WeChatClient, phone: MiniProgram, fake: RunningFake, clock: MovableClock
) -> None:
    issue = fake.state.people.issue_login_code
    codes = [issue(app_id=DEMO_APP_ID, openid="o-alice", unionid=None) for _ in range(101)]
    for code in codes[:100]:
        await client.code2session(DEMO_APP_ID, code)

    with pytest.raises(WeChatRateLimited):
        await client.code2session(DEMO_APP_ID, codes[100])
    assert (await client.code2session(DEMO_APP_ID, await phone.login(openid="o-b"))).openid == "o-b"
    clock.advance(minutes=1)
    assert (await client.code2session(DEMO_APP_ID, codes[100])).openid == "o-alice"


async def test_other_errcodes_are_faults_of_ours(client: WeChatClient, phone: MiniProgram) -> None:
    await phone.break_endpoint("jscode2session", errcode=48001, errmsg="api unauthorized")

    with pytest.raises(WeChatFault) as fault:
        await client.code2session(DEMO_APP_ID, await phone.login())
    assert not isinstance(fault.value, Refusal)
    assert (fault.value.endpoint, fault.value.errcode) == ("jscode2session", 48001)
    assert fault.value.errmsg == "api unauthorized"


async def test_phone_number_at_home_and_abroad(client: WeChatClient, phone: MiniProgram) -> None:
    at_home = await client.phone_number(DEMO_APP_ID, await phone.phone(phone="13800138000"))
    code = await phone.phone(phone="91234567", countryCode="852")
    abroad = await client.phone_number(DEMO_APP_ID, code)

    assert at_home == WeChatPhone(
        number="13800138000", national_number="13800138000", country_code="86"
    )
    assert abroad == WeChatPhone(
        number="+85291234567", national_number="91234567", country_code="852"
    )
    with pytest.raises(WeChatPhoneCodeInvalid):
        await client.phone_number(DEMO_APP_ID, code)


async def test_phone_code_that_is_no_good(
    client: WeChatClient, phone: MiniProgram, clock: MovableClock
) -> None:
    with pytest.raises(WeChatPhoneCodeInvalid):
        await client.phone_number(DEMO_APP_ID, await phone.phone(appId=OTHER_APP_ID))
    code = await phone.phone()
    clock.advance(minutes=5)
    with pytest.raises(WeChatPhoneCodeInvalid):
        await client.phone_number(DEMO_APP_ID, code)
    for number in (40029, 40163):
        await phone.break_endpoint("getuserphonenumber", errcode=number, times=1)
        with pytest.raises(WeChatPhoneCodeInvalid):
            await client.phone_number(DEMO_APP_ID, await phone.phone())


async def test_session_key_holds_until_the_next_login(
    client: WeChatClient, phone: MiniProgram
) -> None:
    first = await sign_in(client, phone)
    assert await client.check_session(DEMO_APP_ID, openid="o-alice", session_key=first)

    second = await sign_in(client, phone)
    assert not await client.check_session(DEMO_APP_ID, openid="o-alice", session_key=first)
    assert await client.check_session(DEMO_APP_ID, openid="o-alice", session_key=second)


async def test_open_data_of_a_session(
    client: WeChatClient, phone: MiniProgram, clock: MovableClock
) -> None:
    key = (await client.code2session(DEMO_APP_ID, await phone.login(unionid="u-1"))).session_key
    sent = await phone.control("open-data", {"openid": "o-alice", "fields": {"nickName": "小红"}})

    fields = decrypt_open_data(
        sent["encryptedData"],
        iv=sent["iv"],
        session_key=key,
        app_id=DEMO_APP_ID,
        now=clock(),
        age_max=clock() - clock(),
    )

    assert (fields["openId"], fields["unionId"]) == ("o-alice", "u-1")
    assert fields["nickName"] == "小红"
    assert is_raw_data_signed(sent["rawData"], signature=sent["signature"], session_key=key)
    other = await sign_in(client, phone)
    assert not is_raw_data_signed(sent["rawData"], signature=sent["signature"], session_key=other)


@pytest.mark.parametrize(
    ("content", "suggestion", "label"),
    [
        ("很好喝 👍", TextSuggestion.PASS, 100),
        ("one [review] please", TextSuggestion.REVIEW, 10001),
        ("这是违规内容", TextSuggestion.RISKY, 20003),
        ("x" * 2500, TextSuggestion.PASS, 100),
    ],
)
async def test_text_is_judged(
    client: WeChatClient, phone: MiniProgram, content: str, suggestion: TextSuggestion, label: int
) -> None:
    await sign_in(client, phone)

    verdict = await client.check_text(
        DEMO_APP_ID, openid="o-alice", scene=TextScene.COMMENT, content=content
    )

    assert (verdict.suggestion, verdict.label) == (suggestion, label)
    assert verdict.trace_id is not None


async def test_text_of_a_user_long_away_stays_unchecked(
    client: WeChatClient, phone: MiniProgram, clock: MovableClock
) -> None:
    await sign_in(client, phone)
    clock.advance(hours=2)

    verdict = await client.check_text(
        DEMO_APP_ID, openid="o-alice", scene=TextScene.PROFILE, content="hello"
    )

    assert verdict == TextVerdict(suggestion=TextSuggestion.UNCHECKED, label=None, trace_id=None)


@pytest.mark.parametrize("content", ["", "x" * 2501])
async def test_text_of_impossible_length_is_a_mistake_of_the_caller(
    client: WeChatClient, content: str
) -> None:
    with pytest.raises(ValueError, match="1 to 2500 characters"):
        await client.check_text(
            DEMO_APP_ID, openid="o-alice", scene=TextScene.PROFILE, content=content
        )


async def send(client: WeChatClient, **changes: str) -> SubscribeResult:
    arguments = {"openid": "o-alice", "template_id": TEMPLATE_ID, "thing1": "积分到账"} | changes
    return await client.send_subscribe_message(
        DEMO_APP_ID,
        openid=arguments["openid"],
        template_id=arguments["template_id"],
        values={"thing1": arguments["thing1"], "number2": "120"},
        page="pages/points/index?from=message",
        version="trial",
        language="en_US",
    )


async def test_one_consent_carries_one_message(
    client: WeChatClient, phone: MiniProgram, clock: MovableClock
) -> None:
    await phone.control("consent", {"openid": "o-alice", "templateId": TEMPLATE_ID})

    assert (await send(client)).outcome is SubscribeOutcome.SENT
    assert (await send(client)).outcome is SubscribeOutcome.REFUSED

    outbox = (await phone.http.get("/_fake/outbox")).json()
    assert outbox == {
        "messages": [
            {
                "appId": DEMO_APP_ID,
                "touser": "o-alice",
                "template_id": TEMPLATE_ID,
                "data": {"thing1": {"value": "积分到账"}, "number2": {"value": "120"}},
                "sentAt": "2026-03-01T12:00:00+00:00",
                "page": "pages/points/index?from=message",
                "miniprogram_state": "trial",
                "lang": "en_US",
            }
        ]
    }


@pytest.mark.parametrize(
    ("changes", "outcome", "detail"),
    [
        ({"openid": "o-bob"}, SubscribeOutcome.REFUSED, "refuse"),
        ({"openid": ""}, SubscribeOutcome.RECIPIENT_UNKNOWN, "openid"),
        ({"template_id": "short"}, SubscribeOutcome.TEMPLATE_UNKNOWN, "template_id"),
        ({"thing1": "字" * 21}, SubscribeOutcome.CONTENT_INVALID, "data.thing1.value"),
        ({"thing1": ""}, SubscribeOutcome.CONTENT_INVALID, "data.thing1.value"),
        ({"thing1": "字" * 20}, SubscribeOutcome.SENT, "ok"),
    ],
)
async def test_outcomes_of_a_message(
    client: WeChatClient,
    phone: MiniProgram,
    changes: dict[str, str],
    outcome: SubscribeOutcome,
    detail: str,
) -> None:
    await phone.control("consent", {"openid": "o-alice", "templateId": TEMPLATE_ID})

    result = await send(client, **changes)

    assert result.outcome is outcome
    assert detail in result.detail
    sent = 1 if outcome is SubscribeOutcome.SENT else 0
    assert len((await phone.http.get("/_fake/outbox")).json()["messages"]) == sent


async def test_code_image(client: WeChatClient) -> None:
    image = await client.mini_program_code(DEMO_APP_ID, scene="i=K7Q2M", page="pages/invite/index")
    other = await client.mini_program_code(DEMO_APP_ID, scene="i=K7Q2N", page="pages/invite/index")

    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    assert b"scene\x00i=K7Q2M" in image
    assert b"page\x00pages/invite/index" in image
    assert image != other


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"scene": ""}, "scene"),
        ({"scene": "x" * 33}, "scene"),
        ({"scene": "i=K7 Q2"}, "scene"),
        ({"scene": "邀请"}, "scene"),
        ({"scene": "x", "page": "/pages/index"}, "page"),
        ({"scene": "x", "width_px": 279}, "width_px"),
        ({"scene": "x", "width_px": 1281}, "width_px"),
    ],
)
async def test_impossible_code_is_a_mistake_of_the_caller(
    client: WeChatClient, phone: MiniProgram, arguments: dict[str, object], rule: str
) -> None:
    with pytest.raises(ValueError, match=rule):
        await client.mini_program_code(DEMO_APP_ID, **arguments)  # type: ignore[arg-type]
    assert await phone.calls() == {}


async def test_errcode_instead_of_an_image_is_a_fault(
    client: WeChatClient, phone: MiniProgram
) -> None:
    await phone.break_endpoint("getwxacodeunlimit", errcode=41030)

    with pytest.raises(WeChatFault) as fault:
        await client.mini_program_code(DEMO_APP_ID, scene="x")
    assert fault.value.errcode == 41030


async def test_apps_are_told_apart(client: WeChatClient, phone: MiniProgram) -> None:
    assert set(SECRETS) == {DEMO_APP_ID, OTHER_APP_ID}
    for app_id in SECRETS:
        code = await phone.phone(appId=app_id)
        assert (await client.phone_number(app_id, code)).number == "13800138000"
    assert await phone.calls() == {"stable_token": 2, "getuserphonenumber": 2}
