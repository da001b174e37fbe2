"""What is left out for whom: not sold, of a higher level, not offered, not new, not wanted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import pytest

from domain import catalogue, members, recommendations, rewards, tiers
from domain.audit import Actor
from domain.catalogue import CatalogueItem
from domain.recommendations import ScoringSettings, not_interested
from domain.revisions import revision
from domain.rewards import RewardDefinition
from tests.domain.access.fixtures import OPERATOR
from tests.graphql import conftest
from tests.graphql.etag_histories import MICROSECOND
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import changed, everything_kept
from tests.graphql.points import token_of
from tests.graphql.programme import HOME, PRODUCTS, REWARDS, TEA
from tests.graphql.tasting import (
    POT,
    TIN,
    a_crowd,
    agreeing,
    buys,
    product_id,
    shown,
    titles,
    trained,
)
from tests.graphql.test_set_consent import say

gateway = conftest.own_gateway

LONGJING, CUP, BAG, DIAMOND = PRODUCTS
SET_NOT_INTERESTED: Final = """mutation($input: SetNotInterestedInput!) {
  setNotInterested(input: $input) { notInterested userErrors { code message field retryable } } }"""


@pytest.fixture
async def alice(gateway: Gateway) -> Session:
    """Somebody who agreed and bought tea."""
    await a_crowd(gateway)
    session = await agreeing(gateway, "o-alice")
    await buys(gateway, session, "tea")
    await recommendations.refresh_popularity(now=NOW)
    return session


async def test_what_is_no_longer_sold_is_shown_to_nobody(gateway: Gateway, alice: Session) -> None:
    await trained(gateway)
    carol = await gateway.sign_in("o-carol")
    gone = [replace(one, active=False) for one in (POT, CUP)]
    await catalogue.upsert_products(gone, now=NOW)
    assert titles(await shown(gateway, alice)) == [
        one.title for one in (TIN, LONGJING, BAG, DIAMOND)
    ]
    assert titles(await shown(gateway, carol)) == [LONGJING.title]
    await catalogue.upsert_products([POT, CUP], now=NOW)
    assert titles(await shown(gateway, alice, first=1)) == [POT.title]


async def test_a_product_of_a_level_is_shown_from_that_level_on(
    gateway: Gateway, alice: Session
) -> None:
    await catalogue.upsert_products([replace(POT, level_code="silver")], now=NOW)
    by = Actor(name="staff:clerk", account_id=OPERATOR.account_id, request_id="level")
    silver = tiers.GrantLevel(
        member=members.ById(alice.member), level="silver", reason="kind", until=NOW + timedelta(9)
    )
    dora = await agreeing(gateway, "o-dora")
    await gateway.send("SetInterests", dora.access_token, input={"themes": ["home"]})
    await trained(gateway)
    # Of dora nothing was computed: the level decides about what is popular, too.
    assert POT.title not in titles(await shown(gateway, alice))
    assert titles(await shown(gateway, dora))[0] == CUP.title
    for session in (alice, dora):
        grant = replace(silver, member=members.ById(session.member))
        await tiers.grant_level(grant, by=by, now=NOW)
    # Who stood below it when the lists were computed waits for the next ones.
    assert POT.title not in titles(await shown(gateway, alice))
    await trained(gateway)
    assert titles(await shown(gateway, alice))[0] == POT.title
    assert POT.title in titles(await shown(gateway, dora))
    # Whoever is not looked at is shown what everybody may have, whatever their level.
    await say(gateway, alice, "personalization", granted=False)
    assert titles(await shown(gateway, alice)) == [LONGJING.title, CUP.title]


async def test_a_level_that_was_lost_hides_at_once(gateway: Gateway, alice: Session) -> None:
    by = Actor(name="staff:clerk", account_id=OPERATOR.account_id, request_id="level")
    grant = tiers.GrantLevel(
        member=members.ById(alice.member), level="silver", reason="kind", until=NOW + timedelta(9)
    )
    granted = await tiers.grant_level(grant, by=by, now=NOW)
    await catalogue.upsert_products([replace(POT, level_code="silver")], now=NOW)
    await trained(gateway)
    assert titles(await shown(gateway, alice))[0] == POT.title
    await tiers.end_level_grant(granted.id, by=by, now=NOW)
    assert POT.title not in titles(await shown(gateway, alice))


def gives(code: str, **changes: Any) -> RewardDefinition:
    """A reward that gives the product of the same code."""
    return replace(REWARDS[0], code=f"gives-{code}", product_code=code, **changes)


async def test_beside_rewards_stands_what_rewards_give_while_they_are_on_offer(
    gateway: Gateway, alice: Session
) -> None:
    # A gift of the programme gives a cup.
    soon, later = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    await rewards.define_rewards(
        [
            gives("tea", id=uuid4(), ends_at=later),
            gives("pot", id=uuid4(), begins_at=soon),
            gives("bag", id=uuid4()),
        ],
        now=NOW,
    )
    carol = await gateway.sign_in("o-carol")
    gateway.clock.moment = soon
    await trained(gateway)
    for moment, personal, plain in (
        (soon - MICROSECOND, [CUP, LONGJING, BAG], [LONGJING, CUP, BAG]),
        (soon, [POT, CUP, LONGJING, BAG], [LONGJING, CUP, POT, BAG]),
        (later - MICROSECOND, [POT, CUP, LONGJING, BAG], [LONGJING, CUP, POT, BAG]),
        (later, [POT, CUP, BAG], [CUP, POT, BAG]),
    ):
        gateway.clock.moment = moment
        for session, expected in ((alice, personal), (carol, plain)):
            page = await shown(gateway, session, "REWARDS")
            assert titles(page) == [one.title for one in expected], (moment, session)
            assert page["personalized"] is (session is alice)


async def test_a_reward_that_the_member_cannot_redeem_is_not_recommended(
    gateway: Gateway, alice: Session
) -> None:
    """Sold out, or for a higher level; an answer with an ETag says so as soon as it is true."""
    carol = await gateway.sign_in("o-carol")
    last = uuid4()
    await rewards.define_rewards(
        [
            gives("pot", id=last, kind="GIFT", stock=1, points_price=1),
            gives("bag", id=uuid4(), level_required="silver"),
        ],
        now=NOW,
    )
    await trained(gateway)
    assert titles(await shown(gateway, alice, "REWARDS")) == [POT.title, CUP.title]
    assert titles(await shown(gateway, carol, "REWARDS")) == [CUP.title, POT.title]
    by = Actor(name="staff:clerk", account_id=OPERATOR.account_id, request_id="level")
    grant = tiers.GrantLevel(
        member=members.ById(alice.member), level="silver", reason="kind", until=NOW + timedelta(9)
    )
    await tiers.grant_level(grant, by=by, now=NOW)
    assert titles(await shown(gateway, alice, "REWARDS")) == [POT.title, CUP.title, BAG.title]
    before = await revision(carol.member, now=NOW)
    given = {"rewardId": global_id("Reward", last), "idempotencyKey": "the-last-pot"}
    token = await token_of(gateway, alice)
    assert (await gateway.send("RedeemReward", token, input=given))["userErrors"] == []
    assert titles(await shown(gateway, alice, "REWARDS")) == [CUP.title, BAG.title]
    assert titles(await shown(gateway, carol, "REWARDS")) == [CUP.title]
    assert await revision(carol.member, now=NOW) != before
    # Whoever is not looked at has no level.
    await say(gateway, alice, "personalization", granted=False)
    assert titles(await shown(gateway, alice, "REWARDS")) == [CUP.title]


def new(code: str, *, theme: catalogue.Theme, days: int) -> CatalogueItem:
    """A product that was introduced so many days ago."""
    introduced_at = NOW - timedelta(days=days)
    return CatalogueItem(code=code, title=code, theme=theme, introduced_at=introduced_at)


async def test_letters_are_about_what_is_new(gateway: Gateway, alice: Session) -> None:
    await catalogue.upsert_products(
        [
            new("oolong", theme=TEA, days=29),
            new("sofa", theme=HOME, days=1),
            new("lamp", theme=HOME, days=31),
            new("matcha", theme=TEA, days=-1),
        ],
        now=NOW,
    )
    await gateway.send("SetInterests", alice.access_token, input={"themes": ["tea"]})
    await trained(gateway)
    dora, carol = await agreeing(gateway, "o-dora"), await gateway.sign_in("o-carol")
    await gateway.send("SetInterests", dora.access_token, input={"themes": ["tea"]})
    both = ["oolong", "sofa"]
    assert titles(await shown(gateway, alice, "LETTERS")) == both
    assert titles(await shown(gateway, dora, "LETTERS")) == both
    assert titles(await shown(gateway, carol, "LETTERS")) == ["sofa", "oolong"]
    for moment, known, unknown in (
        (NOW + timedelta(days=1) - MICROSECOND, both, both),
        (NOW + timedelta(days=1), ["sofa"], ["matcha", "sofa"]),
        # Of what was computed nothing is left to show, but there is something new.
        (NOW + timedelta(days=29), ["matcha"], ["matcha"]),
        (NOW + timedelta(days=31) - MICROSECOND, ["matcha"], ["matcha"]),
        (NOW + timedelta(days=31), [], []),
    ):
        gateway.clock.moment = moment
        for session, expected in ((alice, known), (dora, unknown), (carol, unknown)):
            page = await shown(gateway, session, "LETTERS")
            assert sorted(titles(page)) == expected, (moment, session)


async def test_a_letter_is_for_who_cares_for_the_theme(gateway: Gateway, alice: Session) -> None:
    await catalogue.upsert_products([new("oolong", theme=TEA, days=29)], now=NOW)
    await trained(gateway)
    dora, carol = await agreeing(gateway, "o-dora"), await gateway.sign_in("o-carol")
    await gateway.send("SetInterests", dora.access_token, input={"themes": ["tea"]})
    page = await shown(gateway, dora, "LETTERS")
    [mine] = page["items"]
    assert page["letter"] == {
        "title": "茶饮上新：oolong",
        "body": "您可能喜欢的茶饮新品：oolong。欢迎来看看。",
    }
    english = await shown(gateway, dora, "LETTERS", language="en")
    assert english["letter"]["title"] == "New in Tea: oolong"
    assert (await shown(gateway, dora, "HOME"))["letter"] is None
    assert [(one["kind"], one["contribution"]) for one in mine["reasons"]] == [
        ("INTEREST", ScoringSettings().theme_weight)
    ]
    plain = await shown(gateway, carol, "LETTERS")
    assert plain["letter"] is None
    [everybodys] = plain["items"]
    assert (everybodys["shelf"], everybodys["score"], everybodys["reasons"]) == ("POPULAR", 0, [])


# Not interested


async def say_not_interested(
    gateway: Gateway, session: Session, product: str, *, holds: bool = True
) -> Any:
    given = {"productId": product, "notInterested": holds}
    token = await token_of(gateway, session)
    response = await gateway.ask(SET_NOT_INTERESTED, {"input": given}, token=token, language="en")
    body = response.json()
    assert "errors" not in body, body
    return body["data"]["setNotInterested"]


def refused(code: str, message: str, field: list[str] | None) -> dict[str, Any]:
    error = {"code": code, "message": message, "field": field, "retryable": False}
    return {"notInterested": None, "userErrors": [error]}


async def test_what_is_not_wanted_is_hidden_everywhere_at_once(
    gateway: Gateway, alice: Session
) -> None:
    await trained(gateway)
    pot, tea = await product_id("pot"), await product_id("tea")
    before = await everything_kept()
    for product in (pot, tea, tea):
        payload = await say_not_interested(gateway, alice, product)
        assert payload == {"notInterested": True, "userErrors": []}
    written = changed(before, await everything_kept())
    assert written == {"not_interested", "outbox", "outbox_stream"}
    assert await rows() == 2, "said twice, it is kept once"
    for surface in ("HOME", "AFTER_PURCHASE"):
        shelves = [None, "BUY_AGAIN", "DISCOVER", "POPULAR"]
        for shelf in shelves:
            hidden = {POT.title, LONGJING.title}
            assert not hidden & {*titles(await shown(gateway, alice, surface, shelf=shelf))}
    # Others are shown it on.
    assert LONGJING.title in titles(await shown(gateway, await gateway.sign_in("o-carol")))

    payload = await say_not_interested(gateway, alice, pot, holds=False)
    assert payload == {"notInterested": False, "userErrors": []}
    assert titles(await shown(gateway, alice, first=1)) == [POT.title]
    before = await everything_kept()
    await say_not_interested(gateway, alice, pot, holds=False)
    assert await everything_kept() == before, "taken back twice"


async def rows() -> int:
    return len((await everything_kept())["not_interested"])


async def test_what_cannot_be_said_is_refused_and_changes_nothing(
    gateway: Gateway, alice: Session
) -> None:
    pot = await product_id("pot")
    carol = await gateway.sign_in("o-carol")
    before = await everything_kept()
    nobody = global_id("Product", "01977c1e-0000-7000-8000-000000000000")
    for holds in (True, False):
        payload = await say_not_interested(gateway, alice, nobody, holds=holds)
        message = "The input is not valid: there is no such product"
        assert payload == refused("INVALID_INPUT", message, ["productId"])
    message = "Personal recommendations are switched off; switch them on first"
    payload = await say_not_interested(gateway, carol, pot)
    assert payload == refused("PERSONALIZATION_OFF", message, None)
    # Taking back needs no agreement: there is nothing to take back.
    payload = await say_not_interested(gateway, carol, pot, holds=False)
    assert payload == {"notInterested": False, "userErrors": []}
    for bad in ("pot", global_id("Member", alice.member)):
        given = {"productId": bad, "notInterested": True}
        response = await gateway.ask(SET_NOT_INTERESTED, {"input": given}, token=alice.access_token)
        [error] = response.json()["errors"]
        assert error["extensions"]["code"] == "BAD_ID"
    assert await everything_kept() == before


async def test_of_a_thousand_products_at_most(
    gateway: Gateway, alice: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(not_interested, "NOT_INTERESTED_MAX", 2)
    assert recommendations.NOT_INTERESTED_MAX == 1_000
    for code in ("pot", "cup"):
        await say_not_interested(gateway, alice, await product_id(code))
    before = await everything_kept()
    assert await say_not_interested(gateway, alice, await product_id("bag")) == refused(
        "INVALID_INPUT", "The input is not valid: of at most 2 products", ["productId"]
    )
    payload = await say_not_interested(gateway, alice, await product_id("cup"))
    assert payload == {"notInterested": True, "userErrors": []}
    assert await everything_kept() == before
