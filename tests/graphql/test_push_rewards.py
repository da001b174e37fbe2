"""Rewards that partners push, over signed requests: receipts, what is read of them, campaigns."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from domain import audit, games
from domain.audit import Actor
from domain.games import DefineGameCampaign, GameCampaign
from domain.paging import PageRequest
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.partners import Platform, take_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLERK = Actor(name="staff:clerk", account_id=UUID(int=7), request_id="0199c0ffee")

CAMPAIGNS = """query { partner { campaigns(first: 20) { nodes {
    id title budget { total spent left } } } } }"""
REWARDS = """query { me { gameRewards(first: 20) { nodes { id points campaign { id title }
    occurredAt status prize { code title odds disclosureVersion } } } } }"""
LISTED = """query { gameCampaigns(first: 30) { nodes { id title partner { code } opensAt closesAt
    disclosure { version prizes { title count odds } } } } }"""


@dataclass(frozen=True, slots=True)
class Fair:
    """A partner with a campaign, and a member who allows it."""

    gateway: Gateway
    platform: Platform
    campaign: GameCampaign
    alice: Session
    ref: str

    @property
    def campaign_id(self) -> str:
        """The global id."""
        return global_id("GameCampaign", self.campaign.id)

    def item(self, external_id: str, points: Any = 10, **other: Any) -> dict[str, Any]:
        """A grant of an hour ago; with what is changed."""
        return {
            "externalId": external_id,
            "member": {"memberRef": self.ref},
            "campaignId": self.campaign_id,
            "points": points,
            "occurredAt": "2026-03-01T11:00:00Z",
            "kind": "GRANT",
            **other,
        }

    async def push(self, batch_id: str, *items: dict[str, Any], **how: Any) -> Any:
        """The payload of `pushRewards`."""
        variables = {"input": {"batchId": batch_id, "items": list(items)}}
        response = await self.platform.push(operation("PushRewards"), variables, **how)
        body = response.json()
        assert "errors" not in body, body
        return body["data"]["pushRewards"]

    async def ask(self, query: str, **variables: Any) -> Any:
        """The partner's root field."""
        response = await self.platform.push(query, variables)
        body = response.json()
        assert "errors" not in body, body
        return body["data"]["partner"]


async def open_fair(gateway: Gateway, code: str = "fair", **terms: Any) -> Fair:
    platform = await take_in(gateway, code)
    values: dict[str, Any] = {
        "title_zh": "大转盘",
        "title_en": "Lucky wheel",
        "opens_at": NOW - timedelta(days=1),
        "closes_at": NOW + timedelta(days=30),
        "budget": 1_000,
        **terms,
    }
    command = DefineGameCampaign(partner_code=platform.code, code="wheel", **values)
    campaign = await games.define_game_campaign(command, by=CLERK, now=NOW)
    alice = await gateway.sign_in("o-alice")
    ref = await games.bind_member(platform.partner.account_id, alice.member, now=NOW)
    return Fair(gateway=gateway, platform=platform, campaign=campaign, alice=alice, ref=ref)


@pytest_asyncio.fixture(loop_scope="module")
async def fair(gateway: Gateway) -> Fair:
    return await open_fair(gateway)


async def test_a_batch_is_answered_with_signed_receipts(fair: Fair) -> None:
    items = [
        fair.item("a"),
        fair.item("b", 0),
        fair.item("r", kind="REVERSAL", reversesExternalId="later"),
        fair.item("a"),
        fair.item("c", campaignId="garbage"),
        fair.item("d", member={"id": fair.alice.member_id}, points=5),
    ]
    payload = await fair.push("b1", *items)

    batch = payload["batch"]
    receipts = batch["receipts"]
    assert payload["userErrors"] == []
    assert [one["status"] for one in receipts] == [
        *("APPLIED", "REJECTED", "PENDING"),
        *("DUPLICATE", "REJECTED", "APPLIED"),
    ]
    assert [one["code"] for one in receipts] == [
        *(None, "AMOUNT_INVALID", None),
        *(None, "CAMPAIGN_CLOSED", None),
    ]
    assert [one["firstStatus"] for one in receipts] == [None, None, None, "APPLIED", None, None]
    assert receipts[3]["entryId"] == receipts[0]["entryId"]
    assert [one["entryId"] is None for one in receipts] == [False, True, True, False, True, False]
    assert batch["counts"] == {"applied": 2, "duplicate": 1, "rejected": 2, "pending": 1}
    assert (batch["id"], batch["replayed"]) == ("b1", False)
    told = {"batch": "b1", "partner": fair.platform.code, "receipts": receipts}
    await verify(fair.gateway, told, batch)
    # Who the member is stands in no receipt, not even in the id of the entry.
    plain = base64.urlsafe_b64decode(receipts[0]["entryId"] + "==").decode()
    assert plain.startswith("GameReward:")
    assert str(fair.alice.member) not in plain


