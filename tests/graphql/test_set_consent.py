"""Consents: given to the current words alone, withdrawn at any time."""

from __future__ import annotations

from typing import Any

import pytest

from domain.members import has_consented
from domain.storage import fetch_all
from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import changed, everything_kept
from tests.graphql.programme import ARCADE, PURPOSES, SHOP

pytestmark = pytest.mark.asyncio(loop_scope="module")

MOMENT = "2026-03-01T12:00:00Z"


async def say(
    gateway: Gateway, session: Session, purpose: str, granted: bool, version: str = "1"
) -> Any:
    given = {"purpose": purpose, "granted": granted, "version": version}
    return await gateway.send("SetConsent", session.access_token, input=given)


def consent(purpose: str, granted: bool, version: str = "1", at: str = MOMENT) -> dict[str, Any]:
    return {"purpose": purpose, "granted": granted, "version": version, "at": at}


async def said(gateway: Gateway, session: Session) -> Any:
    return (await gateway.send("Profile", session.access_token))["consents"]


async def test_a_consent_is_given_withdrawn_and_given_again(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    assert not await has_consented(alice.member, "marketing")
    before = await everything_kept()
    payload = await say(gateway, alice, "marketing", granted=True)
    assert payload == {"consent": consent("marketing", granted=True), "userErrors": []}
    written = changed(before, await everything_kept())
    assert written == {"member_consent", "outbox", "outbox_stream"}
    assert await has_consented(alice.member, "marketing")
    assert not await has_consented(bob.member, "marketing")
    assert not await has_consented(alice.member, "terms")

    gateway.clock.advance(seconds=60)
    payload = await say(gateway, alice, "marketing", granted=False)
    withdrawn = consent("marketing", granted=False, at="2026-03-01T12:01:00Z")
    assert payload == {"consent": withdrawn, "userErrors": []}
    assert not await has_consented(alice.member, "marketing")

    # Within the same instant, so that the clock does not tell which came last.
    payload = await say(gateway, alice, "marketing", granted=True)
    assert payload["consent"]["at"] == "2026-03-01T12:01:00.000001Z"
    assert await has_consented(alice.member, "marketing")
    assert await said(gateway, alice) == [payload["consent"]]
    assert await said(gateway, bob) == []


async def test_the_whole_history_is_kept(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    for granted in (True, False, True):
        await say(gateway, alice, "terms", granted=granted)
    rows = await fetch_all(
        "SELECT granted, version FROM member_consent WHERE member_id = $1 ORDER BY at",
        alice.member,
    )
    assert [(row["granted"], row["version"]) for row in rows] == [
        (True, "1"),
        (False, "1"),
        (True, "1"),
    ]


async def test_saying_what_holds_already_writes_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    first = await say(gateway, alice, "marketing", granted=True)
    # Who was never asked may say no, whatever words they read.
    refused = await say(gateway, alice, "terms", granted=False, version="before")
    assert refused["consent"] == consent("terms", granted=False)
    before = await everything_kept()
    gateway.clock.advance(seconds=60)
    assert await say(gateway, alice, "marketing", granted=True) == first
    again = await say(gateway, alice, "terms", granted=False, version="another")
    assert again["consent"] == consent("terms", granted=False)
    assert await everything_kept() == before


async def test_what_is_unknown_or_outdated_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await say(gateway, alice, "marketing", granted=True)
    before = await everything_kept()
    for purpose, granted, version, code in (
        ("cookies", True, "1", "CONSENT_UNKNOWN"),
        ("cookies", False, "1", "CONSENT_UNKNOWN"),
        ("partner:nobody", True, "1", "CONSENT_UNKNOWN"),
        # A shop is no partner.
        (f"partner:{gateway.named(SHOP)}", True, "1", "CONSENT_UNKNOWN"),
        ("partner:", True, "1", "CONSENT_UNKNOWN"),
        ("partner:*", True, "1", "INVALID_INPUT"),
        ("personalization", True, "0", "CONSENT_OUTDATED"),
        ("personalization", True, "2", "CONSENT_OUTDATED"),
        ("personalization", True, "", "CONSENT_OUTDATED"),
        ("marketing", True, "2", "CONSENT_OUTDATED"),
        ("", True, "1", "INVALID_INPUT"),
        ("MARK ETING", True, "1", "INVALID_INPUT"),
        ("m" * 65, True, "1", "INVALID_INPUT"),
        ("market\u0456ng", True, "1", "INVALID_INPUT"),
    ):
        payload = await say(gateway, alice, purpose, granted=granted, version=version)
        assert payload["consent"] is None, purpose
        assert [error["code"] for error in payload["userErrors"]] == [code], purpose
    assert await everything_kept() == before


async def test_a_partner_is_allowed_by_itself(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    purpose = f"partner:{ARCADE}"
    payload = await say(gateway, alice, purpose, granted=True)
    assert payload["consent"] == consent(purpose, granted=True)
    assert await has_consented(alice.member, purpose)
    assert not await has_consented(alice.member, "partner:other-games")
    await say(gateway, alice, purpose, granted=False)
    assert not await has_consented(alice.member, purpose)


async def test_the_words_can_be_read_by_everybody(gateway: Gateway) -> None:
    query = "{ consentTexts { purpose version title body } }"
    for language, title, body in (("zh", "授权 terms", "第 1 版"), ("en", "Consent to terms", "")):
        response = await gateway.ask(query, language=language)
        texts = response.json()["data"]["consentTexts"]
        assert [text["purpose"] for text in texts] == list(PURPOSES)
        assert texts[-1]["title"] == title
        assert texts[-1]["body"] == (body or "Version 1")
