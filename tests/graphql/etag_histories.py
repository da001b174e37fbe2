"""Random histories of two members and their programme, looked at after every step."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from uuid_utils.compat import uuid7

from domain import catalogue, ledger, members, purchases, recommendations, rewards, tiers
from domain.audit import Actor
from domain.errors import InsufficientPoints, PersonalizationOff
from domain.ledger import NEVER, Earn, Key, Redeem, Source
from domain.ledger.commands import Release, SetAside
from domain.purchases import ImportOrders, Order, OrderLine
from domain.recommendations import SetNotInterested
from domain.returns import RecordRefunds, Refund, record_refunds
from domain.storage import fetch_all
from tests.graphql.etag_programme import ZONES
from tests.graphql.etag_tickets import TicketSteps
from tests.graphql.gateway import global_id
from tests.graphql.orders import line, order
from tests.graphql.perks import perk
from tests.graphql.programme import GEMS, HOME, PERKS, PRODUCTS, RULE, TEA
from tests.graphql.redeeming import reward_id

MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(slots=True)
class History(TicketSteps):
    """One history. Every step is a real write, or time that passes, and then a look."""

    async def random_step(self) -> None:
        """Any step."""
        name = self.chance.choice([*STEPS, *["pass_a_moment"] * 5, "pass_time"])
        await getattr(self, name)()

    async def buy(self) -> None:
        """A purchase, backdated by up to fourteen months, or one that is sent again."""
        member = self.chance.choice(self.members)
        placed_at = self.gateway.clock.now() - timedelta(
            days=self.chance.choice([0, 0, 29, 364, 400])
        )
        bought = [
            line(product.code, self.chance.choice([0, 1, 8_800, 110_000]))
            for product in self.chance.sample(PRODUCTS[:3], self.chance.choice([1, 2]))
        ]
        sent = order(
            f"O{self.chance.randrange(10**9)}",
            member.member_id,
            *bought,
            placedAt=placed_at.isoformat(),
        )
        shop = await self.gateway.shop()

        async def work() -> None:
            body = {"input": {"batchId": uuid7().hex, "orders": [sent]}}
            await self.gateway.send("RecordPurchases", shop, **body)

        await self.step("buy", work)

    async def refund(self) -> None:
        """Part of some order comes back, or all that is left of it."""
        rows = await fetch_all(
            "SELECT source, external_id, paid_fen - refunded_fen AS left_fen FROM purchase"
            " WHERE member_id = $1 AND paid_fen > refunded_fen ORDER BY id DESC LIMIT 1",
            self._someone(),
        )
        now = self.gateway.clock.now()
        for row in rows:
            back = Refund(
                external_id=uuid7().hex,
                order_external_id=row["external_id"],
                amount_fen=self.chance.choice([1, row["left_fen"]]),
                refunded_at=now,
            )
            command = RecordRefunds(source=row["source"], batch_id=uuid7().hex, refunds=[back])
            in_force = rewards.RewardRules()
            await self.step(
                "refund", partial(record_refunds, command, rules_in_force=in_force, now=now)
            )

    async def bring(self) -> None:
        """An order from a file, which brings it again with one more line."""
        now = self.gateway.clock.now()
        lines = [
            OrderLine(line_id=str(nth), product_code=code, quantity=1, amount_fen=50_000)
            for nth, code in enumerate(("cup", "tea"))
        ]
        brought = Order(
            external_id=uuid7().hex,
            member=members.ById(self._someone()),
            placed_at=now - timedelta(days=self.chance.choice([1, 364])),
            paid_fen=50_000,
            lines=lines[:1],
        )
        rule = await purchases.current_rule(RULE.code)
        for one in (brought, replace(brought, lines=lines, paid_fen=100_000)):
            command = ImportOrders(source="file", orders=[one], create_members=False)
            await self.step("bring", partial(purchases.import_orders, command, rule=rule, now=now))

    async def earn(self) -> None:
        """Points that mature and expire at any moment."""
        now = self.gateway.clock.now()
        pending = self.chance.choice([None, MICROSECOND, timedelta(days=3), timedelta(days=29)])
        lives = self.chance.choice(
            [timedelta(days=2), timedelta(days=30), timedelta(days=30) + MICROSECOND, None]
        )
        command = Earn(
            member_id=self._someone(),
            points=self.chance.randint(1, 500),
            source=Source(kind="test", reference=uuid7().hex),
            effective_at=now,
            matures_at=None if pending is None else now + pending,
            expires_at=NEVER if lives is None else now + lives + (pending or timedelta(0)),
            key=Key(scope="test", key=uuid7().hex),
            reason=None,
        )
        await self.step("earn", lambda: ledger.post([command], now=now))

    async def spend(self) -> None:
        """Points that are there, or a refusal."""
        command = Redeem(
            member_id=self._someone(),
            points=self.chance.choice([1, 50, 400]),
            source=Source(kind="test", reference=uuid7().hex),
            key=Key(scope="test", key=uuid7().hex),
            reason="a mug",
        )

        async def work() -> None:
            [outcome] = await ledger.post([command], now=self.gateway.clock.now())
            assert not isinstance(outcome, Exception) or isinstance(outcome, InsufficientPoints)

        await self.step("spend", work)

    async def hold(self) -> None:
        """Points that are set aside for a moment or for days, and now and then given back."""
        now = self.gateway.clock.now()
        lasts = self.chance.choice([MICROSECOND, timedelta(hours=7), timedelta(days=5)])
        aside = SetAside(
            member_id=self._someone(),
            hold_id=uuid7(),
            owner="test",
            points=self.chance.choice([1, 80, 300]),
            expires_at=now + lasts,
            source=Source(kind="checkout", reference=uuid7().hex),
        )
        released = Release(member_id=aside.member_id, hold_id=aside.hold_id, source=aside.source)
        commands: list[ledger.Command] = (
            [aside, released] if self.chance.random() < 0.2 else [aside]
        )
        await self.step("hold", lambda: ledger.post(commands, now=now))

    async def redeem(self) -> None:
        """A coupon, or a gift; or the points are not there."""
        member = self.chance.choice(self.members)
        given = {
            "rewardId": reward_id(self.chance.choice(["coupon", "gift"])),
            "idempotencyKey": uuid7().hex,
        }
        token = self.token_of(member)
        await self.step("redeem", lambda: self.gateway.send("RedeemReward", token, input=given))

    async def take_back(self) -> None:
        """The last redemption, where nothing of it was used."""
        member = self.chance.choice(self.members)
        rows = await fetch_all(
            "SELECT id FROM redemption WHERE member_id = $1 ORDER BY id DESC LIMIT 1", member.member
        )
        for row in rows:
            key = f"{member.member}:{row['id']}"
            given = {
                "redemptionId": global_id("Redemption", key),
                "idempotencyKey": uuid7().hex,
            }
            token = self.token_of(member)
            await self.step(
                "take back",
                partial(self.gateway.send, "CancelRedemption", token, input=given),
            )

    async def use_a_perk(self) -> None:
        """A perk of some level, where it is the member's and some of it is left."""
        member = self.chance.choice(self.members)
        chosen = self.chance.choice(PERKS)
        wanted = perk(chosen.level_code, chosen.code)
        given = {"perkId": wanted, "idempotencyKey": uuid7().hex}
        token = self.token_of(member)
        await self.step("use a perk", lambda: self.gateway.send("UsePerk", token, input=given))

    async def give_a_use_back(self) -> None:
        """The last use of somebody's, by staff."""
        now = self.gateway.clock.now()
        by = Actor(name="staff:clerk", account_id=uuid7(), request_id="history")
        rows = await fetch_all(
            "SELECT id FROM perk_use WHERE member_id = $1 ORDER BY id DESC LIMIT 1",
            whose := self._someone(),
        )
        for row in rows:
            back = tiers.CancelPerkUse(member_id=whose, use_id=row["id"], reason="rain")
            await self.step("give back", partial(tiers.cancel_perk_use, back, by=by, now=now))

    async def check_out(self) -> None:
        """A shop reserves a coupon, and then uses it or lets it go, or does neither."""
        rows = await fetch_all(
            "SELECT code FROM coupon WHERE member_id = $1 ORDER BY id", self._someone()
        )
        use = {"code": self.chance.choice(rows)["code"], "orderReference": uuid7().hex}
        shop = await self.gateway.shop()
        for name in ("Reserve", self.chance.choice(["Confirm", "Release", ""])):
            more = {"amount": 9_000} if name == "Reserve" else {}
            given = {**use, **more, "idempotencyKey": uuid7().hex}
            if name:
                await self.step(
                    name, partial(self.gateway.send, f"{name}Coupon", shop, input=given)
                )

    async def say(self) -> None:
        """A member says something of themselves."""
        member = self.chance.choice(self.members)
        token = self.token_of(member)
        if self.chance.random() < 0.5:
            profile = self.chance.choice(
                [
                    {"nickname": f"小明{self.chance.randrange(3)}"},
                    {"birthday": self.chance.choice(["1996-02-29", "1990-03-02", None])},
                ]
            )
            await self.step(
                "rename", lambda: self.gateway.send("UpdateProfile", token, input=profile)
            )
        else:
            themes = {"themes": self.chance.sample([TEA.code, HOME.code, GEMS.code], 2)}
            await self.step(
                "declare", lambda: self.gateway.send("SetInterests", token, input=themes)
            )

    async def telephone(self) -> None:
        """Somebody binds a number, or the same again; nobody else has it."""
        member = self._someone()
        number = f"+86138{member.int % 10**7:07}{self.chance.randrange(3)}"
        now = self.gateway.clock.now()
        await self.step("telephone", lambda: members.bind_phone(member, number, now=now))

    async def consent(self) -> None:
        """Somebody agrees to something, or no longer does, or says so again."""
        member = self.chance.choice(self.members)
        token = self.token_of(member)
        said = {
            "purpose": self.chance.choice(["terms", "personalization", "personalization"]),
            "granted": self.chance.choice([True, False]),
            "version": "1",
        }
        await self.step("consent", lambda: self.gateway.send("SetConsent", token, input=said))

    async def hide(self) -> None:
        """Somebody does not want to see a product, or does again; or may not say so."""
        [product] = (await catalogue.products_by_code([self.chance.choice(PRODUCTS).code])).values()
        command = SetNotInterested(
            member_id=self._someone(),
            product_id=product.id,
            not_interested=self.chance.random() < 0.7,
        )
        now = self.gateway.clock.now()

        async def work() -> None:
            with suppress(PersonalizationOff):
                await recommendations.set_not_interested(command, now=now)

        await self.step("hide", work)

    async def pass_time(self) -> None:
        """An instant, or hours, or days."""
        duration = self.chance.choice(
            [MICROSECOND, timedelta(hours=5), timedelta(days=1), timedelta(days=8)]
        )
        await self._pass_to(self.gateway.clock.now() + duration, "time passes")

    async def pass_a_moment(self) -> None:
        """Stand just before the next moment at which something may change, on it, and after it."""
        moments = await self.moments()
        if moments:
            await self.stand_around(self.chance.choice(moments[:3]))

    async def stand_around(self, moment: datetime) -> None:
        """Look right before the moment, on it and right after."""
        for offset in (-MICROSECOND, timedelta(0), MICROSECOND):
            await self._pass_to(moment + offset, f"time is {offset / MICROSECOND:+.0f} µs")

    async def moments(self) -> list[datetime]:
        """The moments to come at which time alone may change an answer, soonest first."""
        now = self.gateway.clock.now()
        ids = [member.member for member in self.members]
        lots = await fetch_all(
            "SELECT matures_at, expires_at FROM points_lot WHERE member_id = ANY($1::uuid[])", ids
        )
        holds = await fetch_all(
            "SELECT expires_at FROM points_hold WHERE member_id = ANY($1::uuid[])", ids
        )
        coupons = await fetch_all(
            "SELECT expires_at, reserved_until FROM coupon WHERE member_id = ANY($1::uuid[])", ids
        )
        levels = await fetch_all(
            "SELECT next_review_at FROM member_level WHERE member_id = ANY($1::uuid[])", ids
        )
        offered = await fetch_all("SELECT begins_at, ends_at FROM reward_product")
        new = await fetch_all(
            "SELECT introduced_at FROM product_card WHERE introduced_at IS NOT NULL"
        )
        midnights = [
            ledger.local_midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
            for zone in ZONES
        ]
        found = {
            *(row["matures_at"] for row in lots),
            *(row["expires_at"] for row in lots if row["expires_at"] < NEVER),
            *(row["expires_at"] - timedelta(days=30) for row in lots if row["expires_at"] < NEVER),
            *(row["expires_at"] for row in [*coupons, *holds]),
            *(row["reserved_until"] for row in coupons if row["reserved_until"]),
            *(row["next_review_at"] for row in levels if row["next_review_at"] < NEVER),
            *(row[name] for row in offered for name in ("begins_at", "ends_at") if row[name]),
            *(row["introduced_at"] + timedelta(days=days) for row in new for days in (0, 30)),
            *midnights,
        }
        return sorted(moment for moment in found if moment > now + MICROSECOND)

    async def _pass_to(self, moment: datetime, name: str) -> None:
        async def work() -> None:
            self.gateway.clock.moment = moment

        await self.step(name, work)


STEPS: Final = (
    "bring",
    "buy",
    "buy",
    "earn",
    "earn",
    "spend",
    "hold",
    "redeem",
    "take_back",
    "check_out",
    "use_a_perk",
    "use_a_perk",
    "give_a_use_back",
    "grant_a_level",
    "review_levels",
    "refund",
    "say",
    "telephone",
    "consent",
    "reword",
    "introduce",
    "stock",
    "offer",
    "train",
    "refresh",
    "hide",
    "count_popularity",
    "set_up",
    "define_a_level",
    "write_to_us",
    "write_to_us",
    "serve",
    "serve",
    "tidy_tickets",
    "rename_topic",
)