async def verify(gateway: Gateway, told: dict[str, Any], signed: dict[str, Any]) -> None:
    """Check a signature as a partner would, by the published keys and the letter of the docs."""
    jwks = (await gateway.http.get("/.well-known/jwks.json")).json()
    [x] = [key["x"] for key in jwks["keys"] if key["kid"] == signed["keyId"]]
    key = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=="))
    canonical = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    words = f"jifen-receipts:1:{hashlib.sha256(canonical).hexdigest()}".encode()
    key.verify(base64.b64decode(signed["signature"]), words)


async def test_a_batch_sent_again_is_answered_byte_for_byte(fair: Fair) -> None:
    variables = {"input": {"batchId": "b1", "items": [fair.item("a"), fair.item("b", 0)]}}
    first = await fair.platform.push(operation("PushRewards"), variables)
    before = await everything_kept()
    fair.gateway.clock.advance(minutes=14)
    again = await fair.platform.push(operation("PushRewards"), variables)
    assert first.content.count(b'"replayed":false') == 1
    assert again.content == first.content.replace(b'"replayed":false', b'"replayed":true')
    assert await everything_kept() == before
    payload = await fair.push("b1", fair.item("a"))
    [error] = payload["userErrors"]
    assert payload["batch"] is None
    assert (error["code"], error["field"]) == ("IDEMPOTENCY_CONFLICT", ["batchId"])
    assert not error["retryable"]


async def test_a_batch_of_too_many_or_none_is_refused_whole(fair: Fair) -> None:
    for items in ([], [fair.item(str(n)) for n in range(501)]):
        payload = await fair.push("b1", *items)
        [error] = payload["userErrors"]
        assert payload["batch"] is None
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["items"])


async def test_pushing_needs_the_scope(fair: Fair) -> None:
    variables = {"input": {"batchId": "b1", "items": [fair.item("a")]}}
    token = await fair.platform.token("rewards:read")
    response = await fair.platform.push(operation("PushRewards"), variables, token=token)
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    token = await fair.platform.token("rewards:write")
    response = await fair.platform.push(CAMPAIGNS, token=token)
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_what_was_pushed_can_be_read_again(fair: Fair) -> None:
    back = fair.item("r", kind="REVERSAL", reversesExternalId="a")
    batch = (await fair.push("b1", back, fair.item("x", 0)))["batch"]
    [grant] = (await fair.push("b2", fair.item("a", 7)))["batch"]["receipts"]
    await fair.push("b3", fair.item("b", 3))

    found = await fair.ask(operation("Receipts"), externalIds=["r", "a", "x", "none"])
    told = [(one["externalId"], one["status"], one["code"]) for one in found["receipts"]]
    # The reversal was of 10 points, and the grant was of 7.
    assert told == [
        ("r", "REJECTED", "AMOUNT_INVALID"),
        ("a", "APPLIED", None),
        ("x", "REJECTED", "AMOUNT_INVALID"),
    ]
    receipt = found["receipts"][1]
    assert receipt["entryId"] == grant["entryId"]
    assert receipt["occurredAt"] == "2026-03-01T11:00:00Z"
    signature = {name: receipt.pop(name) for name in ("signature", "keyId")}
    await verify(fair.gateway, receipt | {"partner": fair.platform.code}, signature)

    summary = (await fair.ask(operation("Batch"), id="b1"))["batch"]
    assert summary == {
        "id": "b1",
        "receivedAt": "2026-03-01T12:00:00Z",
        "counts": batch["counts"],
    }
    assert (await fair.ask(operation("Batch"), id="b9"))["batch"] is None

    page = (await fair.ask(operation("PartnerLedger"), first=1))["ledger"]
    rest = await fair.ask(operation("PartnerLedger"), first=5, after=page["pageInfo"]["endCursor"])
    lines = [*page["nodes"], *rest["ledger"]["nodes"]]
    assert [(one["externalId"], one["points"], one["status"]) for one in lines] == [
        ("a", 7, "APPLIED"),
        ("b", 3, "APPLIED"),
    ]
    [campaign] = (await fair.ask(CAMPAIGNS))["campaigns"]["nodes"]
    assert campaign == {
        "id": fair.campaign_id,
        "title": "大转盘",
        "budget": {"total": 1_000, "spent": 10, "left": 990},
    }


