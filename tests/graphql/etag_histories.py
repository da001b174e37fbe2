"""Random histories of two members and their programme, looked at after every step.

Whatever is looked at is kept by its ETag: an ETag that comes with another body is a violation.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import jwt
import orjson
from uuid_utils.compat import uuid7

from domain import catalogue, ledger, program, recommendations, tiers
from domain.access import CallerKind
from domain.errors import InsufficientPoints
from domain.ledger import NEVER, Earn, Key, Redeem, Source
from domain.storage import Table, fetch_all
from domain.tiers import LevelDefinition
from schema.building import JifenSchema
from tests.api.documents import persisted, sha256
from tests.graphql.everything import covered_document
from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.operations import operation
from tests.graphql.orders import line, order
from tests.graphql.programme import GEMS, HOME, PRODUCTS, SHOP, TEA, open_shop

MICROSECOND: Final = timedelta(microseconds=1)
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
ZONES: Final = (SHANGHAI, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Kiritimati"))
LANGUAGES: Final = ("zh", "en")
NUMBERS: Final = count(1)

# Nothing issues coupons yet; each member has theirs from the start.
_COUPONS = Table(
    "coupon",
    member_id="uuid",
    id="uuid",
    code="text",
    title_zh="text",
    title_en="text",
    status="text",
    issued_at="timestamptz",
    expires_at="timestamptz",
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to look at: a document, who asks, in which language."""

    text: str
    who: Session | None
    language: str
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Seen:
    """All that was ever answered, and how often."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    repeated: int = 0
    by_time_alone: int = 0
    """Answers that became different although nothing but time had passed."""

    def look(self, etag: str, body: bytes, *, what: str) -> None:
        """Note an answer."""
        self.answers.append(body)
        self.repeated += etag in self.bodies
        before = self.bodies.setdefault(etag, body)
        if before != body:
            self.violations.append(f"{what}: {before.decode()} became {body.decode()}")


@dataclass(slots=True)
class History:
    """One history. Every step is a real write, or time that passes, and then a look."""

    gateway: Gateway
    schema: JifenSchema
    seen: Seen
    chance: random.Random
    members: list[Session] = field(default_factory=list)
    documents: dict[str, str] = field(default_factory=dict)
    newest: dict[str, bytes] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    alone: bool = False
    """Whether nothing is looked at but Alice's everything, once after each step."""

    async def begin(self) -> None:
        """Two members with coupons; the documents are made known to the gateway."""
        self.members = [await self.gateway.sign_in(name) for name in ("o-alice", "o-bob")]
        now = self.gateway.clock.now()
        await open_shop(self.gateway.named(SHOP), now=now)
        await _COUPONS.insert(
            {
                "member_id": member.member,
                "id": uuid7(),
                "code": f"COUPON-{next(NUMBERS):06}",
                "title_zh": "十元券",
                "title_en": "ten yuan",
                "status": status,
                "issued_at": now,
                "expires_at": now + timedelta(days=days, microseconds=days),
            }
            for member in self.members
            for status, days in (("ACTIVE", 2), ("ACTIVE", 9), ("USED", 5), ("ACTIVE", 33))
        )
        schema = self.schema._schema
        self.documents = {
            "mine": covered_document(schema, "program", "me"),
            "home": operation("Home"),
            "node": covered_document(schema, "node"),
            "public": covered_document(schema, "program"),
        }
        for text in self.documents.values():
            await self.gateway.http.post(
                "/graphql", json={"query": text, "extensions": persisted(text)}
            )

    # Looking

    async def look(self) -> None:
        """Look at Alice's everything, and at one other thing."""
        await self.ask(Ask(self.documents["mine"], self.members[0], "zh"))
        if not self.alone:
            await self.ask(await self._another())

    async def _another(self) -> Ask:
        language = self.chance.choice(LANGUAGES)
        who = self.chance.choice([*self.members, None])
        match self.chance.choice(["mine", "home", "node", "public"]):
            case "node":
                node = {"id": await self._some_id()}
                return Ask(self.documents["node"], who or self.members[0], language, node)
            case "public":
                return Ask(self.documents["public"], who, language)
            case name:
                return Ask(self.documents[name], who or self.members[1], language)

    async def _some_id(self) -> str:
        alice = self.members[0].member
        rows = await fetch_all(
            "SELECT 'Product' AS kind, id FROM product UNION ALL "
            "SELECT 'Coupon', id FROM coupon WHERE member_id = $1 UNION ALL "
            "SELECT 'Purchase', id FROM purchase WHERE member_id = $1",
            alice,
        )
        row = self.chance.choice(rows)
        if row["kind"] == "Product":
            return global_id("Product", row["id"])
        if self.chance.random() < 0.3:
            return self.chance.choice(
                [global_id("Member", alice), global_id("LedgerEntry", f"{alice}:1")]
            )
        return global_id(row["kind"], f"{alice}:{row['id']}")

    async def ask(self, asked: Ask) -> httpx.Response:
        """The answer, noted by its ETag; who shows the ETag gets 304."""
        headers = {"accept-language": asked.language}
        if asked.who is not None:
            headers["authorization"] = f"Bearer {self.token_of(asked.who)}"
        parameters = {
            "documentId": f"sha256:{sha256(asked.text)}",
            "variables": orjson.dumps(asked.variables).decode(),
        }
        response = await self.gateway.http.get("/graphql", params=parameters, headers=headers)
        assert response.status_code == 200, response.text
        assert response.json().keys() == {"data"}, response.text
        etag = response.headers["etag"]
        self.seen.look(etag, response.content, what=" then ".join(self.steps[-4:]))
        what = f"{asked}"
        if self.steps[-1].startswith("time") and self.newest.get(what) not in {
            None,
            response.content,
        }:
            self.seen.by_time_alone += 1
        self.newest[what] = response.content
        if not self.alone and self.chance.random() < 0.2:
            headers["if-none-match"] = etag
            again = await self.gateway.http.get("/graphql", params=parameters, headers=headers)
            assert (again.status_code, again.content) == (304, b"")
        return response

    def token_of(self, who: Session) -> str:
        """A token of the member's session that is good now."""
        claims = jwt.decode(who.access_token, options={"verify_signature": False})
        token, _ = self.gateway.tokens.issue(
            CallerKind.MEMBER,
            who.member,
            now=self.gateway.clock.now(),
            session_id=UUID(claims["sid"]),
        )
        return token

    # Steps

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Do something, then look."""
        self.steps.append(name)
        await work()
        await self.look()

    async def random_step(self) -> None:
        """Any step."""
        name = self.chance.choice([*STEPS, "pass_a_moment", "pass_a_moment", "pass_time"])
        await getattr(self, name)()

    def _someone(self) -> UUID:
        return self.chance.choice([self.members[0], *self.members]).member

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

    async def say(self) -> None:
        """A member says something of themselves."""
        member = self.chance.choice(self.members)
        token = self.token_of(member)
        if self.chance.random() < 0.5:
            profile = {"nickname": f"小明{self.chance.randrange(3)}"}
            await self.step(
                "rename", lambda: self.gateway.send("UpdateProfile", token, input=profile)
            )
        else:
            themes = {"themes": self.chance.sample([TEA.code, HOME.code, GEMS.code], 2)}
            await self.step(
                "declare", lambda: self.gateway.send("SetInterests", token, input=themes)
            )

    async def stock(self) -> None:
        """A product gets another price, or a new one comes."""
        now = self.gateway.clock.now()
        item = replace(
            self.chance.choice(PRODUCTS),
            price_fen=self.chance.choice([100, 200, None]),
            title=self.chance.choice(["新", "旧"]),
        )
        await self.step("stock", lambda: catalogue.upsert_products([item], now=now))

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
        coupons = await fetch_all(
            "SELECT expires_at FROM coupon WHERE member_id = ANY($1::uuid[])", ids
        )
        midnights = [
            ledger.local_midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
            for zone in ZONES
        ]
        found = {
            *(row["matures_at"] for row in lots),
            *(row["expires_at"] for row in lots if row["expires_at"] < NEVER),
            *(row["expires_at"] - timedelta(days=30) for row in lots if row["expires_at"] < NEVER),
            *(row["expires_at"] for row in coupons),
            *midnights,
        }
        return sorted(moment for moment in found if moment > now + MICROSECOND)

    async def _pass_to(self, moment: datetime, name: str) -> None:
        async def work() -> None:
            self.gateway.clock.moment = moment

        await self.step(name, work)


STEPS: Final = (
    "buy",
    "buy",
    "earn",
    "earn",
    "spend",
    "say",
    "stock",
    "count_popularity",
    "set_up",
    "define_a_level",
)
