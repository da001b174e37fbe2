"""What members say of themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHOLE = "{ me { nickname avatarUrl birthday gender preferredChannel version } }"

# Names that must come back code point by code point.
NAMES = {
    "Chinese": "王小明",
    "family emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "مرحبا بك שלום",
    "combining": "e\u0301 vs \u00e9",
    "beyond the BMP": "𠮷野家 𝕁𝕚𝕗𝕖𝕟",
    "SQL": "Robert'); DROP TABLE member;--",
    "markup": "<script>alert(1)</script> {nickname} %s $1",
    "as long as may be": "积" * 64,
    "spaces": "  a  b  ",
}


async def update(gateway: Gateway, session: Session, **changes: Any) -> Any:
    return await gateway.send("UpdateProfile", session.access_token, input=changes)


async def profile(gateway: Gateway, session: Session) -> Any:
    return (await gateway.ask(WHOLE, token=session.access_token)).json()["data"]["me"]


async def test_a_profile_is_told_kept_and_cleared(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    told = {
        "nickname": "小明",
        "avatarUrl": "https://img.jifen.example/头像.png?a=1&b=2",
        "birthday": "1992-02-29",
        "gender": "female",
        "preferredChannel": "wechat",
    }
    first = await profile(gateway, session)

    payload = await update(gateway, session, **told)

    member = {"id": session.member_id, "nickname": "小明", "birthday": "1992-02-29"}
    assert payload == {"member": member, "userErrors": []}
    second = await profile(gateway, session)
    assert second == told | {"version": second["version"]}
    assert second["version"] != first["version"], "a client sees that something changed"

    # What is left out stays as it is; null clears.
    await update(gateway, session, birthday=None, nickname=None)
    third = await profile(gateway, session)
    assert third == told | {"birthday": None, "nickname": "", "version": third["version"]}


async def test_saying_what_is_so_already_changes_nothing(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    await update(gateway, session, nickname="小明")
    before = await everything_kept()

    await update(gateway, session, nickname="小明")
    await update(gateway, session)

    assert await everything_kept() == before


async def test_names_come_back_exactly_as_they_were_given(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    for what, name in NAMES.items():
        payload = await update(gateway, session, nickname=name)
        assert payload["userErrors"] == [], what
        assert payload["member"]["nickname"] == name
        assert (await profile(gateway, session))["nickname"] == name, what


async def test_a_member_changes_nobody_else(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await update(gateway, alice, nickname="A")
    await update(gateway, bob, nickname="B")
    assert (await profile(gateway, alice))["nickname"] == "A"
    assert (await profile(gateway, bob))["nickname"] == "B"


REFUSED = {
    "a name of 65 characters": ({"nickname": "积" * 65}, "nickname"),
    "a line feed in a name": ({"nickname": "a\nb"}, "nickname"),
    "an escape in a name": ({"nickname": "\x1b[31mred"}, "nickname"),
    "a name of blanks": ({"nickname": " \u3000\u200b"}, "nickname"),
    "a name that turns what follows": ({"nickname": "\u202egpj.exe"}, "nickname"),
    "a name with a zero-width space": ({"nickname": "ad\u200bmin"}, "nickname"),
    "a name with a mark of direction": ({"nickname": "admin\u200e"}, "nickname"),
    "a Latin name with a Cyrillic letter": ({"nickname": "\u0430dmin"}, "nickname"),
    "a name as long as a request may be": ({"nickname": "a" * 250_000}, "nickname"),
    "a birthday before 1900": ({"birthday": "1899-12-31"}, "birthday"),
    "a birthday to come": ({"birthday": "2026-03-03"}, "birthday"),
    "no such gender": ({"gender": "FEMALE"}, "gender"),
    "a channel that is no code": ({"preferredChannel": "by pigeon"}, "preferredChannel"),
    "a channel of 33 characters": ({"preferredChannel": "c" * 33}, "preferredChannel"),
    "one of two fields": ({"nickname": "fine", "gender": "?"}, "gender"),
}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_what_breaks_a_rule_is_refused_by_its_field(gateway: Gateway, language: str) -> None:
    session = await gateway.sign_in()
    await update(gateway, session, nickname="小明")
    before = await everything_kept()
    for what, (changes, field) in REFUSED.items():
        response = await gateway.ask(
            operation("UpdateProfile"),
            {"input": changes},
            token=session.access_token,
            language=language,
        )
        payload = response.json()["data"]["updateProfile"]
        assert payload["member"] is None, what
        (error,) = payload["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID_INPUT", [field]), what
        begins = "The input is not valid: " if language == "en" else "填写的内容不符合要求"
        assert error["message"].startswith(begins)
    assert await everything_kept() == before


async def test_only_what_changed_is_written(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    before = await everything_kept()
    await update(gateway, session, nickname="小明")
    assert changed(before, await everything_kept()) == {"member", "outbox", "outbox_stream"}


async def test_a_name_of_a_megabyte_does_not_get_in(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    before = await everything_kept()
    response = await gateway.ask(
        operation("UpdateProfile"),
        {"input": {"nickname": "a" * 1_000_000}},
        token=session.access_token,
    )
    [error] = response.json()["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (413, "BODY_TOO_LARGE")
    assert await everything_kept() == before
