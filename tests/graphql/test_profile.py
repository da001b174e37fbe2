"""`Profile`: all that a member sees of themselves on one page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.gateway import Gateway
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOMENT = "2026-03-01T12:00:00Z"


async def test_a_profile_shows_what_is_kept_of_the_member(gateway: Gateway) -> None:
    alice = await gateway.sign_in("o-alice-0001", unionid="u-alice-0001")
    token = alice.access_token
    told = {"nickname": "小明", "birthday": "1992-02-29", "preferredChannel": "wechat"}
    await gateway.send("UpdateProfile", token, input=told)
    await gateway.send("SetInterests", token, input={"themes": ["tea"]})
    agreed = {"purpose": "marketing", "granted": True, "version": "1"}
    await gateway.send("SetConsent", token, input=agreed)
    await set_contacts(gateway, alice.member_id, [("陈静", "专属顾问", "wecom")])

    # What the programme knows somebody by is shown so far only that they know it again.
    openid = gateway.named("o-alice-0001")
    unionid = gateway.named("u-alice-0001")
    assert await gateway.send("Profile", token) == told | {
        "id": alice.member_id,
        "avatarUrl": None,
        "gender": None,
        "phoneMasked": None,
        "joinedAt": MOMENT,
        "identities": [
            {"kind": "WECHAT_OPENID", "label": f"o-…{openid[-4:]}", "boundAt": MOMENT},
            {"kind": "WECHAT_UNIONID", "label": f"u-…{unionid[-4:]}", "boundAt": MOMENT},
        ],
        "interests": [
            {"theme": {"code": "tea", "name": "茶饮"}, "source": "DECLARED", "weight": 1.0}
        ],
        "consents": [{"purpose": "marketing", "granted": True, "version": "1", "at": MOMENT}],
        "serviceContacts": [{"name": "陈静", "role": "专属顾问", "channel": "wecom"}],
    }


async def test_a_new_member_has_an_empty_profile(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    page = await gateway.send("Profile", session.access_token)
    assert (page["interests"], page["consents"], page["serviceContacts"]) == ([], [], [])
    assert page["nickname"] == ""
    assert [one["kind"] for one in page["identities"]] == ["WECHAT_OPENID"]


SET = """mutation($input: SetServiceContactsInput!) { setServiceContacts(input: $input) {
    contacts { name role channel } userErrors { code field } } }"""


async def set_contacts(
    gateway: Gateway, member_id: str, contacts: list[tuple[str, str, str]]
) -> Any:
    given = {
        "member": {"id": member_id},
        "contacts": [{"name": n, "role": r, "channel": c} for n, r, c in contacts],
    }
    response = await gateway.ask(SET, {"input": given}, token=await gateway.staff())
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["setServiceContacts"]


async def test_contacts_are_set_replaced_and_taken_away(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    three = [("陈静", "专属顾问", "wecom"), ("王芳", "售后", "phone"), ("陈静", "售后", "phone")]
    shown = [{"name": n, "role": r, "channel": c} for n, r, c in three]
    before = await everything_kept()
    payload = await set_contacts(gateway, alice.member_id, three)
    assert payload == {"contacts": shown, "userErrors": []}
    written = changed(before, await everything_kept())
    assert written == {"service_contact", "outbox", "outbox_stream", "audit_entry", "audit_head"}

    # The same again is told to the audit log, and changes nothing.
    before = await everything_kept()
    await set_contacts(gateway, alice.member_id, three)
    assert changed(before, await everything_kept()) == {"audit_entry", "audit_head"}

    await set_contacts(gateway, alice.member_id, three[:1])
    assert (await page_of(gateway, alice.access_token))["serviceContacts"] == shown[:1]
    assert (await page_of(gateway, bob.access_token))["serviceContacts"] == []
    assert (await set_contacts(gateway, alice.member_id, []))["contacts"] == []


async def page_of(gateway: Gateway, token: str) -> Any:
    return await gateway.send("Profile", token)


async def test_contacts_that_break_a_rule_are_refused_whole(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    good = ("陈静", "顾问", "wecom")
    await set_contacts(gateway, alice.member_id, [good])
    before = await everything_kept()
    for contacts, code, field in (
        ([good] * 11, "INVALID_INPUT", ["contacts"]),
        ([good, ("", "顾问", "wecom")], "INVALID_INPUT", ["contacts", "1", "name"]),
        ([("陈" * 65, "顾问", "wecom")], "INVALID_INPUT", ["contacts", "0", "name"]),
        ([("陈静", "\u200b", "wecom")], "INVALID_INPUT", ["contacts", "0", "role"]),
        ([("陈静", "顾问", "by pigeon")], "INVALID_INPUT", ["contacts", "0", "channel"]),
    ):
        payload = await set_contacts(gateway, alice.member_id, contacts)
        assert payload == {"contacts": None, "userErrors": [{"code": code, "field": field}]}
    assert await everything_kept() == before
