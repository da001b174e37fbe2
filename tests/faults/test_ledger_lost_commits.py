"""The database commits and its answer is lost: sent again, a posting gets the original answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from domain import storage
from domain.ledger import NEVER, Earn, Key, Posted, Redeem, Source, post_one, verify_account
from domain.storage import ConnectionLost
from tests.domain.access.fixtures import NOW
from tests.faults.commit_relay import losing_commits
from tests.faults.posting import (
    Clients,
    assert_answered_alike,
    assert_posted_once,
    postings,
    started,
)
from tests.faults.serving import PATIENT, Serving
from tests.faults.town import settle
from tests.servers import OwnRedis

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

LOST: Final = 200
LOST_SHORT: Final = 20
AT_ONCE: Final = 2
"""Answers lost before the next posting is waited for; less than there are clients."""

POSTINGS_EACH: Final = 4
"""Postings for each that is to lose its answer: some lose theirs twice, some not at all."""


@pytest.mark.timeout(600)
async def test_a_lost_answer_to_commit_is_unknown_and_the_retry_tells(
    postgres_url: str,
    own_redis: OwnRedis,
    tmp_path: Path,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    wanted = LOST if full_form else LOST_SHORT
    town = await settle(postgres_url, tmp_path, orders_each=1)
    async with losing_commits(postgres_url) as (relay, url):
        through = replace(town, database_url=url)
        served = Serving(through, tmp_path, redis_url=own_redis.url, environment=PATIENT)
        async with started(served) as gateway:
            clients = Clients(
                gateway.url,
                town.shop_token,
                postings(town, POSTINGS_EACH * wanted, prefix="lost"),
                number=4,
            )
            async with clients.at_work():
                # Some of the answers are to commits of the gateway's own work: those count not.
                while _replayed(clients) < wanted and len(clients.known) < len(clients.todo):
                    relay.losing = AT_ONCE
                    await clients.next_answer()
                relay.losing = 0
            await assert_answered_alike(clients)
            assert gateway.logged("internal_error") == []
    await assert_posted_once(town, clients)
    print(f"\n{dict(clients.outcomes)}; {relay.lost} answers lost")
    assert relay.lost >= _replayed(clients)
    tally("answers to COMMIT lost, the retry returns the original", _replayed(clients), wanted)


@pytest.mark.timeout(600)
async def test_the_ledger_itself_does_not_tell_what_it_does_not_know(
    postgres_url: str, *, full_form: bool, tally: Tally
) -> None:
    wanted = LOST if full_form else LOST_SHORT
    member, available = uuid4(), 0
    async with losing_commits(postgres_url) as (relay, url):
        await storage.connect(url)
        try:
            for number in range(wanted):
                command = _command(member, number)
                relay.losing = 1
                with pytest.raises(ConnectionLost):
                    await post_one(command, now=NOW)
                posted = await post_one(command, now=NOW)
                available += posted.amount
                assert posted == Posted(
                    member_id=member,
                    seq=number + 1,
                    kind=posted.kind,
                    amount=-3 if number % 2 else 5,
                    balance_after=available,
                    replayed=True,
                )
            assert relay.lost == wanted
            assert await verify_account(member) == []
            statistics = storage.connection_statistics()
            assert statistics["idle"] == statistics["open"]
        finally:
            await storage.close()
    tally("answers to COMMIT lost to the ledger, replayed by its key", relay.lost, wanted)


def _command(member: object, number: int) -> Earn | Redeem:
    """Five points earned, then three redeemed."""
    common = {
        "member_id": member,
        "source": Source(kind="fault", reference=str(number)),
        "key": Key(scope="fault", key=str(number)),
    }
    if number % 2:
        return Redeem(points=3, **common)  # type: ignore[arg-type]  # named above
    return Earn(points=5, effective_at=NOW, expires_at=NEVER, **common)  # type: ignore[arg-type]


def _replayed(clients: Clients) -> int:
    return sum(known.replayed for known in clients.known.values())
