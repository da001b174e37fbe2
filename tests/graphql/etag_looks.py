"""Looking at members by GET: whatever is looked at is kept by its ETag.

An ETag that comes with another body than before is a violation.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

import httpx
import jwt
import orjson
from uuid_utils.compat import uuid7

from domain.access import CallerKind
from domain.storage import Table, fetch_all
from schema.building import JifenSchema
from tests.api.documents import persisted, sha256
from tests.graphql.desk import open_desk
from tests.graphql.everything import apart_document, covered_document
from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.operations import operation
from tests.graphql.programme import SHOP, open_shop

LANGUAGES: Final = ("zh", "en")
NUMBERS: Final = count(1)
SENT_AGAIN_MAX: Final = 5

# Each member has some from the start, in every state that time alone ends.
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
    owner="text",
    order_reference="text",
    amount_fen="bigint",
    discount_fen="bigint",
    reserved_until="timestamptz",
)


def _coupon(member: Session, status: str, *, now: datetime, days: int) -> dict[str, Any]:
    """A coupon that expires after so many days; one that is reserved is so for a day."""
    number = next(NUMBERS)
    of_an_order = status != "ACTIVE"
    return {
        "member_id": member.member,
        "id": uuid7(),
        "code": f"COUPON-{number:06}",
        "title_zh": "十元券",
        "title_en": "ten yuan",
        "status": status,
        "issued_at": now,
        "expires_at": now + timedelta(days=days, microseconds=days),
        "owner": "till" if of_an_order else None,
        "order_reference": f"order-{number}" if of_an_order else None,
        "amount_fen": 9_000 if of_an_order else None,
        "discount_fen": 1_000 if of_an_order else None,
        "reserved_until": now + timedelta(days=1) if of_an_order else None,
    }


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
class Looks:
    """Two members and their programme, looked at after every step."""

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
        await open_desk()
        await _COUPONS.insert(
            _coupon(member, status, now=now, days=days)
            for member in self.members
            for status, days in (("ACTIVE", 2), ("ACTIVE", 9), ("USED", 5), ("RESERVED", 33))
        )
        schema = self.schema._schema
        self.documents = {
            "mine": covered_document(schema, "program", "consentTexts", "me"),
            "apart": apart_document(schema),
            "home": operation("Home"),
            "node": covered_document(schema, "node"),
            "public": covered_document(schema, "program", "consentTexts"),
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
            await self.ask(Ask(self.documents["apart"], self.members[0], "zh"))
            await self.ask(await self._another())

    async def _another(self) -> Ask:
        language = self.chance.choice(LANGUAGES)
        who = self.chance.choice([*self.members, None])
        match self.chance.choice(["mine", "apart", "home", "node", "public"]):
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
            "SELECT 'Redemption', id FROM redemption WHERE member_id = $1 UNION ALL "
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
        # It asks for everything at once: where the machine is slow, some of it waits too long.
        for _ in range(SENT_AGAIN_MAX):
            if "OVERLOADED" not in response.text:
                break
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

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> None:
        """Do something, then look."""
        self.steps.append(name)
        await work()
        await self.look()
