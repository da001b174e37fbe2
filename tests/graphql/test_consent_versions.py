"""Consents when the words change: asked for anew, while withdrawing asks for nothing."""

from __future__ import annotations

from domain.members import has_consented, publish_consent_texts
from tests.graphql.gateway import NOW, Gateway
from tests.graphql.programme import consent_text
from tests.graphql.test_set_consent import consent, said, say


async def test_other_words_are_asked_for_anew_and_withdrawing_needs_none(
    own_gateway: Gateway,
) -> None:
    gateway = own_gateway
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    for session in (alice, bob):
        await say(gateway, session, "marketing", granted=True)
    assert await publish_consent_texts([consent_text("marketing", "2")], now=NOW) == 1

    payload = await say(gateway, alice, "marketing", granted=True, version="1")
    [error] = payload["userErrors"]
    assert error["code"] == "CONSENT_OUTDATED"
    assert "2" in error["message"], "it names the current version"
    # What was agreed to before still holds, and can be withdrawn by its old version.
    assert await has_consented(alice.member, "marketing")
    payload = await say(gateway, alice, "marketing", granted=False, version="1")
    assert payload["consent"] == consent(
        "marketing", granted=False, version="1", at="2026-03-01T12:00:00.000001Z"
    )

    gateway.clock.advance(seconds=1)
    payload = await say(gateway, bob, "marketing", granted=True, version="2")
    renewed = consent("marketing", granted=True, version="2", at="2026-03-01T12:00:01Z")
    assert payload["consent"] == renewed
    assert await said(gateway, bob) == [renewed]
