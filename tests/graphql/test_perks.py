"""Perks over the API: used within quotas, given back by staff, multiplying by themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from domain.storage import fetch_all
from tests.graphql.gateway import NOW, Gateway, global_id
from tests.graphql.joining import merged, undone
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import applied, line, order, record
from tests.graphql.perks import (
    cancel,
    perk,
    perks,
    reach,
    remaining,
    use,
    used,
    uses,
)
from tests.graphql.points import codes, refused
from tests.graphql.timelines import keep_timelines

pytestmark = pytest.mark.asyncio(loop_scope="module")

APRIL = "2026-03-31T16:00:00Z"
NOBODY = "01977c1e-0000-7000-8000-000000000000"


async def test_a_perk_is_used_until_its_quota_is(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await reach(gateway, alice, 1_000)
    for nth in range(4):
        payload = await used(gateway, alice, "silver", key=f"k-{nth}", reference=f"order {nth}")
        assert payload["use"]["usedAt"] == "2026-03-01T12:00:00Z"
        assert payload["perk"] == {
            "id": perk("silver", "shipping"),
            "remaining": 3 - nth,
            "resetsAt": APRIL,
        }
    before = await everything_kept()
    payload = await use(gateway, alice, "silver", key="k-4")
    assert (payload["use"], payload["perk"]) == (None, None)
    assert refused(payload) == {
        "code": "PERK_QUOTA_USED",
        "message": "本期次数已用完",
        "retryable": True,
        "resetsAt": APRIL,
    }
    assert await everything_kept() == before
    assert await remaining(gateway, alice) == (0, APRIL)


async def test_a_quota_is_full_again_at_local_midnight(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    midnight = datetime(2026, 3, 31, 16, tzinfo=UTC)
    gateway.clock.moment = midnight.replace(hour=15, minute=59, second=59)
    await used(gateway, alice, key="last of March")
    assert await remaining(gateway, alice) == (0, APRIL)
    assert codes(await use(gateway, alice, key="too much")) == ["PERK_QUOTA_USED"]
    gateway.clock.moment = midnight
    assert await remaining(gateway, alice) == (1, "2026-04-30T16:00:00Z")
    # The key was refused, so it is still good.
    await used(gateway, alice, key="too much")
    assert await remaining(gateway, alice) == (0, "2026-04-30T16:00:00Z")


async def test_a_use_sent_again_is_answered_byte_for_byte(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    given = {"perkId": perk("bronze", "shipping"), "reference": "A-1", "idempotencyKey": "k"}
    document = operation("UsePerk")
    first = await gateway.ask(document, {"input": given}, token=alice.access_token)
    # What became of the perk since makes no other answer.
    await cancel(gateway, first.json()["data"]["usePerk"]["use"]["id"])
    await reach(gateway, alice, 1_000)
    before = await everything_kept()
    again = await gateway.ask(document, {"input": given}, token=alice.access_token)
    assert again.content == first.content
    for other in (
        {"reference": "A-2"},
        {"reference": None},
        {"perkId": perk("silver", "shipping")},
    ):
        body = await gateway.send("UsePerk", alice.access_token, input=given | other)
        assert codes(body) == ["IDEMPOTENCY_CONFLICT"]
    assert await everything_kept() == before


BAD: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"perkId": global_id("Perk", NOBODY)}, "PERK_UNKNOWN", ["perkId"]),
    # Another level's, be it above or below.
    ({"perkId": perk("bronze", "shipping")}, "PERK_UNKNOWN", ["perkId"]),
    ({"perkId": perk("gold", "shipping")}, "PERK_UNKNOWN", ["perkId"]),
    ({"perkId": perk("gold", "cake")}, "PERK_UNKNOWN", ["perkId"]),
    ({"perkId": perk("silver", "points")}, "PERK_HOLDS_BY_ITSELF", ["perkId"]),
    ({"idempotencyKey": ""}, "INVALID_INPUT", ["idempotencyKey"]),
    ({"idempotencyKey": "x" * 129}, "INVALID_INPUT", ["idempotencyKey"]),
    ({"reference": ""}, "INVALID_INPUT", ["reference"]),
    ({"reference": "x" * 129}, "INVALID_INPUT", ["reference"]),
    ({"reference": "a\nb"}, "INVALID_INPUT", ["reference"]),
    ({"reference": "visit-1\u200b"}, "INVALID_INPUT", ["reference"]),
]
USE = """mutation($input: UsePerkInput!) { usePerk(input: $input) {
    use { id } perk { id } userErrors { code field } } }"""


async def test_what_cannot_be_used_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await reach(gateway, alice, 1_000)
    before = await everything_kept()
    for changes, code, field in BAD:
        given = {"perkId": perk("silver", "shipping"), "idempotencyKey": "k"} | changes
        body = (await gateway.ask(USE, {"input": given}, token=alice.access_token)).json()
        assert body["data"]["usePerk"] == {
            "use": None,
            "perk": None,
            "userErrors": [{"code": code, "field": field}],
        }, changes
    assert await everything_kept() == before


async def test_a_perk_without_a_quota_is_used_at_will(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await reach(gateway, alice, 1_000)
    for nth in range(3):
        payload = await used(gateway, alice, "silver", "discount", key=f"k-{nth}")
        assert payload["perk"] == {
            "id": perk("silver", "discount"),
            "remaining": None,
            "resetsAt": None,
        }
    assert len((await uses(gateway, alice))["nodes"]) == 3


async def test_what_was_used_at_another_level_counts(gateway: Gateway) -> None:
    """Within a period, a change of level neither gives a second helping nor takes one away."""
    alice = await gateway.sign_in()
    await used(gateway, alice, key="at bronze")
    await reach(gateway, alice, 1_000)
    assert await remaining(gateway, alice) == (3, APRIL)
    for nth in range(2):
        await used(gateway, alice, "silver", key=f"silver-{nth}")
    await reach(gateway, alice, 3_000)
    # Gold's quota is 2, of which three were used.
    assert await remaining(gateway, alice) == (0, APRIL)
    assert codes(await use(gateway, alice, "gold", key="gold")) == ["PERK_QUOTA_USED"]
    gateway.clock.moment = datetime(2026, 3, 31, 16, tzinfo=UTC)
    assert await remaining(gateway, alice) == (2, "2026-04-30T16:00:00Z")


async def test_a_birthday_is_told_before_its_gift_is_taken(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await reach(gateway, alice, 3_000)
    assert await remaining(gateway, alice, "cake") == (0, None)
    assert codes(await use(gateway, alice, "gold", "cake")) == ["PERK_NEEDS_BIRTHDAY"]
    await gateway.send("UpdateProfile", alice.access_token, input={"birthday": "1996-02-29"})
    # 28 February was the birthday of this year, the next one is on 28 February 2027.
    ends = "2027-02-27T16:00:00Z"
    assert await remaining(gateway, alice, "cake") == (1, ends)
    await used(gateway, alice, "gold", "cake")
    assert await remaining(gateway, alice, "cake") == (0, ends)
    # Another birthday is no second helping: not now, and not at the next one.
    await gateway.send("UpdateProfile", alice.access_token, input={"birthday": "1996-02-20"})
    later = "2028-02-19T16:00:00Z"
    assert await remaining(gateway, alice, "cake") == (0, later)
    await gateway.send("UpdateProfile", alice.access_token, input={"birthday": "1996-03-01"})
    assert await remaining(gateway, alice, "cake") == (0, "2027-02-28T16:00:00Z")
    assert refused(await use(gateway, alice, "gold", "cake", key="more"))["resetsAt"] == (
        "2027-02-28T16:00:00Z"
    )


async def test_staff_sees_uses_and_gives_them_back(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    made = (await used(gateway, alice, key="k", reference="A-1"))["use"]
    await used(gateway, bob, key="k")
    shown = {
        "id": made["id"],
        "code": "shipping",
        "title": "包邮",
        "reference": "A-1",
        "usedAt": "2026-03-01T12:00:00Z",
        "cancelledAt": None,
    }
    assert (await uses(gateway, alice))["nodes"] == [shown]
    gateway.clock.advance(minutes=5)
    before = await everything_kept()
    payload = await cancel(gateway, made["id"], reason="下雨了")
    given_back = {"id": made["id"], "code": "shipping", "cancelledAt": "2026-03-01T12:05:00Z"}
    assert payload == {"use": given_back, "userErrors": []}
    after = await everything_kept()
    assert changed(before, after) == {
        "audit_entry",
        "audit_head",
        "outbox",
        "outbox_stream",
        "perk_use",
    }
    assert await remaining(gateway, alice) == (1, APRIL)
    assert await remaining(gateway, bob) == (0, APRIL)
    # Again: nothing but that it was asked again.
    gateway.clock.advance(minutes=5)
    assert (await cancel(gateway, made["id"], reason="再来"))["use"] == given_back
    assert changed(after, await everything_kept()) == {"audit_entry", "audit_head"}
    await used(gateway, alice, key="k-2")
    nodes = (await uses(gateway, alice))["nodes"]
    assert [one["cancelledAt"] for one in nodes] == [None, "2026-03-01T12:05:00Z"]
    rows = await fetch_all(
        "SELECT target_kind, target_id, before, after FROM audit_entry"
        " WHERE action = 'perk_use.cancel' AND target_id = $1 ORDER BY seq",
        str(alice.member),
    )
    assert [row["before"] for row in rows] == ['{"cancelled":false}', '{"cancelled":true}']


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"useId": global_id("PerkUse", f"{NOBODY}:{NOBODY}")}, "PERK_USE_UNKNOWN", ["useId"]),
        ({"reason": ""}, "INVALID_INPUT", ["reason"]),
        ({"reason": "x" * 257}, "INVALID_INPUT", ["reason"]),
    ],
)
async def test_what_cannot_be_given_back_is_refused(
    gateway: Gateway, changes: dict[str, str], code: str, field: list[str]
) -> None:
    alice = await gateway.sign_in()
    made = (await used(gateway, alice))["use"]
    before = await everything_kept()
    given = {"useId": made["id"], "reason": "why"} | changes
    payload = await cancel(gateway, given["useId"], reason=given["reason"])
    assert payload == {"use": None, "userErrors": [{"code": code, "field": field}]}
    other = global_id("PerkUse", f"{alice.member}:{NOBODY}")
    assert codes(await cancel(gateway, other)) == ["PERK_USE_UNKNOWN"]
    assert await everything_kept() == before


async def test_uses_are_read_page_by_page(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await reach(gateway, alice, 1_000)
    for nth in range(3):
        gateway.clock.advance(seconds=1)
        await used(gateway, alice, "silver", key=f"k-{nth}", reference=str(nth))
    page = await uses(gateway, alice, first=2)
    assert [one["reference"] for one in page["nodes"]] == ["2", "1"]
    assert page["pageInfo"]["hasNextPage"] is True
    rest = await uses(gateway, alice, first=2, after=page["pageInfo"]["endCursor"])
    assert [one["reference"] for one in rest["nodes"]] == ["0"]
    assert rest["pageInfo"]["hasNextPage"] is False


async def test_uses_of_joined_records_count_together_until_they_are_parted(
    gateway: Gateway,
) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    await reach(gateway, alice, 1_000)
    for nth in range(2):
        await used(gateway, alice, "silver", key=f"k-{nth}")
    await used(gateway, bob, key="k-0")
    made = await merged(gateway, {"id": alice.member_id}, {"id": bob.member_id})
    assert made["userErrors"] == []
    assert await remaining(gateway, alice) == (1, APRIL)
    assert len((await uses(gateway, alice))["nodes"]) == 3
    await used(gateway, alice, "silver", key="the last")
    assert codes(await use(gateway, alice, "silver", key="more")) == ["PERK_QUOTA_USED"]
    assert (await undone(gateway, {"mergeId": made["merge"]["id"]}))["userErrors"] == []
    # Sessions end with a parting.
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    assert await remaining(gateway, alice) == (1, APRIL)
    assert await remaining(gateway, bob) == (0, APRIL)


async def test_a_use_is_told_to_the_member(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    gateway.clock.advance(seconds=1)
    made = (await used(gateway, alice))["use"]
    gateway.clock.advance(seconds=1)
    await cancel(gateway, made["id"])
    await keep_timelines(gateway)
    query = "{ me { timeline(first: 2) { nodes { kind title } } changes { items { kind id } } } }"
    me = (await gateway.ask(query, token=alice.access_token)).json()["data"]["me"]
    assert [tuple(one.values()) for one in me["timeline"]["nodes"]] == [
        ("PERK_USE_CANCELLED", "退还权益：包邮"),
        ("PERK_USED", "使用权益：包邮"),
    ]
    assert [one for one in me["changes"]["items"] if one["kind"].startswith("PERK")] == [
        {"kind": "PERK_USED", "id": alice.member_id},
        {"kind": "PERK_USE_CANCELLED", "id": alice.member_id},
    ]


async def test_perks_tell_what_they_give_in_numbers(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await reach(gateway, alice, 1_000)
    nothing = {
        "payPermille": None,
        "factorPermille": None,
        "amountMin": None,
        "withinHours": None,
        "serviceLevel": None,
    }
    unlimited = {"period": None, "quota": None, "remaining": None, "resetsAt": None}
    assert await perks(gateway, alice) == {
        "discount": {**nothing, **unlimited, "payPermille": 980},
        "shipping": {
            **nothing,
            "period": "MONTH",
            "quota": 4,
            "remaining": 4,
            "resetsAt": APRIL,
            "amountMin": 5_900,
        },
        "points": {**nothing, **unlimited, "factorPermille": 1_100},
    }


async def test_the_multiplier_of_a_level_is_its_perk(gateway: Gateway) -> None:
    """Of the level before the batch; the order keeps it."""
    alice = await gateway.sign_in()
    await reach(gateway, alice, 1_000)
    placed_at = NOW.isoformat()
    bought = [
        order(f"{name}-{alice.member}", alice.member_id, line("bag", fen), placedAt=placed_at)
        for name, fen in (("X", 10_000), ("Y", 10_050))
    ]
    # A tenth more, and down to whole points: 100 × 1.1, and 100.5 × 1.1 = 110.55.
    assert applied(await record(gateway, f"b-{alice.member}", bought)) == [110, 110]
    rows = await fetch_all(
        "SELECT multiplier_permille FROM purchase WHERE member_id = $1 ORDER BY placed_at, id",
        alice.member,
    )
    assert [row["multiplier_permille"] for row in rows] == [1_000, 1_100, 1_100]