async def test_receipts_of_a_whole_batch_are_read_at_once(fair: Fair) -> None:
    ids = [f"a{number}" for number in range(500)]
    await fair.push("b1", *(fair.item(one, 1) for one in ids[:3]))
    found = await fair.ask(operation("Receipts"), externalIds=ids)
    assert [one["externalId"] for one in found["receipts"]] == ids[:3]


async def test_what_is_another_partners_is_like_nothing(fair: Fair) -> None:
    await fair.push("b1", fair.item("a"))
    other = await open_fair(fair.gateway, "other")
    assert (await other.ask(operation("Batch"), id="b1"))["batch"] is None
    assert (await other.ask(operation("Receipts"), externalIds=["a"]))["receipts"] == []
    assert (await other.ask(operation("PartnerLedger"), first=5))["ledger"]["nodes"] == []
    assert fair.ref != other.ref
    batch = (
        await other.push(
            "b1",
            other.item("a", member={"memberRef": fair.ref}),
            other.item("b", campaignId=fair.campaign_id),
            other.item("r", kind="REVERSAL", reversesExternalId="a"),
        )
    )["batch"]
    assert [one["code"] for one in batch["receipts"]] == [
        "MEMBER_NOT_FOUND",
        "CAMPAIGN_CLOSED",
        None,
    ]
    assert batch["receipts"][2]["status"] == "PENDING"


async def test_a_member_sees_what_they_won_and_nobody_else_does(fair: Fair) -> None:
    gateway = fair.gateway
    token = await gateway.staff()
    campaign = await drawing(gateway, fair.platform.code, token)
    win = fair.item(
        "w", 50, campaignId=campaign, prizeCode="tea", disclosureVersion="1", occurredAt=NOON
    )
    batch = (
        await fair.push(
            "b1",
            win,
            fair.item("a"),
            fair.item("r", kind="REVERSAL", reversesExternalId="a"),
            {**win, "externalId": "w2", "disclosureVersion": "2"},
            {**win, "externalId": "w3", "prizeCode": "cake"},
        )
    )["batch"]
    assert [one["code"] for one in batch["receipts"]] == [
        *(None, None, None),
        *("DISCLOSURE_UNKNOWN", "PRIZE_UNKNOWN"),
    ]
    response = await gateway.ask(REWARDS, token=fair.alice.access_token, language="en")
    won, taken = response.json()["data"]["me"]["gameRewards"]["nodes"]
    assert won == {
        "id": batch["receipts"][0]["entryId"],
        "points": 50,
        "campaign": {"id": campaign, "title": "Lucky draw"},
        "occurredAt": "2026-03-01T12:00:00Z",
        "status": "APPLIED",
        "prize": {"code": "tea", "title": "Tea", "odds": 0.05, "disclosureVersion": "1"},
    }
    assert (taken["status"], taken["prize"], taken["points"]) == ("REVERSED", None, 10)
    node = "query($id: ID!) { node(id: $id) { ... on GameReward { points } } }"
    bob = await gateway.sign_in("o-bob")
    for caller, seen in ((fair.alice.access_token, {"points": 50}), (bob.access_token, None)):
        response = await gateway.ask(node, {"id": won["id"]}, token=caller)
        assert response.json()["data"]["node"] == seen


NOON = "2026-03-01T12:00:00Z"
DEFINE = """mutation($input: DefineGameCampaignInput!) { defineGameCampaign(input: $input) {
    campaign { version budget spent campaign { id } } userErrors { code field } } }"""
CHANGE = """mutation($input: ChangeGameCampaignInput!) { changeGameCampaign(input: $input) {
    campaign { version budget } userErrors { code field ... on BudgetSpent { spent } } } }"""
