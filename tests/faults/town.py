"""A town: a programme with members who have bought, a shop, and everybody's tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from domain import access, members, storage
from domain.access import AccessTokens, KeyRing
from domain.ledger import verify_account
from domain.members import ByExternalReference, ById, SessionLifetimes
from domain.purchases import Order, OrderLine, RecordPurchases, record_purchases
from tests.domain.access.fixtures import OPERATOR
from tests.faults.loading import http_request
from tests.graphql.gateway import global_id
from tests.graphql.operations import operation
from tests.graphql.orders import order
from tests.graphql.programme import SHOP, set_up_programme

ISSUER = "https://jifen.example"
A_DAY = timedelta(days=1)
MEMBERS = 64
ORDERS_EACH = 25

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Town:
    """Who lives there. Tokens live a day."""

    database_url: str
    keys: Path
    members: list[UUID]
    member_tokens: list[str]
    shop_token: str
    signed_out_token: str
    """Of a member who has signed out: good by itself."""

    def home_requests(self) -> list[str]:
        """The home query of each member, as a mini-program sends it."""
        home = operation("Home")
        return [http_request(home, token=token) for token in self.member_tokens]

    def purchases(self, number: int, *, prefix: str) -> Iterator[str]:
        """So many batches of one order each, each by another member, each with ids of its own."""
        placed_at = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
        for _ in range(number):
            name = f"{prefix}-{next(_NUMBERS)}"
            member = global_id("Member", self.members[next(_NUMBERS) % len(self.members)])
            batch = {"batchId": name, "orders": [order(name, member, placedAt=placed_at)]}
            yield http_request(
                operation("RecordPurchases"), {"input": batch}, token=self.shop_token
            )


async def settle(database_url: str, folder: Path, *, orders_each: int = ORDERS_EACH) -> Town:
    """Build a town in an empty database; its keys come into the folder."""
    now = datetime.now(UTC)
    keys = folder / "keys.json"
    members.create_phone_keys(folder / "phone-keys.json", now=now)
    tokens = AccessTokens(KeyRing(keys, now=now, create_missing=True), ISSUER)
    await storage.connect(database_url)
    try:
        await set_up_programme(now=now)
        references = [ByExternalReference(f"member-{number}") for number in range(MEMBERS)]
        await members.register_external_members(references, now=now)
        found = await members.resolve_members(references)
        ids = [member for member in found if member is not None]
        for batch in range(orders_each):
            await record_purchases(_past_orders(ids, batch, now=now), now=now)
        shop_token, _ = await access.issue_token(
            SHOP, by=OPERATOR, tokens=tokens, now=now, ttl=A_DAY
        )
        sessions = [await _session(member, tokens=tokens, now=now) for member in ids]
        signed_out = await _session(ids[0], tokens=tokens, now=now)
        await members.sign_out(tokens.verify(signed_out, now), everywhere=False, now=now)
    finally:
        await storage.close()
    return Town(
        database_url=database_url,
        keys=keys,
        members=ids,
        member_tokens=sessions,
        shop_token=shop_token,
        signed_out_token=signed_out,
    )


async def assert_sound(town: Town) -> int:
    """Every account adds up and every chain holds; returns how many purchases are recorded."""
    await storage.connect(town.database_url)
    try:
        for member in town.members:
            assert await verify_account(member) == []
        row = await storage.fetch_one("SELECT COUNT(*) AS n FROM purchase")
        assert row is not None
        return int(row["n"])
    finally:
        await storage.close()


async def _session(member: UUID, *, tokens: AccessTokens, now: datetime) -> str:
    session = await members.open_session(
        member,
        app_id="wx-town",
        tokens=tokens,
        now=now,
        lifetimes=SessionLifetimes(access_token=A_DAY),
    )
    return session.access_token


def _past_orders(ids: list[UUID], batch: int, *, now: datetime) -> RecordPurchases:
    line: dict[str, Any] = {"line_id": "1", "product_code": "cup", "quantity": 1}
    return RecordPurchases(
        source="past",
        batch_id=f"past-{batch}",
        orders=[
            Order(
                external_id=f"past-{batch}-{number}",
                member=ById(member),
                placed_at=now - timedelta(days=batch + 1),
                paid_fen=8_800,
                lines=[OrderLine(**line, amount_fen=8_800)],
            )
            for number, member in enumerate(ids)
        ],
    )
