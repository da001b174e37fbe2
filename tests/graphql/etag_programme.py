"""What staff, the workers and the catalogue do in random histories, besides what members do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain import catalogue, members, outbox, program, recommendations, rewards, tiers
from domain.audit import Actor
from domain.recommendations import ScoringSettings
from domain.storage import fetch_all
from domain.tiers import LevelDefinition
from tests.graphql.etag_looks import Looks
from tests.graphql.programme import PRODUCTS, REWARDS, consent_text

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
ZONES: Final = (SHANGHAI, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Kiritimati"))


@dataclass(slots=True)
class ProgrammeSteps(Looks):
    """Steps that change the programme, or a member from outside. Every step is a real write."""

    def _someone(self) -> UUID:
        return self.chance.choice([self.members[0], *self.members]).member

    async def grant_a_level(self) -> None:
        """Staff gives somebody a level for hours or days."""
        now = self.gateway.clock.now()
        lasts = self.chance.choice([timedelta(hours=7), timedelta(days=5), timedelta(days=40)])
        grant = tiers.GrantLevel(
            member=members.ById(self._someone()),
            level=self.chance.choice(["silver", "gold"]),
            reason="kind",
            until=now + lasts,
        )
        by = Actor(name="staff:clerk", account_id=uuid7(), request_id="history")
        await self.step("grant", lambda: tiers.grant_level(grant, by=by, now=now))

    async def review_levels(self) -> None:
        """The workers review the levels whose time is over."""
        now, zone = self.gateway.clock.now(), (await program.program()).zone
        await self.step("review", lambda: tiers.settle_due_levels(now=now, zone=zone))

    async def reword(self) -> None:
        """Members are asked to agree to other words."""
        now = self.gateway.clock.now()
        text = consent_text("personalization", str(self.chance.randrange(10**9)))
        await self.step("reword", lambda: members.publish_consent_texts([text], now=now))

    async def introduce(self) -> None:
        """Staff gives somebody contacts, or takes them away."""
        now = self.gateway.clock.now()
        who = members.ById(self._someone())
        contact = members.ServiceContact(role="顾问", name="陈静", channel="wecom")
        contacts = [contact] * self.chance.randrange(3)
        by = Actor(name="staff:clerk", account_id=uuid7(), request_id="history")
        await self.step(
            "introduce", lambda: members.set_service_contacts(who, contacts, by=by, now=now)
        )

    async def stock(self) -> None:
        """A product gets another price, or a new one comes."""
        now = self.gateway.clock.now()
        days = self.chance.choice([-29, 0, 2])
        item = replace(
            self.chance.choice(PRODUCTS),
            price_fen=self.chance.choice([100, 200, None]),
            title=self.chance.choice(["新", "旧"]),
            introduced_at=self.chance.choice([None, now + timedelta(days=days)]),
            level_code=self.chance.choice([None, None, "silver"]),
            active=self.chance.random() < 0.8,
        )
        await self.step("stock", lambda: catalogue.upsert_products([item], now=now))

    async def offer(self) -> None:
        """A reward that gives a product, for a while."""
        now = self.gateway.clock.now()
        number = self.chance.randrange(10**9)
        begins_at = self.chance.choice([None, now + timedelta(hours=7)])
        given = replace(
            REWARDS[1],
            id=uuid7(),
            code=f"given-{number}",
            product_code=self.chance.choice(PRODUCTS).code,
            begins_at=begins_at,
            ends_at=self.chance.choice([None, (begins_at or now) + timedelta(days=2)]),
        )
        await self.step("offer", lambda: rewards.define_rewards([given], now=now))

    async def train(self) -> None:
        """A model is trained on what happened, and lists with it."""
        settings = ScoringSettings(fade=self.chance.choice([1.0, 5.0]))
        await self.step("train", lambda: recommendations.train(settings, clock=self.gateway.clock))

    async def refresh(self) -> None:
        """The lists of those to whom something happened are computed anew."""

        async def work() -> None:
            consumer = recommendations.shelves_consumer()
            for member in self.members:
                events = await outbox.stream(member.member, after=0, limit=10_000)
                if wanted := [one for one in events if consumer.wants(one)]:
                    await consumer.handle(wanted)
            await recommendations.ShelfRefresher(clock=self.gateway.clock).refresh()

        await self.step("refresh", work)

    async def count_popularity(self) -> None:
        """What is bought most is counted anew."""
        now = self.gateway.clock.now()
        await self.step("count", lambda: recommendations.refresh_popularity(now=now))

    async def set_up(self) -> None:
        """The programme gets another name, or moves."""
        programme = program.Programme(
            name_zh=self.chance.choice(["茶语会员", "好物"]),
            name_en="Teatalk Club",
            zone=self.chance.choice(ZONES),
            currency="CNY",
        )
        now = self.gateway.clock.now()
        await self.step("set up", lambda: program.set_up(programme, now=now))

    async def define_a_level(self) -> None:
        """One more level, above all others."""
        [row] = await fetch_all("SELECT MAX(rank) AS top, MAX(threshold) AS most FROM level")
        level = LevelDefinition(
            code=f"level-{row['top'] + 1}",
            rank=row["top"] + 1,
            name_zh="更高",
            name_en="Higher",
            threshold=row["most"] + 1_000,
        )
        now = self.gateway.clock.now()
        await self.step("define", lambda: tiers.define_levels([level], perks=[], now=now))
