"""What happens in games, told by partners over signed requests, and the funnels it comes to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from domain import games
from domain.access import StaffRole
from domain.games import buyers_consumer
from domain.storage import fetch_all, observed_statements
from tests.domain.games.arcade import open_campaign
from tests.graphql.gateway import NOW, Gateway, global_id
from tests.graphql.kept import changed, everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import order, record
from tests.graphql.programme import CLERK
from tests.graphql.test_game_bindings import allow, exchange, handed
from tests.graphql.test_push_rewards import Fair, open_fair

pytestmark = pytest.mark.asyncio(loop_scope="module")

NONE = {"visitors": 0, "players": 0, "newMembers": 0, "buyers": 0, "points": 0}


@pytest_asyncio.fixture(loop_scope="module")
async def fair(gateway: Gateway) -> Fair:
    return await open_fair(gateway)


def event(fair: Fair, external_id: str, visitor: str = "v1", **other: Any) -> dict[str, Any]:
    """A visit of an hour ago; with what is changed."""
    return {
        "externalId": external_id,
        "campaignId": fair.campaign_id,
        "kind": "VISIT",
        "visitor": visitor,
        "at": "2026-03-01T11:00:00Z",
        **other,
    }


async def tell(fair: Fair, batch_id: str, *events: dict[str, Any], **how: Any) -> Any:
    """The payload of `recordGameEvents`."""
    variables = {"input": {"batchId": batch_id, "events": list(events)}}
    response = await fair.platform.push(operation("RecordGameEvents"), variables, **how)
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["recordGameEvents"]


def kept(accepted: int, duplicates: int = 0) -> dict[str, Any]:
    return {"accepted": accepted, "duplicates": duplicates, "userErrors": []}


async def campaigns(fair: Fair) -> dict[str, Any]:
    """The partner's campaigns by id."""
    found = await fair.ask(operation("PartnerCampaigns"))
    return {one["id"]: one for one in found["campaigns"]["nodes"]}


async def funnel(fair: Fair) -> dict[str, Any]:
    found: dict[str, Any] = (await campaigns(fair))[fair.campaign_id]["funnel"]
    return {name: found[name] for name in NONE}


async def funnel_of_staff(fair: Fair) -> dict[str, Any]:
    query = f"""query ($code: String!) {{ staff {{ gameCampaigns(partner: $code) {{ nodes {{
      funnel {{ {" ".join(NONE)} }} }} }} }} }}"""
    token = await fair.gateway.token_of(CLERK, StaffRole.MARKETING)
    answer = await fair.gateway.ask(query, {"code": fair.platform.code}, token=token)
    [campaign] = answer.json()["data"]["staff"]["gameCampaigns"]["nodes"]
    found: dict[str, Any] = campaign["funnel"]
    return found


async def test_a_funnel_counts_each_visitor_once(fair: Fair) -> None:
    assert await funnel(fair) == NONE
    before = await everything_kept()
    batch = [
        event(fair, "1"),
        event(fair, "2", kind="PLAY"),
        event(fair, "3", "v2", kind="SHARE"),
        event(fair, "4", "v3", kind="FINISH"),
        event(fair, "5", "v3", kind="PLAY"),
        # The same id within the batch: the first one counts.
        event(fair, "3", "v9"),
    ]
    assert await tell(fair, "b1", *batch) == kept(5, 1)
    written = changed(before, await everything_kept())
    assert written == {"game_event", "game_visitor", "game_funnel", "idempotency"}
    assert await funnel(fair) == {**NONE, "visitors": 3, "players": 2}
    assert await funnel_of_staff(fair) == {**NONE, "visitors": 3, "players": 2}
    # Later, in another batch: what is new is added, what is known is not.
    assert await tell(fair, "b2", batch[0], event(fair, "6", "v2", kind="PLAY")) == kept(1, 1)
    assert await funnel(fair) == {**NONE, "visitors": 3, "players": 3}


