"""The lives of two records of one person, drawn at random, and all that is kept of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID, uuid5

from domain import catalogue, ledger, members, program, rewards
from domain.errors import Refusal
from domain.ledger import Earn, Redeem, Source, TransferLimits, TransferPoints
from domain.ledger.commands import GiveBack, TakeBack
from domain.members import (
    AddMemberNote,
    ByExternalReference,
    ById,
    ServiceContact,
    SetConsent,
    UpdateProfile,
)
from domain.members.timeline import TimelineItem, keep_timeline_items
from domain.purchases import (
    ImportOrders,
    RecordPurchases,
    import_orders,
    publish_rule,
    record_purchases,
)
from domain.rewards import AddAddress, CancelRedemption, Place, RedeemReward, RewardDefinition
from domain.storage import fetch_all
from domain.tiers import GrantLevel, UsePerk, grant_level, use_perk
from tests.domain.ledger.commands import NOW, SHANGHAI, days
from tests.domain.purchases.shop import PRODUCTS, RULE, line, order
from tests.domain.returns.desk import IN_FORCE, MUG, TEN_OFF, offer, record, refund
from tests.domain.tiers.levels import PERKS, three_levels
from tests.properties.served import LI_NA, SERVED, Served, have_everything, open_service

STEPS: Final = (4, 12, 25, 40) if os.environ.get("JIFEN_SOAK") else (4, 12, 20, 30)
THEMES: Final = ("TEA", "COFFEE", "CUPS", "BOOKS")


async def open_programme() -> None:
    """A programme with products, a rule and three levels."""
    await program.set_up(
        program.Programme(name_zh="茶", name_en="Tea", zone=SHANGHAI, currency="CNY"), now=NOW
    )
    await catalogue.upsert_products(PRODUCTS, now=NOW)
    await publish_rule(RULE, now=NOW)
    await three_levels()
    await open_service()
    await offer(replace(TEN_OFF, stock=1_000_000), MUG)
    await members.publish_consent_texts(
        [
            members.ConsentText(
                purpose=purpose, version="1", title_zh="t", title_en="t", body_zh="b", body_en="b"
            )
            for purpose in ("marketing", "personalization")
        ],
        now=NOW,
    )


@dataclass
class Life(Served):
    """One record, and what is done to it, by draws of `random`, and counted in `done`."""

    member_id: UUID
    name: str
    friend: UUID
    random: Random
    done: Counter[str]
    count: int = 0

    async def step(self, *, now: datetime) -> None:
        """One thing that happens."""
        await self.do(self.random.choice(DOINGS), now=now)

    async def do(self, what: str, *, now: datetime) -> None:
        """This, whether it is refused or not."""
        try:
            await getattr(self, what)(now)
        except Refusal as refusal:
            self.done[type(refusal).__name__] += 1
        else:
            self.done[what] += 1

    async def buy(self, now: datetime) -> None:
        bought = order(
            self._next,
            self.name,
            line("cup", self.random.choice([999, 8_800, 120_000, 610_000])),
            placed_at=now - timedelta(hours=self.random.randrange(1, 40)),
        )
        found = RecordPurchases(source="shop", batch_id=bought.external_id, orders=(bought,))
        await record_purchases(found, now=now)

    async def earn(self, now: datetime) -> None:
        await ledger.post_one(
            Earn(
                member_id=self.member_id,
                points=self.random.randrange(1, 400),
                source=Source(kind="gift", reference=self._next),
                effective_at=now,
                matures_at=now + days(self.random.randrange(0, 4)),
                expires_at=now + days(self.random.randrange(1, 90)),
            ),
            now=now,
        )

    async def redeem(self, now: datetime) -> None:
        source = Source(kind="reward", reference=self._next)
        available = (await ledger.balance(self.member_id, now=now)).available
        points = self.random.choice([self.random.randrange(1, 300), max(available, 1)])
        await ledger.post_one(
            Redeem(member_id=self.member_id, points=points, source=source), now=now
        )

    async def hold(self, now: datetime) -> None:
        reference = self._next
        await ledger.hold_points(
            ledger.HoldPoints(
                owner="shop",
                member=ById(self.member_id),
                points=self.random.randrange(1, 200),
                reference=reference,
                idempotency_key=reference,
                expires_in_minutes=self.random.randrange(1, 10_000),
            ),
            now=now,
        )

    async def take_back(self, now: datetime) -> None:
        rows = await fetch_all(
            "SELECT seq, amount FROM points_entry WHERE member_id = $1 AND kind = 'EARN'",
            self.member_id,
        )
        if rows:
            row = self.random.choice(list(rows))
            await ledger.post_one(
                TakeBack(
                    member_id=self.member_id,
                    entry_seq=row["seq"],
                    points=self.random.randrange(1, row["amount"] + 1),
                    source=Source(kind="refund", reference=self._next),
                ),
                now=now,
            )

    async def give_back(self, now: datetime) -> None:
        rows = await fetch_all(
            "SELECT seq, amount FROM points_entry WHERE member_id = $1 AND kind = 'REDEEM'",
            self.member_id,
        )
        if rows:
            row = self.random.choice(list(rows))
            await ledger.post_one(
                GiveBack(
                    member_id=self.member_id,
                    entry_seq=row["seq"],
                    points=self.random.randrange(1, -row["amount"] + 1),
                    grace_until=now + days(7),
                    source=Source(kind="refund", reference=self._next),
                ),
                now=now,
            )

    async def give(self, now: datetime) -> None:
        await ledger.transfer_points(
            TransferPoints(
                member_id=self.member_id,
                to_member=ById(self.friend),
                points=self.random.randrange(1, 100),
                idempotency_key=self._next,
            ),
            limits=TransferLimits(),
            now=now,
        )

    async def get_coupon(self, now: datetime) -> None:
        await self._redeem(TEN_OFF, address_id=None, now=now)

    async def get_gift(self, now: datetime) -> None:
        addresses = await self._rows("SELECT id FROM member_address WHERE member_id = $1")
        address_id = self.random.choice([None, *(row["id"] for row in addresses)])
        await self._redeem(MUG, address_id=address_id, now=now)

    async def _redeem(
        self, reward: RewardDefinition, *, address_id: UUID | None, now: datetime
    ) -> None:
        command = RedeemReward(
            member_id=self.member_id,
            reward_id=reward.id,
            address_id=address_id,
            idempotency_key=self._next,
        )
        await rewards.redeem_reward(command, now=now)

    async def cancel_redemption(self, now: datetime) -> None:
        rows = await self._rows("SELECT id FROM redemption WHERE member_id = $1 ORDER BY id")
        if rows:
            command = CancelRedemption(
                member_id=self.member_id,
                redemption_id=self.random.choice(rows)["id"],
                idempotency_key=self._next,
            )
            await rewards.cancel_redemption(command, rules_in_force=IN_FORCE, now=now)

    async def bring_back(self, now: datetime) -> None:
        rows = await self._rows(
            "SELECT external_id, paid_fen, came_with FROM purchase"
            " WHERE member_id = $1 AND paid_fen > refunded_fen ORDER BY id"
        )
        if rows:
            row, share = self.random.choice(rows), self.random.choice([0.1, 0.5, 1, 1])
            amount = max(int(row["paid_fen"] * share), 1)
            given_back = refund(self._next, row["external_id"], amount, refunded_at=now)
            batch = await record(given_back, batch_id=given_back.external_id, now=now)
            came = "came" if row["came_with"] else "own"
            self.done[f"refund of {came}: {batch.receipts[0].code or 'APPLIED'}"] += 1

    async def buy_more(self, now: datetime) -> None:
        """A file tells of one more line of an order."""
        rows = await self._rows(
            "SELECT external_id, placed_at, paid_fen FROM purchase WHERE member_id = $1 ORDER BY id"
        )
        if rows:
            row, more = self.random.choice(rows), self.random.choice([999, 88_000, 410_000])
            grown = order(
                row["external_id"],
                self.name,
                line("longjing", more, line_id=self._next),
                placed_at=row["placed_at"],
            )
            command = ImportOrders(source="shop", orders=(grown,), create_members=False)
            await import_orders(command, rule=RULE, now=now)

    async def be_granted(self, now: datetime) -> None:
        grant = GrantLevel(
            member=ById(self.member_id),
            level=self.random.choice(["silver", "gold"]),
            reason=self._next,
            until=now + days(self.random.randrange(1, 200)),
        )
        await grant_level(grant, by=LI_NA, now=now)

    async def live_somewhere(self, now: datetime) -> None:
        place = Place(
            recipient="Li Na", phone="+8613800138000", region="Shanghai", street=self._next
        )
        added = AddAddress(member_id=self.member_id, place=place, idempotency_key=place.street)
        await rewards.add_address(added, now=now)

    async def move_out(self, now: datetime) -> None:
        rows = await self._rows("SELECT id FROM member_address WHERE member_id = $1 ORDER BY id")
        if rows:
            gone = self.random.choice(rows)["id"]
            await rewards.remove_address(self.member_id, address_id=gone, now=now)

    async def care_for(self, now: datetime) -> None:
        themes = self.random.sample(THEMES, self.random.randrange(1, 4))
        await members.replace_declared_interests(self.member_id, themes, now=now)

    async def consent(self, now: datetime) -> None:
        purpose = self.random.choice(["marketing", "personalization"])
        said = SetConsent(
            member_id=self.member_id,
            purpose=purpose,
            granted=self.random.random() < 0.5,
            version="1",
        )
        await members.set_consent(said, now=now)

    async def be_noted(self, now: datetime) -> None:
        note = AddMemberNote(
            member=ById(self.member_id), text="likes tea", idempotency_key=self._next
        )
        await members.add_member_note(note, by=LI_NA, now=now)

    async def be_served(self, now: datetime) -> None:
        contact = ServiceContact(role="tea", name=self._next, channel="wechat")
        await members.set_service_contacts(ById(self.member_id), [contact], by=LI_NA, now=now)

    async def live_on(self, now: datetime) -> None:
        name = self._next
        item = TimelineItem(
            member_id=self.member_id,
            id=uuid5(self.member_id, name),
            occurred_at=now,
            kind="VISIT",
            channel=None,
            facts={"place": name},
        )
        await keep_timeline_items([item])

    async def use_a_perk(self, now: datetime) -> None:
        perk = self.random.choice(PERKS[:2])
        used = UsePerk(member_id=self.member_id, perk_id=perk.id, idempotency_key=self._next)
        await use_perk(used, now=now)

    async def say(self, now: datetime) -> None:
        said = UpdateProfile(member_id=self.member_id, nickname=self._next)
        await members.update_profile(said, now=now)


DOINGS: Final = (
    *("buy", "buy", "buy", "earn", "earn", "earn", "redeem", "redeem", "redeem", "hold", "hold"),
    *("take_back", "take_back", "take_back", "give"),
    *("get_coupon", "get_coupon", "get_gift", "cancel_redemption", "bring_back", "bring_back"),
    *("buy_more", "be_granted", "live_somewhere", "live_somewhere", "move_out"),
    *("care_for", "consent", "be_noted", "be_served", "live_on", "say", "use_a_perk"),
    *SERVED,
)


async def two_lives(name: str, random: Random, done: Counter[str]) -> tuple[Life, Life, datetime]:
    """Two records with some steps each, and when the last one was."""
    [keeper, loser], now = await some_lives(name, ("keeper", "loser"), random=random, done=done)
    return keeper, loser, now


async def three_lives(
    name: str, random: Random, done: Counter[str]
) -> tuple[Life, Life, Life, datetime]:
    """Three records with some steps each, and when the last one was."""
    [keeper, loser, third], now = await some_lives(
        name, ("keeper", "loser", "third"), random=random, done=done
    )
    return keeper, loser, third, now


async def some_lives(
    name: str, which: Sequence[str], *, random: Random, done: Counter[str]
) -> tuple[list[Life], datetime]:
    """A record for each of `which`, with steps in any order, and when the last one was."""
    names = [f"{name}-{one}" for one in (*which, "friend")]
    joined = await members.register_external_members(
        [ByExternalReference(one) for one in names], now=NOW
    )
    friend = joined[names[-1]]
    lives = [Life(joined[one], one, friend=friend, random=random, done=done) for one in names[:-1]]
    now = NOW
    await have_everything(*lives, now=now)
    for _ in range(random.choice(STEPS)):
        now += days(random.random())
        await random.choice(lives).step(now=now)
    return lives, now
