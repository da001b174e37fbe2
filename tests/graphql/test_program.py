"""What everybody may know of the programme."""

from __future__ import annotations

from tests.graphql import conftest
from tests.graphql.gateway import Gateway

gateway = conftest.own_gateway

QUERY = "{ program { name timeZone currency } }"


async def test_the_programme_is_told_to_everybody(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    programme = {"name": "茶语会员", "timeZone": "Asia/Shanghai", "currency": "CNY"}
    callers = [
        None,
        alice.access_token,
        await gateway.shop(),
        await gateway.partner(),
        await gateway.staff(),
    ]
    for token in callers:
        response = await gateway.ask(QUERY, token=token)
        assert response.json() == {"data": {"program": programme}}
    for language, name in (
        ("en", "Teatalk Club"),
        ("en-GB,en;q=0.9", "Teatalk Club"),
        ("fr,en;q=0.5", "Teatalk Club"),
        ("zh-CN", "茶语会员"),
        ("en;q=0.3, zh;q=0.4", "茶语会员"),
        ("tlh", "茶语会员"),
        ("", "茶语会员"),
        (";;;q=,,", "茶语会员"),
    ):
        response = await gateway.ask(QUERY, language=language)
        assert response.json()["data"]["program"]["name"] == name, language


async def test_a_gateway_on_which_nothing_was_set_up_answers_all_the_same(
    bare_gateway: Gateway,
) -> None:
    response = await bare_gateway.ask(QUERY)
    assert response.json()["data"]["program"] == {
        "name": "积分会员",
        "timeZone": "Asia/Shanghai",
        "currency": "CNY",
    }
    session = await bare_gateway.sign_in()
    query = """{ me {
        tier { since } points { available } recommendations(surface: HOME) { items { rank } } } }"""
    response = await bare_gateway.ask(query, token=session.access_token)
    assert response.json() == {
        "data": {"me": {"tier": None, "points": {"available": 0}, "recommendations": {"items": []}}}
    }