async def test_a_batch_sent_again_is_answered_as_before(fair: Fair) -> None:
    events = [event(fair, "1"), event(fair, "2", "v2", member={"id": fair.alice.member_id})]
    assert await tell(fair, "b1", *events) == kept(2)
    before = await everything_kept()
    fair.gateway.clock.advance(days=40)
    assert await tell(fair, "b1", *events) == kept(2)
    payload = await tell(fair, "b1", *events[:1])
    assert payload["accepted"] is None
    [error] = payload["userErrors"]
    assert (error["code"], error["field"]) == ("IDEMPOTENCY_CONFLICT", ["batchId"])
    assert await everything_kept() == before


async def test_nobody_is_known_by_what_is_kept(fair: Fair) -> None:
    """Neither a visitor's name nor that two partners tell of the same one."""
    other = await open_fair(fair.gateway, "other")
    for one in (fair, other):
        await tell(one, "b1", event(one, "1", "wx-open-id"))
    rows = await fetch_all(
        "SELECT visitor FROM game_visitor WHERE campaign_id = ANY($1::uuid[])",
        [fair.campaign.id, other.campaign.id],
    )
    assert len({row["visitor"] for row in rows}) == 2
    assert "wx-open-id" not in str(await everything_kept())
    assert await funnel(fair) == {**NONE, "visitors": 1}


async def test_a_batch_is_refused_whole_by_its_first_fault(fair: Fair) -> None:
    gateway = fair.gateway
    other = await open_fair(gateway, "other")
    past = await open_campaign(fair.platform.code, "past", closes_at=NOW - timedelta(days=1))
    over = global_id("GameCampaign", past.id)
    stranger = await gateway.sign_in("o-stranger")
    left = await gateway.sign_in("o-left")
    ref = await games.bind_member(fair.platform.partner.account_id, left.member, now=NOW)
    await games.unbind_member(fair.platform.partner.account_id, left.member, now=NOW)
    theirs = {"memberRef": other.ref}
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"externalId": ""}, "INVALID_INPUT", "externalId"),
        ({"externalId": "x" * 129}, "INVALID_INPUT", "externalId"),
        ({"visitor": ""}, "INVALID_INPUT", "visitor"),
        ({"visitor": "x" * 65}, "INVALID_INPUT", "visitor"),
        ({"visitor": "a\nb"}, "INVALID_INPUT", "visitor"),
        ({"at": "2026-03-01T12:05:01Z"}, "FUTURE_DATED", "at"),
        ({"at": "2026-01-30T11:59:59Z"}, "TOO_OLD", "at"),
        ({"campaignId": "garbage"}, "CAMPAIGN_CLOSED", "campaignId"),
        ({"campaignId": other.campaign_id}, "CAMPAIGN_CLOSED", "campaignId"),
        ({"campaignId": over}, "CAMPAIGN_CLOSED", "campaignId"),
        ({"at": "2026-02-28T11:59:59Z"}, "CAMPAIGN_CLOSED", "campaignId"),
        ({"member": {"memberRef": "gm_nobody"}}, "MEMBER_NOT_FOUND", "member"),
        ({"member": theirs}, "MEMBER_NOT_FOUND", "member"),
        ({"member": {"bindToken": "gbt_x"}}, "MEMBER_NOT_FOUND", "member"),
        ({"member": {"externalRef": "1"}}, "MEMBER_NOT_FOUND", "member"),
        ({"member": {"id": stranger.member_id}}, "NOT_BOUND", "member"),
        ({"member": {"memberRef": ref}}, "NOT_BOUND", "member"),
    ]
    before = await everything_kept()
    for changes, code, field in cases:
        bad = {**event(fair, "2"), **changes}
        payload = await tell(fair, "b1", event(fair, "1"), bad)
        assert payload["accepted"] is None
        [error] = payload["userErrors"]
        assert (error["code"], error["field"]) == (code, ["events", "1", field]), changes
    for events in ([], [event(fair, str(n)) for n in range(501)]):
        payload = await tell(fair, "b1", *events)
        assert [(one["code"], one["field"]) for one in payload["userErrors"]] == [
            ("INVALID_INPUT", ["events"])
        ]
    payload = await tell(fair, "", event(fair, "1"))
    assert payload["userErrors"][0]["field"] == ["batchId"]
    assert await everything_kept() == before
    # A batch that was refused has used nothing up.
    assert await tell(fair, "b1", event(fair, "1", at="2026-03-01T12:05:00Z")) == kept(1)


