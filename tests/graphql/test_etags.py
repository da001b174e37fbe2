"""Equal ETags mean equal bodies: over random histories, every writer, and the edges of time.

The same histories find every piece that an ETag could forget: those are the planted bugs.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType

from api.conditional import Revise
from api.fake_wechat import RunningFake
from api.runtime import Runtime
from domain import catalogue, ledger, members, rewards, storage, tiers
from domain.audit import Actor
from domain.ledger import Earn, Key, Source
from domain.ledger.commands import SetAside
from domain.revisions import Revision, revision
from schema.building import JifenSchema
from schema.requirements import is_versioned
from schema.root import build_schema
from tests.graphql.etag_histories import MICROSECOND, History
from tests.graphql.etag_looks import Seen
from tests.graphql.etag_programme import SHANGHAI
from tests.graphql.gateway import NOW, Gateway, open_gateway, settings_for, without_limits
from tests.graphql.programme import PRODUCTS, REWARDS, set_up_programme

SCHEMA: JifenSchema = build_schema()
UNCOVERED = {
    # Where its answer begins depends on which events are kept.
    "Member.changes",
    # It is told of an event a moment after it.
    "Member.timeline",
    # What is left changes by what others redeem.
    "Reward.stock",
    # What a refund would do may be other at any moment, and nobody asks for it twice.
    "Member.refundPreview",
    # What is sent counts them down without an event.
    "Member.subscribeMessages",
    # Some are bound without an event.
    "Member.identities",
    # Partners name campaigns and prizes, and change them, without an event of the member's.
    "Member.gameRewards",
    "Member.gameBindings",
    # As it is written nothing is announced.
    *("DataExport.status", "DataExport.progress", "DataExport.url"),
}
"""Below `me`, `node` and `program`."""

HISTORIES, STEPS = 3, 12
HISTORIES_OF_A_SOAK, STEPS_OF_A_SOAK = 25, 28


@pytest.fixture
async def gateway(database_url: str, tmp_path: Path, fake: RunningFake) -> AsyncIterator[Gateway]:
    """The gateway over a database of its own, which is asked more than any client may ask."""
    settings = without_limits(settings_for(database_url, tmp_path, fake))
    async with open_gateway(settings, fake) as opened:
        await set_up_programme(now=NOW)
        yield opened


async def a_history(gateway: Gateway, seen: Seen, *, seed: int, steps: int) -> History:
    """A history of so many random steps."""
    own = replace(gateway, tag=f"-{seed}")
    history = History(own, SCHEMA, seen, random.Random(seed))
    await history.begin()
    for _ in range(steps):
        await history.random_step()
    return history


@pytest.mark.soak
@pytest.mark.timeout(900)
async def test_equal_etags_mean_equal_bodies(
    gateway: Gateway, tally: Callable[[str, int, int], None], full_form: bool
) -> None:
    seen = Seen()
    runs, steps = (HISTORIES_OF_A_SOAK, STEPS_OF_A_SOAK) if full_form else (HISTORIES, STEPS)
    for seed in range(runs):
        history = await a_history(gateway, seen, seed=seed, steps=steps)
        assert seen.violations == [], (seed, history.steps, seen.violations[0])
    name = f"ETags on {storage.dialect()}"
    tally(f"{name}: answers compared", len(seen.answers), 20 * runs)
    tally(f"{name}: of them with an ETag that was there before", seen.repeated, 3 * runs)
    tally(f"{name}: changed by time alone", seen.by_time_alone, runs)


# What an ETag would be without one of its pieces


async def sell_out(history: History) -> None:
    """The last of a reward goes to somebody else: no event of this member or of the programme."""
    tag, member = history.gateway.tag, history.members[0].member
    last = replace(
        REWARDS[1],
        id=UUID(int=member.int ^ 3),
        code=f"last{tag}",
        product_code=PRODUCTS[2].code,
        stock=1,
    )
    await history.step("last one", lambda: rewards.define_rewards([last], now=NOW))
    sold = "UPDATE reward SET stock = 0 WHERE id = $1"
    await history.step("sold out", lambda: storage.execute(sold, last.id))


async def launch(history: History) -> None:
    """A product that will come, and a reward that will give it for a day."""
    item = replace(PRODUCTS[0], code="new", introduced_at=NOW + timedelta(days=1.5))
    await history.step("launch", lambda: catalogue.upsert_products([item], now=NOW))
    offer = replace(
        REWARDS[1],
        id=UUID(int=history.members[0].member.int ^ 2),
        code=f"tour{history.gateway.tag}",
        product_code="new",
        begins_at=NOW + timedelta(days=2.5),
        ends_at=NOW + timedelta(days=3.5),
    )
    await history.step("offer", lambda: rewards.define_rewards([offer], now=NOW))


async def a_tour(gateway: Gateway, seen: Seen) -> None:
    """A fixed history that passes everything by which an answer may change, looking each time."""
    gateway.clock.moment = NOW
    history = History(gateway, SCHEMA, seen, random.Random(0), alone=True)
    await history.begin()
    earning = Earn(
        member_id=history.members[0].member,
        points=300,
        source=Source(kind="test", reference="tour"),
        effective_at=NOW,
        matures_at=NOW + timedelta(days=3),
        expires_at=NOW + timedelta(days=40),
        key=Key(scope=f"tour{gateway.tag}", key="1"),
    )
    await history.step("earn", lambda: ledger.post([earning], now=NOW))
    # Points of another lot, all of which a hold pins: nothing is written when it runs out.
    pinned = replace(
        earning,
        points=50,
        matures_at=None,
        expires_at=NOW + timedelta(days=38),
        key=Key(scope=f"tour{gateway.tag}", key="2"),
    )
    aside = SetAside(
        member_id=earning.member_id,
        hold_id=UUID(int=earning.member_id.int ^ 1),
        owner="shop",
        points=50,
        expires_at=NOW + timedelta(days=5),
        source=Source(kind="checkout", reference="tour"),
    )
    await history.step("hold", lambda: ledger.post([pinned, aside], now=NOW))
    grant = tiers.GrantLevel(
        member=members.ById(earning.member_id),
        level="silver",
        reason="kind",
        until=NOW + timedelta(days=4),
    )
    by = Actor(name="staff:clerk", account_id=UUID(int=1), request_id="tour")
    await history.step("grant", lambda: tiers.grant_level(grant, by=by, now=NOW))
    await launch(history)
    await sell_out(history)
    for moment in (
        NOW + timedelta(days=1),  # A coupon's reservation runs out.
        NOW + timedelta(days=1.5),  # A new product comes.
        NOW + timedelta(days=2, microseconds=2),  # A coupon expires.
        NOW + timedelta(days=2.5),  # A reward gives the product,
        NOW + timedelta(days=3),  # the points mature,
        NOW + timedelta(days=3.5),  # the reward ends,
        NOW + timedelta(days=4),  # a level that was granted ends,
        NOW + timedelta(days=5),  # the hold runs out,
        NOW + timedelta(days=8),  # what it pinned has thirty days left,
        NOW + timedelta(days=10),  # and so has the rest,
        ledger.local_midnight(date(2026, 4, 1), SHANGHAI),  # a month's quota begins anew,
        NOW + timedelta(days=31.5),  # the product is no longer new,
        NOW + timedelta(days=38),  # what was pinned expires,
        NOW + timedelta(days=40),  # and so does the rest.
    ):
        await history.stand_around(moment)
    alice = history.token_of(history.members[0])
    renamed = {"nickname": "小明"}
    await history.step("rename", lambda: gateway.send("UpdateProfile", alice, input=renamed))
    await history.count_popularity()
    await history.set_up()


@contextmanager
def revised(gateway: Gateway, revise: Revise) -> Iterator[None]:
    """The gateway, asking somebody else for revisions."""
    runtime: Runtime = gateway.app.state.runtime
    gateway.app.state.runtime = replace(runtime, revise=revise)
    try:
        yield
    finally:
        gateway.app.state.runtime = runtime


async def test_a_forgotten_moment_is_found(gateway: Gateway) -> None:
    """The planted bug, seen from outside: the tag of before the boundary comes back after it."""

    async def forget(member_id: UUID | None, *, now: datetime) -> Revision:
        return replace(await revision(member_id, now=now), moments=())

    seen = Seen()
    with revised(gateway, forget):
        await a_tour(gateway, seen)
    assert len(seen.violations) >= 4
    assert len(seen.answers) == 52


async def test_every_piece_of_a_revision_is_needed(gateway: Gateway) -> None:
    """Without any one of them two answers that differ would have one tag."""
    pieces: list[dict[str, Revision]] = []

    async def take_apart(member_id: UUID | None, *, now: datetime) -> Revision:
        true = await revision(member_id, now=now)
        moments = true.moments
        pieces.append(
            {
                **{
                    f"forgets the moment {place}": replace(
                        true, moments=(*moments[:place], None, *moments[place + 1 :])
                    )
                    for place in range(len(moments))
                },
                "forgets the member": replace(true, member=0),
                "forgets the programme": replace(true, programme=0),
                "forgets the day": replace(true, today=NOW.date()),
                "is late by a microsecond": await revision(member_id, now=now - MICROSECOND),
                "is early by a microsecond": await revision(member_id, now=now + MICROSECOND),
            }
        )
        return true

    seen = Seen()
    with revised(gateway, take_apart):
        await a_tour(gateway, seen)
    assert seen.violations == []
    for name in pieces[0]:
        told = {(str(one[name]), body) for one, body in zip(pieces, seen.answers, strict=True)}
        assert len(told) > len({tag for tag, _ in told}), f"nobody misses it that it {name}"
    assert len(pieces[0]) == 17


def test_every_other_field_of_a_member_is_covered() -> None:
    """A new field that reads something says whether a revision covers it, or stands here."""
    schema = SCHEMA._schema
    node = schema.type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)
    reached = set[str]()
    pending = ["Member", "Program", *(kind.name for kind in schema.get_possible_types(node))]
    uncovered = set[str]()
    while pending:
        kind = schema.type_map[pending.pop()]
        if not isinstance(kind, GraphQLObjectType) or kind.name in reached:
            continue
        reached.add(kind.name)
        for name, declared in kind.fields.items():
            if not is_versioned(declared):
                uncovered.add(f"{kind.name}.{name}")
                continue
            pending.append(str(declared.type).strip("[]!"))
    assert uncovered == UNCOVERED
    assert {"Level", "LedgerEntry", "Product", "Coupon", "RecommendedItem"} <= reached
