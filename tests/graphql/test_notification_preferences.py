"""How members want to be told: by group and channel, and when a channel is to be quiet."""

from __future__ import annotations

from typing import Any, Final

import pytest

from domain.notifications import Channel, preferences
from tests.graphql.gateway import Gateway, Session
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.asyncio(loop_scope="module")

PREFERENCES: Final = """notificationPreferences {
    channels { group channel wanted said } quietHours { channel begins ends timeZone } }"""
READ: Final = f"{{ me {{ {PREFERENCES} }} }}"
SET: Final = """mutation($input: SetNotificationPreferencesInput!) {
    setNotificationPreferences(input: $input) {
        preferences { channels { group channel wanted said }
            quietHours { channel begins ends timeZone } }
        userErrors { code field } } }"""


async def ask(gateway: Gateway, token: str, query: str, **variables: Any) -> Any:
    body = (await gateway.ask(query, variables, token=token)).json()
    assert "errors" not in body, body
    return body["data"]


async def said(gateway: Gateway, who: Session) -> Any:
    me = (await ask(gateway, who.access_token, READ))["me"]
    return me["notificationPreferences"]


async def say(gateway: Gateway, who: Session, **given: Any) -> Any:
    answer = await ask(gateway, who.access_token, SET, input=given)
    return answer["setNotificationPreferences"]


def choice(group: str, channel: str, *, wanted: bool) -> dict[str, Any]:
    return {"group": group, "channel": channel, "wanted": wanted}


def spoken(found: Any) -> list[tuple[str, str, bool]]:
    """What the member said themself."""
    return [
        (one["group"], one["channel"], one["wanted"]) for one in found["channels"] if one["said"]
    ]


NIGHT: Final = {"channel": "SMS", "begins": "22:00", "ends": "07:30"}


async def test_what_is_said_holds_and_the_rest_is_the_programmes(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    before = await said(gateway, alice)
    assert (len(before["channels"]), spoken(before), before["quietHours"]) == (18, [], [])
    assert {(one["group"], one["channel"]) for one in before["channels"] if not one["wanted"]} == {
        ("LEVELS", "SMS"),
        ("POINTS", "SMS"),
        ("REWARDS", "SMS"),
        ("NEWS", "SMS"),
    }
    answer = await say(
        gateway,
        alice,
        channels=[choice("ORDERS", "SMS", wanted=False), choice("LEVELS", "SMS", wanted=True)],
        quietHours=[NIGHT, {**NIGHT, "channel": "EMAIL", "timeZone": "Europe/Berlin"}],
    )
    assert answer["userErrors"] == []
    after = answer["preferences"]
    assert await said(gateway, alice) == after
    assert spoken(after) == [("LEVELS", "SMS", True), ("ORDERS", "SMS", False)]
    assert after["quietHours"] == [
        {"channel": "EMAIL", "begins": "22:00", "ends": "07:30", "timeZone": "Europe/Berlin"},
        {"channel": "SMS", "begins": "22:00", "ends": "07:30", "timeZone": "Asia/Shanghai"},
    ]
    # Said again: nothing is written. And what is not named stays.
    kept = await everything_kept()
    again = [choice("ORDERS", "SMS", wanted=False)]
    assert (await say(gateway, alice, channels=again, quietHours=[NIGHT]))["preferences"] == after
    assert changed(kept, await everything_kept()) == set()
    over = await say(gateway, alice, quietHours=[{"channel": "SMS"}])
    assert [one["channel"] for one in over["preferences"]["quietHours"]] == ["EMAIL"]
    assert spoken(over["preferences"]) == spoken(after)


async def test_what_makes_no_sense_is_refused(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    kept = await everything_kept()
    twice = choice("ORDERS", "SMS", wanted=False)
    for given, field in (
        ({"channels": [choice("ORDERS", "INBOX", wanted=False)]}, ["channels"]),
        ({"channels": [twice, {**twice, "wanted": True}]}, ["channels"]),
        ({"quietHours": [NIGHT, NIGHT]}, ["quietHours"]),
        ({"quietHours": [{**NIGHT, "channel": "INBOX"}]}, ["quietHours"]),
        ({"quietHours": [{**NIGHT, "ends": "22:00"}]}, ["quietHours"]),
        ({"quietHours": [{**NIGHT, "begins": "24:00"}]}, ["quietHours", "0", "begins"]),
        ({"quietHours": [{**NIGHT, "ends": None}]}, ["quietHours", "0", "ends"]),
        ({"quietHours": [{**NIGHT, "timeZone": "Mars"}]}, ["quietHours", "0", "timeZone"]),
    ):
        answer = await say(gateway, alice, **given)
        assert answer["userErrors"] == [{"code": "INVALID_INPUT", "field": field}], given
        assert answer["preferences"] is None
    assert changed(kept, await everything_kept()) == set()


async def test_a_no_outlives_the_record_that_said_it(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    no = [choice("ORDERS", "SMS", wanted=False), choice("SERVICE", "EMAIL", wanted=False)]
    await say(gateway, bob, channels=no, quietHours=[NIGHT])
    await say(gateway, alice, channels=[choice("ORDERS", "SMS", wanted=True)])
    made = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    # What Alice said counts; where she said nothing, what Bob had.
    joined = await said(gateway, alice)
    assert spoken(joined) == [("ORDERS", "SMS", True), ("SERVICE", "EMAIL", False)]
    assert [one["channel"] for one in joined["quietHours"]] == ["SMS"]
    await say(gateway, alice, quietHours=[{"channel": "SMS"}])
    assert (await said(gateway, alice))["quietHours"] == []
    assert (await preferences(alice.member)).quiet == {Channel.SMS: None}
    await undone(gateway, {"mergeId": made["merge"]["id"]})
    alices = await said(gateway, await gateway.sign_in("o-alice"))
    assert (spoken(alices), alices["quietHours"]) == ([("ORDERS", "SMS", True)], [])
    bobs = await said(gateway, await gateway.sign_in("o-bob"))
    assert spoken(bobs) == [("ORDERS", "SMS", False), ("SERVICE", "EMAIL", False)]
    assert [one["channel"] for one in bobs["quietHours"]] == ["SMS"]