async def test_telling_needs_the_scope(fair: Fair) -> None:
    token = await fair.platform.token("rewards:read")
    for name, given in (
        ("RecordGameEvents", {"batchId": "b1", "events": [event(fair, "1")]}),
        ("ExchangeBindToken", {"bindToken": "gbt_x"}),
    ):
        response = await fair.platform.push(operation(name), {"input": given}, token=token)
        assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_who_joined_and_who_bought_is_counted_once(fair: Fair) -> None:
    """Bob came by the game and joined; Carol was a member before, and buys in the end."""
    gateway = fair.gateway
    carol = await gateway.sign_in("o-carol")
    await allow(fair, carol)
    gateway.clock.advance(minutes=10)
    await tell(fair, "b1", event(fair, "1", "phone", at="2026-03-01T12:05:00Z"))
    gateway.clock.advance(minutes=10)
    bob = await gateway.sign_in("o-bob")
    ref = (await exchange(fair, (await allow(fair, bob))["binding"]["bindToken"]))["memberRef"]
    late = {"at": "2026-03-01T12:20:00Z"}
    await tell(
        fair,
        "b2",
        event(fair, "2", "phone", kind="PLAY", member={"memberRef": ref}, **late),
        event(fair, "3", "tablet", member={"memberRef": ref}, **late),
        event(fair, "4", "carols", member={"id": carol.member_id}, **late),
    )
    assert await funnel(fair) == {**NONE, "visitors": 3, "players": 1, "newMembers": 1}
    # What was bought before the first touch was not because of it.
    old = order("o1", carol.member_id, placedAt="2026-03-01T12:19:59Z")
    new = order("o2", carol.member_id, placedAt="2026-03-01T12:20:00Z")
    for number, one in enumerate((old, new)):
        await record(gateway, f"p{number}", [one])
        for _ in range(2):
            await handed(carol, buyers_consumer())
        assert (await funnel(fair))["buyers"] == number
    # Told after the purchase: known at once, with any device.
    await record(gateway, "p3", [order("o3", bob.member_id, placedAt="2026-03-01T12:20:00Z")])
    await tell(fair, "b3", event(fair, "5", "tablet", at="2026-03-01T12:19:00Z"))
    await tell(fair, "b4", event(fair, "6", "phone", at="2026-03-01T12:04:00Z"))
    assert await funnel(fair) == {
        **NONE,
        **{"visitors": 3, "players": 1, "newMembers": 1, "buyers": 2},
    }


async def test_a_funnel_tells_what_its_points_cost(fair: Fair) -> None:
    back = fair.item("r", 3, kind="REVERSAL", reversesExternalId="b")
    await fair.push("b1", fair.item("a", 10), fair.item("b", 3), back)
    found = (await campaigns(fair))[fair.campaign_id]
    assert found["funnel"] == {
        **NONE,
        "points": 10,
        "cost": {"amount": 10, "currency": "CNY"},
    }
    assert found["budget"] == {"total": 1_000, "spent": 10, "left": 990}


async def test_the_funnels_of_a_page_are_one_statement(fair: Fair) -> None:
    with observed_statements() as one:
        await campaigns(fair)
    for number in range(5):
        await open_campaign(fair.platform.code, f"c{number}")
    with observed_statements() as six:
        assert len(await campaigns(fair)) == 6
    assert len(six) == len(one)


async def test_another_partner_sees_none_of_it(fair: Fair) -> None:
    other = await open_fair(fair.gateway, "other")
    await tell(fair, "b1", event(fair, "1"))
    # The same ids are another partner's own.
    assert await tell(other, "b1", event(other, "1", "v1")) == kept(1)
    assert fair.campaign_id not in await campaigns(other)
    assert await funnel(other) == {**NONE, "visitors": 1}
