"""Members are told a week before points of theirs expire, once for each moment."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from domain.ledger import Earn, Posted, Source, post, tell_expiring
from tests.graphql import conftest
from tests.graphql.gateway import NOW, Gateway, Session
from tests.graphql.operations import operation
from tests.graphql.points import held

gateway = conftest.own_gateway


async def earn(who: Session, points: int, *, expires: datetime) -> None:
    source = Source(kind="test", reference="expiring")
    command = Earn(
        member_id=who.member, points=points, source=source, effective_at=NOW, expires_at=expires
    )
    [outcome] = await post([command], now=NOW)
    assert isinstance(outcome, Posted)


async def told(gateway: Gateway, who: Session) -> list[tuple[str, str]]:
    body = (await gateway.ask(operation("Inbox"), token=who.access_token, language="en")).json()
    return [
        (one["title"], one["body"])
        for one in body["data"]["me"]["notifications"]["nodes"]
        if one["kind"] == "POINTS_EXPIRING"
    ]


async def tell(after: timedelta = timedelta()) -> int:
    return await tell_expiring(now=NOW + after, within_s=30)


async def test_members_are_told_once_for_each_moment(gateway: Gateway) -> None:
    alice, bob = await gateway.sign_in("o-alice"), await gateway.sign_in("o-bob")
    # A midnight of Shanghai, twice; and a moment that is more than a week off.
    first = datetime.fromisoformat("2026-03-08T00:00:00+08:00")
    await earn(alice, 30, expires=first)
    await earn(alice, 12, expires=first)
    await earn(alice, 5, expires=NOW + timedelta(days=7, microseconds=1))
    await earn(bob, 7, expires=NOW + timedelta(days=7))
    # Two workers at once are as one.
    assert sum(await asyncio.gather(tell(), tell())) == 2
    assert await told(gateway, alice) == [
        ("42 points are about to expire", "42 of your points expire on 2026-03-08.")
    ]
    assert await told(gateway, bob) == [
        ("7 points are about to expire", "7 of your points expire on 2026-03-08.")
    ]
    assert await tell() == 0
    assert await tell(timedelta(hours=1)) == 1
    assert len(await told(gateway, alice)) == 2
    # What has expired, and what was told, is told of no more.
    assert await tell(timedelta(days=7, hours=1)) == 0


async def test_points_that_are_held_are_not_told_of(gateway: Gateway) -> None:
    alice = await gateway.sign_in()
    await earn(alice, 30, expires=NOW + timedelta(days=3))
    await held(gateway, alice, 30)
    assert await tell() == 0
    assert await told(gateway, alice) == []
