"""The home page: one query, verbatim, compared whole."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from domain import ledger, notifications, recommendations, rewards, storage, tiers
from domain.ledger import AfterMonths
from domain.purchases import EarningRule, publish_rule
from resolvers import context
from tests.closing import ClosingReport
from tests.graphql import conftest
from tests.graphql.alice import a_life, alices_home, in_english, newest_event
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import applied, order, record
from tests.graphql.programme import perk_id

gateway = conftest.own_gateway

STATEMENTS_MAX = 8


async def home(gateway: Gateway, session: Session, **how: Any) -> httpx.Response:
    return await gateway.ask(operation("Home"), token=session.access_token, **how)


async def whole(gateway: Gateway, session: Session, **how: Any) -> Any:
    """The data of a home page without any error."""
    response = await home(gateway, session, **how)
    assert response.status_code == 200
    assert response.json().keys() == {"data"}, response.text
    return response.json()["data"]


async def test_home_says_exactly_what_the_purchases_led_to(gateway: Gateway) -> None:
    alice = await a_life(gateway)
    expected = await alices_home(alice)
    before = await everything_kept()

    assert await whole(gateway, alice) == expected
    assert await whole(gateway, alice, language="zh-CN,en;q=0.8") == expected
    assert await whole(gateway, alice, language="en") == in_english(expected)
    assert await everything_kept() == before


async def test_statements_stay_within_eight_whatever_the_history(
    gateway: Gateway, report: ClosingReport
) -> None:
    counts = []
    for number, openid in ((0, "o-nothing"), (1, "o-one"), (60, "o-sixty")):
        session = await gateway.sign_in(openid)
        orders = [order(f"{openid}-{nth}", session.member_id) for nth in range(number)]
        if orders:
            applied(await record(gateway, openid, orders))
        await recommendations.refresh_popularity(now=NOW)
        with storage.observed_statements() as statements:
            page = await whole(gateway, session)
        assert len(page["me"]["ledger"]["edges"]) == min(number, 20)
        assert page["me"]["points"]["available"] == 88 * number
        assert len(statements) <= STATEMENTS_MAX, statements
        counts.append(len(statements))
    assert counts[1] == counts[2], "the history's length costs no statement"
    report.notes.append(
        f"home on {storage.dialect()}: {counts[0]} statements for a new member, {counts[1]} after"
        f" 1 order, {counts[2]} after 60 (at most {STATEMENTS_MAX})"
    )


async def test_home_of_a_member_without_anything(gateway: Gateway) -> None:
    session = await gateway.sign_in()

    assert (await whole(gateway, session))["me"] == {
        "id": session.member_id,
        "version": await newest_event(session),
        "nickname": "",
        "avatarUrl": None,
        "unreadCount": 0,
        "tier": {
            "level": {"code": "bronze", "name": "青铜会员", "rank": 0, "threshold": 0},
            "since": "2026-03-01T12:00:00Z",
            "keepUntil": None,
            "progress": {
                "qualifyingPoints": 0,
                "nextLevel": {"code": "silver", "name": "白银会员"},
                "pointsToNext": 1_000,
                "pointsToKeep": 0,
                "windowEndsAt": None,
                "criteria": [{"kind": "QUALIFYING_POINTS", "current": 0, "required": 1_000}],
            },
            "perks": [
                {
                    "id": global_id("Perk", perk_id("bronze", "shipping")),
                    "code": "shipping",
                    "title": "包邮",
                    "description": "满 99 元",
                    "kind": "FREE_SHIPPING",
                    "value": "99",
                    "quota": 1,
                    "remaining": 1,
                    "resetsAt": "2026-03-31T16:00:00Z",
                }
            ],
        },
        "points": {"available": 0, "pending": 0, "held": 0, "debt": 0, "expiringSoon": []},
        "ledger": {"edges": [], "pageInfo": {"hasNextPage": False, "endCursor": None}},
        "coupons": {"nodes": []},
        "recommendations": {"personalized": False, "items": []},
    }


async def test_the_journal_is_read_page_by_page(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    await record(gateway, "b", [order(f"O{nth}", session.member_id) for nth in range(7)])
    query = """query($after: String) { me { ledger(first: 3, after: $after) {
        nodes { balanceAfter } pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""
    pages, after = [], None
    while True:
        response = await gateway.ask(query, {"after": after}, token=session.access_token)
        page = response.json()["data"]["me"]["ledger"]
        pages.append([node["balanceAfter"] for node in page["nodes"]])
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert pages == [[616, 528, 440], [352, 264, 176], [88]]


async def test_points_mature_and_expire_without_a_write(gateway: Gateway) -> None:
    rule = EarningRule(
        code="standard",
        version=0,
        permille_per_yuan=1_000,
        matures_after_days=7,
        expiry=AfterMonths(1),
    )
    await publish_rule(rule, now=NOW)
    member = await gateway.sign_in()
    await record(gateway, "b", [order("O", member.member_id)])  # placed 1 March, 19:00 in Shanghai
    matures = NOW.replace(day=8, hour=11)
    expires = NOW.replace(month=4, day=1, hour=16)
    soon = [{"points": 88, "expiresAt": "2026-04-01T16:00:00Z"}]

    # Each: the moment, then available, pending, expiring soon.
    for seconds, moment, available, pending, expiring in (
        (0, NOW, 0, 88, []),
        (-1, matures, 0, 88, []),
        (0, matures, 88, 0, soon),
        (-1, expires, 88, 0, soon),
        (0, expires, 0, 0, []),
    ):
        gateway.clock.moment = moment
        gateway.clock.advance(seconds=seconds)
        session = await gateway.sign_in()
        before = await everything_kept()
        me = (await whole(gateway, session))["me"]
        assert me["points"] == {
            "available": available,
            "pending": pending,
            "held": 0,
            "debt": 0,
            "expiringSoon": expiring,
        }, gateway.clock.moment
        # What only fell due stands in no journal until the next posting writes it.
        assert [edge["node"]["kind"] for edge in me["ledger"]["edges"]] == ["EARN"]
        assert await everything_kept() == before


# What breaks, where it is patched, and which fields of `me` have nothing else to say then.
BROKEN: dict[str, tuple[Any, str, set[str]]] = {
    "levels": (tiers, "standing", {"tier"}),
    "balances": (ledger, "balance", {"points"}),
    "journal": (ledger, "journal", {"ledger"}),
    "coupons": (rewards, "coupons", {"coupons"}),
    "popularity": (recommendations, "recommended", {"recommendations"}),
    "inbox": (notifications, "freshness", {"version", "unreadCount"}),
}


async def fail(*_: object, **__: object) -> None:
    raise RuntimeError("the password is swordfish")


def faults(response: httpx.Response) -> list[list[str | int]]:
    """The paths of the errors of an answer, each of which is masked and coded."""
    assert response.status_code == 200
    assert "swordfish" not in response.text
    for error in response.json()["errors"]:
        assert error["message"] == "Internal error"
        assert error["extensions"] == {
            "code": "INTERNAL",
            "requestId": response.headers["x-request-id"],
        }
    return sorted(error["path"] for error in response.json()["errors"])


async def test_a_failing_service_blanks_its_own_block_alone(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alice = await a_life(gateway)
    page = await alices_home(alice)

    for module, function, fields in BROKEN.values():
        with monkeypatch.context() as patched:
            patched.setattr(module, function, fail)
            response = await home(gateway, alice)
        assert faults(response) == [["me", field] for field in sorted(fields)]
        assert response.json()["data"] == {**page, "me": {**page["me"], **dict.fromkeys(fields)}}
        assert "swordfish" in capsys.readouterr().err, "the log knows what the client must not"
    assert await whole(gateway, alice) == page


async def test_without_the_programme_there_are_still_points(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The programme gives levels their time zone and prices their currency."""
    alice = await a_life(gateway)
    page = await alices_home(alice)
    page["program"] = page["me"]["tier"] = None
    for item in page["me"]["recommendations"]["items"]:
        item["product"]["price"] = None

    monkeypatch.setattr(context, "program", fail)
    response = await home(gateway, alice)

    assert response.json()["data"] == page
    prices = [["me", "recommendations", "items", place, "product", "price"] for place in (0, 1)]
    assert faults(response) == [*prices, ["me", "tier"], ["program"]]
