"""`me.tier.forecast` as clients plan to ask for it: what keeps a level, and when it falls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain import members, storage, tiers
from domain.tiers import LevelRules
from tests.closing import ClosingReport
from tests.domain.access.fixtures import OPERATOR
from tests.domain.tiers.levels import SHANGHAI
from tests.graphql import conftest
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.orders import applied, line, order, record

gateway = conftest.own_gateway


async def forecast(gateway: Gateway, session: Session) -> Any:
    """The forecast, word for word as planned; reading it changes nothing."""
    before = await everything_kept()
    response = await gateway.ask(operation("TierForecast"), token=session.access_token)
    assert response.json().keys() == {"data"}, response.text
    assert await everything_kept() == before
    return response.json()["data"]["me"]["tier"]["forecast"]


async def buy(gateway: Gateway, session: Session, *, yuan: int) -> None:
    """An order of a bag, paid now."""
    now = gateway.clock.now()
    name = f"{session.member}-{now.isoformat()}"
    bag = line("bag", yuan * 100)
    one = order(name, session.member_id, bag, placedAt=now.isoformat())
    applied(await record(gateway, name, [one]))


async def test_a_new_member_has_nothing_to_lose(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    assert await forecast(gateway, alice) == {
        "keepsLevel": True,
        "levelAtRiskAt": None,
        "pointsToKeep": 0,
        "pointsToNext": 1_000,
        "expiresFirst": None,
    }


async def test_what_keeps_a_level_and_when_it_falls(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=1_200)
    told = await forecast(gateway, alice)
    # Silver since 1 March 2026 holds through 1 March 2027, in Shanghai.
    assert told == {
        "keepsLevel": False,
        "levelAtRiskAt": "2027-03-01T16:00:00Z",
        "pointsToKeep": 1_000,
        "pointsToNext": 1_800,
        "expiresFirst": {"points": 1_200, "expiresAt": "2027-03-01T16:00:00Z"},
    }
    gateway.clock.advance(days=60)
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=900)  # Silver earns a tenth more.
    assert await forecast(gateway, alice) == {
        **told,
        "pointsToKeep": 10,
        "pointsToNext": 810,
    }
    gateway.clock.advance(days=1)
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=10)
    assert await forecast(gateway, alice) == {
        **told,
        "keepsLevel": True,
        "levelAtRiskAt": None,
        "pointsToKeep": 0,
        "pointsToNext": 799,
    }


async def test_grace_is_part_of_the_forecast(gateway: Gateway) -> None:
    await tiers.set_level_rules(LevelRules(grace_days=14), now=NOW)
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=1_000)
    assert (await forecast(gateway, alice))["levelAtRiskAt"] == "2027-03-15T16:00:00Z"
    gateway.clock.advance(days=370)
    alice = await gateway.sign_in()
    # In its grace, whether the workers have seen to it or not.
    told = await forecast(gateway, alice)
    assert (told["keepsLevel"], told["levelAtRiskAt"]) == (False, "2027-03-15T16:00:00Z")


async def test_a_granted_level_falls_when_the_grant_ends(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    until = NOW + timedelta(days=3, seconds=7)
    grant = tiers.GrantLevel(
        member=members.ById(alice.member), level="gold", reason="a guest", until=until
    )
    await tiers.grant_level(grant, by=OPERATOR, now=NOW)
    told = await forecast(gateway, alice)
    assert (told["keepsLevel"], told["levelAtRiskAt"]) == (False, "2026-03-04T12:00:07Z")
    assert told["pointsToNext"] is None
    assert told["pointsToKeep"] == 3_000
    # What is earned meanwhile is kept beside it, and does not keep gold.
    await buy(gateway, alice, yuan=1_000)
    told = await forecast(gateway, alice)
    assert (told["keepsLevel"], told["levelAtRiskAt"]) == (False, "2026-03-04T12:00:07Z")
    gateway.clock.moment = until
    told = await forecast(gateway, await gateway.sign_in())
    assert (told["keepsLevel"], told["levelAtRiskAt"]) == (False, "2027-03-01T16:00:00Z")


async def test_what_is_missing_to_keep_a_granted_level_is_what_earns_it(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=900)
    until = NOW + timedelta(days=30)
    grant = tiers.GrantLevel(
        member=members.ById(alice.member), level="gold", reason="a guest", until=until
    )
    await tiers.grant_level(grant, by=OPERATOR, now=NOW)
    gateway.clock.advance(days=2)
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=1_900)
    query = """{ me { tier { level { code } progress { pointsToKeep windowEndsAt }
        forecast { pointsToKeep criteriaToKeep { kind current required } } } } }"""
    answer = await gateway.ask(query, token=alice.access_token)
    assert answer.json()["data"]["me"]["tier"] == {
        "level": {"code": "gold"},
        "progress": {"pointsToKeep": 200, "windowEndsAt": "2026-03-31T12:00:00Z"},
        "forecast": {
            "pointsToKeep": 200,
            "criteriaToKeep": [{"kind": "QUALIFYING_POINTS", "current": 2_800, "required": 3_000}],
        },
    }
    gateway.clock.advance(days=1)
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=200)
    # Gold since 4 March by what was bought: the end of the grant changes nothing.
    told = await forecast(gateway, alice)
    assert (told["pointsToKeep"], told["levelAtRiskAt"]) == (3_000, "2027-03-04T16:00:00Z")
    gateway.clock.moment = until
    alice = await gateway.sign_in()
    await tiers.settle_due_levels(now=until, zone=SHANGHAI)
    answer = await gateway.ask("{ me { tier { level { code } } } }", token=alice.access_token)
    assert answer.json()["data"]["me"]["tier"] == {"level": {"code": "gold"}}
    assert await forecast(gateway, alice) == told


async def test_what_a_level_asks_beside_points_is_told(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await storage.execute(
        "UPDATE level SET threshold = 0, amount_fen = 300000, purchases = 4, match = 'ANY'"
        " WHERE code = 'gold'"
    )
    await buy(gateway, alice, yuan=1_000)
    query = """{ me { tier {
        progress { nextLevel { threshold amount purchases match }
                   criteria { kind current required } }
        forecast { criteriaToKeep { kind current required } }
    } } }"""
    response = await gateway.ask(query, token=alice.access_token)
    tier = response.json()["data"]["me"]["tier"]
    assert tier["progress"] == {
        "nextLevel": {"threshold": 0, "amount": 300_000, "purchases": 4, "match": "ANY"},
        "criteria": [
            {"kind": "PURCHASE_AMOUNT", "current": 100_000, "required": 300_000},
            {"kind": "PURCHASES", "current": 1, "required": 4},
        ],
    }
    assert tier["forecast"]["criteriaToKeep"] == [
        {"kind": "QUALIFYING_POINTS", "current": 0, "required": 1_000}
    ]


async def test_a_forecast_costs_the_same_statements_whatever_the_history(
    gateway: Gateway, report: ClosingReport
) -> None:
    counts = []
    for number, openid in ((0, "o-nothing"), (1, "o-one"), (20, "o-twenty")):
        session = await gateway.sign_in(openid)
        for _ in range(number):
            gateway.clock.advance(seconds=1)
            await buy(gateway, session, yuan=400)
        with storage.observed_statements() as statements:
            response = await gateway.ask(operation("TierForecast"), token=session.access_token)
        assert response.json().keys() == {"data"}
        counts.append(len(statements))
    assert len(set(counts)) == 1, counts
    report.notes.append(f"forecast on {storage.dialect()}: {counts[0]} statements")


async def test_staff_reads_the_forecast_too(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await buy(gateway, alice, yuan=3_000)
    query = """query($by: MemberRef!) { staff { member(by: $by) { tier {
        level { code } forecast { keepsLevel levelAtRiskAt expiresFirst { points } } } } } }"""
    response = await gateway.ask(
        query, {"by": {"id": alice.member_id}}, token=await gateway.staff()
    )
    assert response.json() == {
        "data": {
            "staff": {
                "member": {
                    "tier": {
                        "level": {"code": "gold"},
                        "forecast": {
                            "keepsLevel": False,
                            "levelAtRiskAt": "2027-03-01T16:00:00Z",
                            "expiresFirst": {"points": 3_000},
                        },
                    }
                }
            }
        }
    }
