"""A town whose members buy, give back, redeem, look at things and agree: made by real writers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

import orjson

from domain import catalogue, members, recommendations, rewards, storage
from domain.catalogue import CatalogueItem, Theme
from domain.ledger import NEVER, Earn, Source, post_one
from domain.members import ConsentText, SetConsent
from domain.outbox import Announced
from domain.recommendations import (
    BehaviorEvent,
    RecommendationModel,
    ScoringSettings,
    Trained,
    recommendation_models,
    shelves_consumer,
    train,
)
from domain.rewards import RedeemReward, RewardDefinition
from tests.domain.purchases.shop import NOW, Shop, line, open_shop, order
from tests.domain.returns import desk
from tests.domain.returns.desk import of_line, refund
from tests.graphql.gateway import StandingClock

PERSONALIZATION: Final = "personalization"
PURPOSES: Final = (PERSONALIZATION, "behavior_tracking")

TEA: Final = Theme(code="TEA", name_zh="茶", name_en="Tea")
BOOKS: Final = Theme(code="BOOKS", name_zh="书", name_en="Books")
THEMES: Final = {"leaf": TEA, "pot": TEA, "cup": TEA, "tin": TEA, "novel": BOOKS, "atlas": BOOKS}
ITEMS: Final = [
    *(CatalogueItem(code=code, title=code, theme=theme) for code, theme in THEMES.items()),
    CatalogueItem(code="bag", title="bag"),
]
MUG: Final = RewardDefinition(
    id=UUID(int=31),
    code="mug",
    title_zh="杯",
    title_en="Mug",
    description_zh="",
    description_en="",
    kind="GIFT",
    points_price=10,
    stock=None,
    product_code="tin",
)

_numbers: Final = count()


@dataclass(frozen=True, slots=True)
class Town:
    """Members by their names, and the time of day."""

    shop: Shop
    clock: StandingClock = field(default_factory=lambda: StandingClock(NOW))

    @property
    def people(self) -> dict[str, UUID]:
        """The members by their names."""
        return self.shop.members

    async def buys(self, name: str, basket: str, *, at: datetime = NOW, **changes: Any) -> str:
        """An order of the products that the basket names, a line each by number; its id."""
        external_id = f"order-{next(_numbers)}"
        lines = [line(code, 100, line_id=str(number)) for number, code in enumerate(basket.split())]
        bought = order(external_id, name, *lines, placed_at=at, **changes)
        batch = await self.shop.record(bought, batch_id=external_id, now=max(at, self.clock.now()))
        assert [one.code for one in batch.receipts] == [None], batch
        return external_id

    async def gives_back(self, order_id: str, *lines: str, at: datetime = NOW) -> None:
        """Some lines of an order, one piece of each."""
        given = refund(
            f"refund-{next(_numbers)}",
            order_id,
            100 * len(lines),
            refunded_at=at,
            lines=[of_line(one, 100) for one in lines],
        )
        now = max(at, self.clock.now())
        batch = await desk.record(given, batch_id=given.external_id, now=now)
        assert [one.code for one in batch.receipts] == [None], batch

    async def redeems(self, name: str, *, at: datetime = NOW) -> UUID:
        """The reward that gives a tin; the redemption's id."""
        member_id = self.people[name]
        earn = Earn(
            member_id=member_id,
            points=10,
            source=Source(kind="gift", reference=f"gift-{next(_numbers)}"),
            effective_at=at,
            expires_at=NEVER,
        )
        await post_one(earn, now=at)
        command = RedeemReward(
            member_id=member_id, reward_id=MUG.id, idempotency_key=f"key-{next(_numbers)}"
        )
        return (await rewards.redeem_reward(command, now=at)).id

    async def looks_at(
        self, name: str, *, product: str | None = None, theme: str | None = None, at: datetime = NOW
    ) -> None:
        """One event of behaviour."""
        known = await catalogue.products_by_code([product] if product else [])
        event = BehaviorEvent(
            event_id=f"event-{next(_numbers)}",
            kind="view",
            product_id=known[product].id if product else None,
            theme=theme,
            at=at,
        )
        kept = await recommendations.track_behavior(self.people[name], [event], now=at)
        assert kept == 1

    async def says(
        self, name: str, *purposes: str, granted: bool = True, now: datetime | None = None
    ) -> None:
        """What the member agrees to, or does no more."""
        for purpose in purposes or (PERSONALIZATION,):
            command = SetConsent(
                member_id=self.people[name], purpose=purpose, granted=granted, version="1"
            )
            await recommendations.set_consent(command, now=now or self.clock.now())

    async def trains(self, **settings: Any) -> Trained:
        """Train on what happened until now."""
        as_of = settings.pop("as_of", None)
        return await train(ScoringSettings(**settings), clock=self.clock, as_of=as_of)

    async def lists(self, name: str, *, version: int | None = None) -> dict[str, list[Any]]:
        """The member's lists of the version, by default the one that serves."""
        rows = await storage.fetch_all(
            "SELECT list, items FROM recommendation_list WHERE member_id = $1 AND version ="
            " COALESCE($2::bigint, (SELECT version FROM recommendation_model"
            " WHERE status = 'ACTIVE'))",
            *(self.people[name], version),
        )
        return {row["list"]: orjson.loads(row["items"]) for row in rows}

    async def codes(self, name: str, kind: str = "DISCOVER") -> list[str]:
        """The products of a list, best first."""
        return [item[0] for item in (await self.lists(name)).get(kind, [])]


