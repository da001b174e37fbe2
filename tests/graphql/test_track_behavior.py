"""What members look at: kept of those who agreed, forgotten when they no longer do."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from domain import catalogue, custody
from domain.members import SetConsent, set_consent
from domain.outbox import stream
from domain.recommendations import behavior_consumer
from domain.storage import fetch_all, transaction
from tests.graphql.gateway import NOW, Gateway, Session, global_id
from tests.graphql.kept import changed, everything_kept
from tests.graphql.test_set_consent import say

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOBODY = "01977c1e-0000-7000-8000-000000000000"


def event(number: int = 1, **changes: Any) -> dict[str, Any]:
    moment = NOW - timedelta(minutes=number)
    return {"kind": "view", "at": moment.isoformat(), "eventId": f"e-{number}", **changes}


async def track(gateway: Gateway, session: Session, *events: dict[str, Any]) -> Any:
    given = {"events": list(events)}
    return await gateway.send("TrackBehavior", session.access_token, input=given)


async def kept(session: Session) -> list[tuple[Any, ...]]:
    rows = await fetch_all(
        "SELECT kind, product_code, theme_code, at FROM behavior_event"
        " WHERE member_id = $1 ORDER BY at DESC",
        session.member,
    )
    return [(row["kind"], row["product_code"], row["theme_code"], row["at"]) for row in rows]


async def willing(gateway: Gateway, openid: str = "o-alice") -> Session:
    session = await gateway.sign_in(openid)
    await say(gateway, session, "behavior_tracking", granted=True)
    return session


async def product_id(code: str) -> str:
    product = (await catalogue.products_by_code([code]))[code]
    return global_id("Product", product.id)


async def test_nothing_is_kept_without_the_consent(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    before = await everything_kept()
    assert await track(gateway, alice, event()) == {"accepted": 0, "userErrors": []}
    await say(gateway, alice, "personalization", granted=True)
    assert (await track(gateway, alice, event()))["accepted"] == 0
    written = changed(before, await everything_kept())
    assert written == {"member_consent", "outbox", "outbox_stream"}, "the other consent alone"


async def test_what_is_told_is_kept_once(gateway: Gateway) -> None:
    alice, bob = await willing(gateway, "o-alice"), await willing(gateway, "o-bob")
    events = [event(1, productId=await product_id("tea")), event(2, kind="search", theme="home")]
    # The same id within one call is one event: the first.
    payload = await track(gateway, alice, *events, event(2, kind="other"))
    assert payload == {"accepted": 2, "userErrors": []}
    expected = [
        ("view", "tea", None, NOW - timedelta(minutes=1)),
        ("search", None, "home", NOW - timedelta(minutes=2)),
    ]
    assert await kept(alice) == expected

    # An answer that got lost is given again, whatever else is sent with it.
    before = await everything_kept()
    assert (await track(gateway, alice, *events))["accepted"] == 2
    assert await everything_kept() == before
    assert (await track(gateway, alice, *events, event(3)))["accepted"] == 3
    assert len(await kept(alice)) == 3

    # Another member's events may have the same ids.
    assert (await track(gateway, bob, event(1)))["accepted"] == 1
    assert await kept(bob) == [("view", None, None, NOW - timedelta(minutes=1))]
    assert (await track(gateway, bob))["accepted"] == 0


async def test_a_withdrawal_forgets_everything_at_once(gateway: Gateway) -> None:
    alice, bob = await willing(gateway, "o-alice"), await willing(gateway, "o-bob")
    for session in (alice, bob):
        await track(gateway, session, event(1), event(2))
    await say(gateway, alice, "marketing", granted=False)
    assert len(await kept(alice)) == 2, "it was another consent"
    await say(gateway, alice, "behavior_tracking", granted=False, version="whichever")
    assert await kept(alice) == []
    assert len(await kept(bob)) == 2
    assert (await track(gateway, alice, event(3)))["accepted"] == 0
    assert await kept(alice) == []
    gateway.clock.advance(seconds=1)
    await say(gateway, alice, "behavior_tracking", granted=True)
    assert (await track(gateway, alice, event(4)))["accepted"] == 1


async def test_two_records_of_one_person_keep_what_the_person_agrees_to(gateway: Gateway) -> None:
    alice, older = await willing(gateway, "o-alice"), await willing(gateway, "o-older")
    bob, newer = await willing(gateway, "o-bob"), await willing(gateway, "o-newer")
    for session in (alice, older, bob, newer):
        await track(gateway, session, event(1))
    # Bob withdraws, by a way that does not know of what is kept; what came with the other goes too.
    gateway.clock.advance(seconds=1)
    withdrawn = SetConsent(
        member_id=bob.member, purpose="behavior_tracking", granted=False, version="1"
    )
    await set_consent(withdrawn, now=gateway.clock.now())
    assert len(await kept(bob)) == 1
    for keeper, loser in ((alice, older), (bob, newer)):
        await joined(keeper, loser, now=gateway.clock.now())
    assert (len(await kept(alice)), len(await kept(bob))) == (2, 2)
    for _ in range(2):
        # Handed over again, as after a crash, they do no harm.
        for session in (alice, bob):
            await behavior_consumer().handle(await stream(session.member, after=0, limit=100))
        assert (len(await kept(alice)), len(await kept(bob))) == (2, 0)


async def test_what_the_other_record_told_is_kept_once(gateway: Gateway) -> None:
    """Its answer got lost, and the two are one by the time that it is told again."""
    keeper, loser = await willing(gateway, "o-keeper"), await willing(gateway, "o-loser")
    await track(gateway, loser, event(1), event(2))
    merge = await joined(keeper, loser, now=gateway.clock.now())
    assert (await track(gateway, keeper, event(2), event(3)))["accepted"] == 2
    expected = [("view", None, None, NOW - timedelta(minutes=n)) for n in (1, 2, 3)]
    assert await kept(keeper) == expected
    before = await everything_kept()
    assert (await track(gateway, keeper, event(1), event(3)))["accepted"] == 2
    assert await everything_kept() == before
    await transaction(partial(custody.part, merge, by="staff:clerk", now=gateway.clock.now()))
    assert (await kept(keeper), await kept(loser)) == (expected[2:], expected[:2])


async def test_who_never_agreed_is_forgotten_when_two_are_parted(gateway: Gateway) -> None:
    """What was seen while the two were one stays with the keeper, who agreed to nothing."""
    keeper, loser = await gateway.sign_in("o-keeper"), await willing(gateway, "o-loser")
    await track(gateway, loser, event(1))
    merge = await joined(keeper, loser, now=gateway.clock.now())
    assert (await track(gateway, keeper, event(2)))["accepted"] == 1
    assert (len(await kept(keeper)), len(await kept(loser))) == (2, 0)
    before = [len(await stream(one.member, after=0, limit=100)) for one in (keeper, loser)]
    await transaction(partial(custody.part, merge, by="staff:clerk", now=gateway.clock.now()))
    assert (len(await kept(keeper)), len(await kept(loser))) == (1, 1)
    consumer = behavior_consumer()
    for session, seen in zip((keeper, loser), before, strict=True):
        told = (await stream(session.member, after=0, limit=100))[seen:]
        await consumer.handle([one for one in told if consumer.wants(one)])
    assert (len(await kept(keeper)), len(await kept(loser))) == (0, 1)


async def joined(keeper: Session, loser: Session, *, now: datetime) -> custody.Merge:
    because = custody.MergeBecause.STAFF
    work = partial(
        custody.merge, keeper.member, loser.member, because=because, by="staff:clerk", now=now
    )
    merged = await transaction(work)
    assert merged is not None
    return merged


async def test_the_bounds_of_time_and_number(gateway: Gateway) -> None:
    alice = await willing(gateway)
    oldest, newest = NOW - timedelta(days=30), NOW + timedelta(minutes=5)
    fits = [event(1, at=oldest.isoformat()), event(2, at=newest.isoformat())]
    assert (await track(gateway, alice, *fits))["accepted"] == 2
    many = [event(number) for number in range(10, 210)]
    assert (await track(gateway, alice, *many))["accepted"] == 200
    before = await everything_kept()
    beyond = timedelta(microseconds=1)
    for events, field in (
        ([*many, event(300)], ["events"]),
        ([event(400), event(401, at=(oldest - beyond).isoformat())], ["events", "1", "at"]),
        ([event(402, at=(newest + beyond).isoformat())], ["events", "0", "at"]),
        ([event(403, kind="")], ["events", "0", "kind"]),
        ([event(404, kind="k" * 33)], ["events", "0", "kind"]),
        ([event(405, eventId="")], ["events", "0", "eventId"]),
        ([event(406, eventId="e" * 65)], ["events", "0", "eventId"]),
        ([event(407), event(408, theme="poetry")], ["events", "1", "theme"]),
        ([event(409, productId=global_id("Product", NOBODY))], ["events", "0", "productId"]),
    ):
        response = await gateway.ask(TRACK, {"input": {"events": events}}, token=alice.access_token)
        payload = response.json()["data"]["trackBehavior"]
        assert payload == {
            "accepted": None,
            "userErrors": [{"code": "INVALID_INPUT", "field": field}],
        }, field
    assert await everything_kept() == before


TRACK = """mutation($input: TrackBehaviorInput!) { trackBehavior(input: $input) {
    accepted userErrors { code field } } }"""
