"""A life of buying, spending and bringing back, drawn from one number; for tests of refunds.

What an order keeps is reckoned here once more, in fractions and as plainly as docs/shops.md says
it. Two members live; sometimes the second turns out to be the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from functools import partial
from math import floor
from random import Random
from typing import Final
from uuid import UUID

from domain import catalogue, ledger, members, purchases, rewards, tiers
from domain.custody import MergeBecause, merge
from domain.errors import InsufficientPoints, RedemptionNotCancellable
from domain.ledger import AfterMonths
from domain.members import ByExternalReference
from domain.paging import PageRequest
from domain.returns import Refund, RefundLine, preview_refund
from domain.rewards import CouponStatus, RedemptionStatus, ReserveCoupon, UseCoupon
from domain.storage import fetch_all, transaction
from domain.tiers import LessPerks
from tests.domain.purchases.shop import LEVELS, NOW, PERKS, PRODUCTS, RULE, line, order
from tests.domain.returns.desk import IN_FORCE, MUG, TEN_OFF, level, record, redeem, wallet

TEN_TIMES: Final = replace(TEN_OFF, id=UUID(int=23), code="ten-times", points_price=300, stock=None)
SMALL: Final = replace(TEN_OFF, stock=None)
MEANT: Final = replace(RULE, expiry=AfterMonths(12), matures_after_days=1)


@dataclass(slots=True)
class Bought:
    """An order as the model knows it: fen and rate of its lines by id, and what came back."""

    name: str
    buyer: str
    paid: int
    placed_at: datetime
    multiplier: int
    lines: dict[str, tuple[int, int]]
    of_lines: Counter[str] = field(default_factory=Counter)
    of_all: int = 0
    taken: int = 0

    @property
    def refunded(self) -> int:
        return self.of_all + self.of_lines.total()

    @property
    def left(self) -> int:
        return self.paid - self.refunded

    def kept(self, *, of_nothing: bool = False) -> int:
        """The points of what is left; `of_nothing`: as if nothing was given back."""
        listed = sum(fen for fen, _ in self.lines.values())
        goods = min(self.paid, listed)
        left: dict[str, Fraction] = {}
        rest = Fraction(0 if of_nothing else self.of_all)
        for name, (fen, _) in self.lines.items():
            share = Fraction(fen * goods, listed)
            back = 0 if of_nothing else self.of_lines[name]
            left[name] = max(share - back, Fraction(0))
            rest += max(back - share, Fraction(0))
        rest = max(rest - (self.paid - goods), Fraction(0))
        whole = sum(left.values())
        part = (whole - rest) / whole if whole else Fraction(0)
        return floor(
            sum(
                left[name] * part / 100 * Fraction(rate * self.multiplier, 1_000_000)
                for name, (_, rate) in self.lines.items()
            )
        )


@dataclass(slots=True)
class Life:
    """Two members and their orders; `met` counts what happened to them."""

    number: int
    now: datetime = NOW
    random: Random = field(init=False)
    names: tuple[str, str] = field(init=False)
    who: dict[str, UUID] = field(default_factory=dict)
    everybody: frozenset[UUID] = frozenset()
    orders: list[Bought] = field(default_factory=list)
    met: Counter[str] = field(default_factory=Counter)
    sent: list[Refund] = field(default_factory=list)
    serial: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.number)
        self.names = (f"alice-{self.number}", f"bob-{self.number}")

    async def begin(self) -> None:
        """Make the programme and the two, whom no other life has met."""
        await catalogue.upsert_products(PRODUCTS, now=NOW)
        await tiers.define_levels(LEVELS, perks=PERKS, now=NOW)
        await purchases.publish_rule(MEANT, now=NOW)
        await rewards.define_rewards([SMALL, MUG, TEN_TIMES], now=NOW)
        names = [ByExternalReference(name) for name in self.names]
        self.who = dict(await members.register_external_members(names, now=NOW))
        self.everybody = frozenset(self.who.values())

    async def step(self) -> None:
        """Something happens."""
        doings = {
            self.buy: 7,
            self.redeem: 5,
            self.spend: 1,
            self.use: 1,
            self.cancel: 1,
            self.hold: 1,
            self.wait: 3,
            self.send_again: 1,
            self.give_back: 5,
            self.join: 0.2,
        }
        [doing] = self.random.choices([*doings], [*doings.values()])
        await doing()

    async def buy(self) -> None:
        name, buyer = self._next(), self.random.choice(self.names)
        lines = {
            product: self.random.choice([99, 3_333, 40_000, 60_000, self.random.randrange(100_000)])
            for product in self.random.sample(
                ["longjing", "cup", "book"], self.random.randint(1, 3)
            )
        }
        listed = sum(lines.values())
        paid = self.random.choice([listed, listed * 9 // 10, listed + 1_200, max(listed - 1, 0)])
        placed_at = self.now - timedelta(days=self.random.choice([0, 1, 2, 30, 360]))
        doubles = await level(self.who[buyer]) == "gold"
        await self._push(name, buyer, lines, paid=paid, placed_at=placed_at)
        rates = {product: 1_500 if product == "longjing" else 1_000 for product in lines}
        made = Bought(
            name=name,
            buyer=buyer,
            paid=paid,
            placed_at=placed_at,
            multiplier=2_000 if doubles else 1_000,
            lines={product: (fen, rates[product]) for product, fen in lines.items()},
        )
        if listed > 0:
            self.orders.append(made)

    async def _push(
        self, name: str, buyer: str, lines: dict[str, int], *, paid: int, placed_at: datetime
    ) -> None:
        sent = order(
            name,
            buyer,
            *(line(product, fen, quantity=3) for product, fen in lines.items()),
            paid_fen=paid,
            placed_at=placed_at,
        )
        command = purchases.RecordPurchases(source="shop", batch_id=name, orders=[sent])
        batch = await purchases.record_purchases(command, now=self.now)
        assert batch.receipts[0].status.value == "APPLIED", batch
        self.met["bought"] += 1

    async def redeem(self) -> None:
        """Some rewards, as far as the points go."""
        member_id = self._someone()
        for _ in range(self.random.randint(1, 4)):
            reward = self.random.choice([SMALL, TEN_TIMES, TEN_TIMES, MUG])
            try:
                await redeem(member_id, self._next(), reward, now=self.now)
            except InsufficientPoints:
                self.met["too poor"] += 1
            else:
                self.met["redeemed"] += 1

    async def spend(self) -> None:
        """Nearly all that is there goes."""
        member_id = self._someone()
        there = (await ledger.balance(member_id, now=self.now)).available
        points = there - self.random.choice([0, 1, 7])
        if points > 0:
            source = ledger.Source(kind="test", reference=self._next())
            command = ledger.Redeem(member_id=member_id, points=points, source=source)
            await ledger.post_one(command, now=self.now)
            self.met["spent"] += 1

    async def use(self) -> None:
        """A till reserves a coupon, or uses it up."""
        active = [one for one in await self._wallet() if one.status is CouponStatus.ACTIVE]
        if not active:
            return
        coupon, name = self.random.choice(active), self._next()
        reserving = ReserveCoupon(
            owner="till",
            code=coupon.code,
            order_reference=name,
            amount_fen=1,
            idempotency_key=f"r-{name}",
        )
        await rewards.reserve_coupon(reserving, rules_in_force=IN_FORCE, now=self.now)
        if self.random.random() < 0.5:
            using = UseCoupon(
                owner="till", code=coupon.code, order_reference=name, idempotency_key=f"u-{name}"
            )
            await rewards.confirm_coupon(using, now=self.now)
        self.met["used"] += 1

    async def cancel(self) -> None:
        member_id = self._someone()
        page = await rewards.redemptions(member_id, PageRequest(first=20))
        if not page.items:
            return
        found = self.random.choice([*page.items])
        command = rewards.CancelRedemption(
            member_id=member_id, redemption_id=found.id, idempotency_key=self._next()
        )
        try:
            await rewards.cancel_redemption(command, rules_in_force=IN_FORCE, now=self.now)
        except RedemptionNotCancellable:
            return
        self.met["cancelled"] += 1

    async def hold(self) -> None:
        name = self._next()
        command = ledger.HoldPoints(
            owner="till",
            member=ByExternalReference(self.random.choice(self.names)),
            points=self.random.randint(1, 40),
            reference=name,
            idempotency_key=f"h-{name}",
        )
        try:
            await ledger.hold_points(command, now=self.now)
        except InsufficientPoints:
            return
        self.met["held"] += 1

    async def wait(self) -> None:
        days = self.random.choice([0.1, 1, 1, 2, 2, 31, 120])
        self.now += timedelta(days=days)

    async def join(self) -> None:
        """The two turn out to be one person."""
        alice, bob = (self.who[name] for name in self.names)
        if alice == bob:
            return
        because = MergeBecause.STAFF
        joining = partial(merge, alice, bob, because=because, by="staff:x", now=self.now)
        assert await transaction(joining) is not None
        self.who[self.names[1]] = alice
        self.met["joined"] += 1

    async def give_back(self) -> None:
        """Foresee a refund of an order, then let it be: both say the same."""
        open_orders = [one for one in self.orders if one.left > 0]
        if not open_orders:
            return
        bought = self.random.choice(open_orders[-4:])
        amount = self.random.choice([bought.left, 1, self.random.randint(1, bought.left)])
        if self.random.random() < 0.4:
            await self._give_back_of_lines(bought, amount)
            return
        await self._foreseen(bought, amount)

    async def _give_back_of_lines(self, bought: Bought, amount: int) -> None:
        """What is of lines cannot be foreseen; so the state of the order is one of its own."""
        parts: Counter[str] = Counter()
        for name, (fen, _) in bought.lines.items():
            most = min(fen - bought.of_lines[name], amount - parts.total())
            parts[name] = self.random.randint(0, most)
        lines = [
            RefundLine(line_id=name, quantity=0, amount_fen=fen) for name, fen in parts.items()
        ]
        refund = self._refund(bought, amount, lines=lines)
        await self._recorded(bought, refund)
        self.met["refunded by lines"] += 1

    async def _foreseen(self, bought: Bought, amount: int) -> None:
        member_id = self.who[bought.buyer]
        [row] = await fetch_all(
            "SELECT id FROM purchase WHERE member_id = $1 AND external_id = $2",
            *(member_id, bought.name),
        )
        foreseen = await preview_refund(
            member_id, order_id=row["id"], amount_fen=amount, rules_in_force=IN_FORCE, now=self.now
        )
        assert foreseen is not None
        falls_before = await self._falls(member_id)
        active_before = await self._active(member_id)
        points_taken, debt_after = await self._recorded(bought, self._refund(bought, amount))
        level_after = await level(member_id)
        assert (foreseen.points_taken, foreseen.debt_after) == (points_taken, debt_after)
        assert foreseen.level_after == level_after
        # What time took by then was not lost by the refund.
        lost = await self._falls(member_id) > falls_before
        assert foreseen.perks == LessPerks(lost=("double",) if lost else (), reduced=())
        ended = {
            one.id
            for one in (await rewards.redemptions(member_id, PageRequest(first=100))).items
            if one.status is RedemptionStatus.CANCELLED and one.id in active_before
        }
        assert {one.id for one in foreseen.ended} == ended
        assert active_before - ended == await self._active(member_id)
        self.met["foreseen"] += 1
        self.met["foreseen with debt"] += debt_after > 0
        self.met["foreseen with coupons"] += bool(ended)
        self.met["foreseen with a lower level"] += lost
        self.met["foreseen of joined records"] += len(set(self.who.values())) == 1

    async def _recorded(self, bought: Bought, refund: Refund) -> tuple[int, int]:
        """Record the refund; the points that it took are those of the model."""
        batch = await record(refund, batch_id=refund.external_id, now=self.now)
        [receipt] = batch.receipts
        assert receipt.status.value == "APPLIED", receipt
        for one in refund.lines:
            bought.of_lines[one.line_id] += one.amount_fen
        bought.of_all += refund.amount_fen - sum(one.amount_fen for one in refund.lines)
        assert receipt.points_taken == bought.kept(of_nothing=True) - bought.kept() - bought.taken
        bought.taken += receipt.points_taken
        balance = await ledger.balance(self.who[bought.buyer], now=self.now)
        assert receipt.debt_after == balance.debt
        self.sent.append(refund)
        self.met["refunded"] += 1
        self.met["refunded whole"] += bought.left == 0
        return receipt.points_taken, receipt.debt_after

    async def send_again(self) -> None:
        """A refund that comes again, in another batch, changes nothing."""
        if not self.sent:
            return
        before = [await ledger.balance(one, now=self.now) for one in self.who.values()]
        refund = self.random.choice(self.sent)
        batch = await record(refund, batch_id=self._next(), now=self.now)
        assert [one.status.value for one in batch.receipts] == ["DUPLICATE"]
        assert [await ledger.balance(one, now=self.now) for one in self.who.values()] == before
        self.met["sent again"] += 1

    async def verify(self) -> None:
        """The journals are sound, and what the orders say is what was taken."""
        everybody = sorted(self.everybody)
        for member_id in everybody:
            assert await ledger.verify_account(member_id) == []
        stored = await fetch_all(
            "SELECT external_id, refunded_fen, points_taken FROM purchase"
            " WHERE refunded_fen > 0 AND member_id = ANY($1::uuid[])",
            everybody,
        )
        told = {row["external_id"]: (row["refunded_fen"], row["points_taken"]) for row in stored}
        meant = {one.name: (one.refunded, one.taken) for one in self.orders if one.refunded}
        assert told == meant
        reversed_ = await fetch_all(
            "SELECT SUM(e.amount)::bigint AS points FROM points_entry AS e"
            " JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq"
            " WHERE e.kind = 'REVERSAL' AND e.source_kind = 'refund'"
            " AND e.member_id = ANY($1::uuid[])",
            everybody,
        )
        assert -(reversed_[0]["points"] or 0) == sum(one.taken for one in self.orders)

    def _refund(self, bought: Bought, amount: int, *, lines: Sequence[RefundLine] = ()) -> Refund:
        return Refund(
            external_id=self._next(),
            order_external_id=bought.name,
            amount_fen=amount,
            refunded_at=max(self.now - timedelta(hours=1), bought.placed_at),
            lines=lines,
        )

    def _someone(self) -> UUID:
        return self.who[self.random.choice(self.names)]

    async def _wallet(self) -> list[rewards.Coupon]:
        return await wallet(self._someone(), now=self.now)

    async def _falls(self, member_id: UUID) -> int:
        """How often refunds took the member's level."""
        history = await tiers.level_history(member_id, PageRequest(first=100))
        return sum(change.reason == "REFUNDED" for change in history.items)

    async def _active(self, member_id: UUID) -> set[UUID]:
        """The redemptions of coupons that are whole."""
        return {
            one.redemption_id
            for one in await wallet(member_id, now=self.now)
            if one.status is CouponStatus.ACTIVE and one.redemption_id is not None
        }

    def _next(self) -> str:
        """A name that nothing else has."""
        self.serial += 1
        return f"{self.number}-{self.serial}"