async def a_town(*names: str) -> Town:
    """Members of these names, products of two themes, and words to agree to."""
    shop = await open_shop(*names)
    await catalogue.upsert_products(ITEMS, now=NOW)
    await rewards.define_rewards([MUG], now=NOW)
    texts = [
        ConsentText(
            purpose=purpose, version="1", title_zh="词", title_en="w", body_zh="词", body_en="w"
        )
        for purpose in PURPOSES
    ]
    await members.publish_consent_texts(texts, now=NOW)
    return Town(shop=shop)


async def a_crowd(town: Town) -> None:
    """What the model learns from: whoever has leaf has a pot."""
    for name, basket in (("ann", "leaf pot"), ("ben", "leaf pot cup"), ("cid", "novel atlas")):
        await town.buys(name, basket, at=NOW - timedelta(days=9))


async def statuses() -> list[tuple[int, str]]:
    """Each version and what became of it, the newest first."""
    found: Sequence[RecommendationModel] = await recommendation_models(first=100)
    return [(one.version, one.status.value) for one in found]


async def counts() -> dict[str, dict[int, int]]:
    """How many rows of each version there are."""
    found = {}
    for table in ("recommendation_item", "recommendation_list"):
        rows = await storage.fetch_all(
            f"SELECT version, COUNT(*) AS rows FROM {table} GROUP BY version ORDER BY version"
        )
        found[table.removeprefix("recommendation_")] = {row["version"]: row["rows"] for row in rows}
    return found


async def events(*kinds: str) -> list[Announced]:
    """What was announced of these kinds, in the order of the members."""
    rows = await storage.fetch_all(
        "SELECT member_id, seq, kind, payload, announced_at FROM outbox"
        " WHERE kind = ANY($1::text[]) ORDER BY member_id, seq",
        list(kinds),
    )
    return [
        Announced(
            member_id=row["member_id"],
            seq=row["seq"],
            kind=row["kind"],
            facts=orjson.loads(row["payload"]),
            announced_at=row["announced_at"],
        )
        for row in rows
    ]


async def hear_everything() -> None:
    """Hand every event that concerns shelves to their consumer, as delivery does."""
    consumer = shelves_consumer()
    assert consumer.kinds is not None
    told = await events(*consumer.kinds)
    if told:
        await consumer.handle(told)


async def due() -> dict[UUID, int | None]:
    """Who waits, and by which version they were done."""
    rows = await storage.fetch_all("SELECT member_id, computed_with FROM recommendation_due")
    return {row["member_id"]: row["computed_with"] for row in rows}


async def inferred(member_id: UUID) -> dict[str, int]:
    """The themes that are inferred of a member, with their weights in permille."""
    return dict((await members.inferred_interests([member_id]))[member_id])