FREEZE = """mutation($input: FreezeDisclosureInput!) { freezeDisclosure(input: $input) {
    campaign { campaign { disclosure { version } } } userErrors { code field } } }"""
TEA = {"code": "tea", "titleZh": "茶", "titleEn": "Tea", "count": 3, "odds": 0.05}


async def drawing(gateway: Gateway, partner: str, token: str, **other: Any) -> str:
    """A campaign that draws tea, open by now."""
    given = {
        "partnerCode": partner,
        "code": "draw",
        "titleZh": "抽奖",
        "titleEn": "Lucky draw",
        "opensAt": "2026-03-01T11:30:00Z",
        "closesAt": "2026-03-09T00:00:00Z",
        "budget": 500,
        "drawsPrizes": True,
        **other,
    }
    for _ in range(2):
        answer = await act(gateway, DEFINE, token, **given)
        assert answer["userErrors"] == []
    campaign: str = answer["campaign"]["campaign"]["id"]
    listed = await listed_campaigns(gateway, partner)
    assert campaign not in {one["id"] for one in listed}, "its prizes are not told yet"
    answer = await act(gateway, FREEZE, token, campaignId=campaign, prizes=[TEA])
    assert answer["campaign"] == {"campaign": {"disclosure": {"version": "1"}}}
    return campaign


async def act(gateway: Gateway, mutation: str, token: str, **given: Any) -> Any:
    response = await gateway.ask(mutation, {"input": given}, token=token)
    body = response.json()
    assert "errors" not in body, body
    [answer] = body["data"].values()
    return answer


async def listed_campaigns(gateway: Gateway, partner: str) -> list[Any]:
    nodes = (await gateway.ask(LISTED)).json()["data"]["gameCampaigns"]["nodes"]
    return [one for one in nodes if one["partner"]["code"] == partner]


async def test_staff_sets_a_campaign_up_and_the_log_tells(fair: Fair) -> None:
    gateway, partner = fair.gateway, fair.platform.code
    token = await gateway.staff()
    campaign = await drawing(gateway, partner, token)
    [shown] = [one for one in await listed_campaigns(gateway, partner) if one["id"] == campaign]
    assert shown["disclosure"] == {
        "version": "1",
        "prizes": [{"title": "茶", "count": 3, "odds": 0.05}],
    }
    # It has opened: what may be won is settled. The same again changes nothing.
    same = await act(gateway, FREEZE, token, campaignId=campaign, prizes=[TEA])
    assert (same["userErrors"], same["campaign"]["campaign"]["disclosure"]["version"]) == ([], "1")
    other = await act(gateway, FREEZE, token, campaignId=campaign, prizes=[TEA | {"odds": 0.01}])
    assert [one["code"] for one in other["userErrors"]] == ["DISCLOSURE_FROZEN"]

    await fair.push("b1", fair.item("w", 90, campaignId=campaign, occurredAt=NOON))
    change = {"campaignId": campaign, "version": 1}
    low = await act(gateway, CHANGE, token, **change, budget=89)
    assert low["userErrors"] == [{"code": "BUDGET_SPENT", "field": ["budget"], "spent": 90}]
    good = await act(gateway, CHANGE, token, **change, budget=90)
    assert good["campaign"] == {"version": 2, "budget": 90}
    late = await act(gateway, CHANGE, token, **change, budget=91)
    assert [one["code"] for one in late["userErrors"]] == ["DEFINITION_CHANGED"]
    target = audit.Target(kind="game_campaign", id=f"{partner}:draw")
    page = await audit.entries(PageRequest(first=9), target=target)
    assert [one.action.removeprefix("game_campaign.") for one in page.items] == [
        *("change", "freeze", "freeze"),
        *("define", "define"),
    ]


async def test_campaigns_of_a_partner_who_is_disabled_are_not_listed(fair: Fair) -> None:
    gateway, code = fair.gateway, fair.platform.code
    assert [one["id"] for one in await listed_campaigns(gateway, code)] == [fair.campaign_id]
    await games.disable_partner(code, by=CLERK, now=NOW)
    assert await listed_campaigns(gateway, code) == []
    await games.enable_partner(code, by=CLERK, now=NOW)
    assert [one["id"] for one in await listed_campaigns(gateway, code)] == [fair.campaign_id]
