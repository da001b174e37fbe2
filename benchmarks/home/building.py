"""The database of the home page: the demo's programme, and as many members as wanted.

A few members, the *models*, live through the real writers. All others are copies of their rows,
made by plain SQL, as many as wanted: what a page reads of them is the same, their hash chains are
not theirs.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias
from uuid import UUID

import asyncpg
import orjson

from api.demo.programme import PRODUCTS, REWARDS, SHOP_CODE, set_up_programme
from benchmarks.postgres import connected
from domain import access, members, purchases, recommendations, rewards
from domain.access import AccessTokens, KeyRing
from domain.members import ByExternalReference, ById, SessionLifetimes, UpdateProfile
from domain.purchases import Order, OrderLine, RecordPurchases
from domain.rewards import RedeemReward
from tests.domain.access.fixtures import OPERATOR
from tests.faults.town import A_DAY, ISSUER, Town

Bulk: TypeAlias = Any
"""A connection of asyncpg."""

MODELS: Final = 64
ASKING: Final = 256
"""How many members have a session, and ask in turn."""

_BATCH: Final = 500
_COUPONS: Final = 3
_SEED: Final = 20_261_122
_COPIED_AT_ONCE: Final = 50_000

_COPIED: Final[dict[str, dict[str, str]]] = {
    "member": {"id": "c.member_id"},
    "points_account": {},
    "points_lot": {},
    "points_entry": {},
    "points_entry_text": {},
    "points_draw": {},
    "coupon": {
        "id": "gen_random_uuid()",
        "code": "upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 16))",
        "redemption_id": "NULL",
    },
    "notification": {"id": "gen_random_uuid()"},
    "member_level": {},
    "level_term": {"id": "gen_random_uuid()"},
    "qualifying_day": {},
    "outbox_stream": {},
}
"""The tables that the page reads of a member, with the columns that a copy has of its own."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many members there are, and how many entries the journal of each has."""

    members: int = 1_000
    entries: int = 40


async def build(url: str, folder: Path, sizes: Sizes) -> Town:
    """Fill an empty database; keys, and a file with those that verify tokens, come into the folder.

    The town's members are those who have sessions: models first, then copies, spread evenly.
    """
    now = datetime.now(UTC)
    keys = folder / "keys.json"
    members.create_phone_keys(folder / "phone-keys.json", now=now)
    ring = KeyRing(keys, now=now, create_missing=True)
    tokens = AccessTokens(ring, ISSUER)
    (folder / "jwks.json").write_bytes(orjson.dumps(ring.jwks()))
    async with connected(url):
        await set_up_programme(now=now)
        models = await _live(min(MODELS, sizes.members), entries=sizes.entries, now=now)
        await recommendations.refresh_popularity(now=now)
        async with _unbounded(url) as bulk:
            copies = await _copy(bulk, models, sizes.members - len(models))
            await bulk.execute("VACUUM ANALYZE")
        asking = [*models, *_spread(copies, ASKING - len(models))]
        sessions = [await open_session(one, tokens=tokens, now=now) for one in asking]
        shop_token, _ = await access.issue_token(
            SHOP_CODE, by=OPERATOR, tokens=tokens, now=now, ttl=A_DAY
        )
    return Town(
        database_url=url,
        keys=keys,
        members=asking,
        member_tokens=sessions,
        shop_token=shop_token,
        signed_out_token="",
    )


async def open_session(member_id: UUID, *, tokens: AccessTokens, now: datetime) -> str:
    """An access token of the member that lives a day."""
    opened = await members.open_session(
        member_id,
        app_id="wx-town",
        tokens=tokens,
        now=now,
        lifetimes=SessionLifetimes(access_token=A_DAY),
    )
    return opened.access_token


async def lengthen(url: str, member_id: UUID, *, entries: int) -> None:
    """Give a member's journal so many entries, by copying its own over and over, and the lots too.

    The copies of lots are spent: what a page reads of open lots stays as it was.
    """
    async with _unbounded(url) as bulk:
        await _lengthen(bulk, member_id, entries=entries)
        await bulk.execute(
            "UPDATE points_account SET version = $2 WHERE member_id = $1", member_id, entries
        )
        await bulk.execute("VACUUM ANALYZE")


async def _lengthen(bulk: Bulk, member_id: UUID, *, entries: int) -> None:
    held = await bulk.fetchval("SELECT MAX(seq) FROM points_entry WHERE member_id = $1", member_id)
    while held < entries:
        more = min(held, entries - held)
        for table, own in (
            ("points_entry", {"seq": "t.seq + $2"}),
            ("points_entry_text", {"seq": "t.seq + $2"}),
            (
                "points_lot",
                {"lot_seq": "t.lot_seq + $2", "entry_seq": "t.entry_seq + $2", "remaining": "0"},
            ),
        ):
            number = "entry_seq" if table == "points_lot" else "seq"
            columns = await _columns(bulk, table)
            chosen = ", ".join(own.get(one, f"t.{one}") for one in columns)
            await bulk.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM {table} AS t"
                f" WHERE t.member_id = $1 AND t.{number} <= $3",
                *(member_id, held, more),
            )
        held += more


async def _live(number: int, *, entries: int, now: datetime) -> list[UUID]:
    """Members who join, buy and redeem, through the real writers."""
    references = [ByExternalReference(f"member-{one}") for one in range(number)]
    await members.register_external_members(references, now=now)
    found = [one for one in await members.resolve_members(references) if one is not None]
    for place, member_id in enumerate(found):
        picture = f"https://img.jifen.example/avatars/{place:03}.png"
        profile = UpdateProfile(member_id=member_id, nickname=f"会员{place}", avatar_url=picture)
        await members.update_profile(profile, now=now)
    # Redeeming writes an entry too.
    orders = sorted(_orders(found, entries - 1, now=now), key=lambda one: one.placed_at)
    for start in range(0, len(orders), _BATCH):
        some = orders[start : start + _BATCH]
        command = RecordPurchases(source=SHOP_CODE, batch_id=f"past-{start}", orders=some)
        await purchases.record_purchases(command, now=now)
    for member_id in found:
        redeem = RedeemReward(
            member_id=member_id,
            reward_id=REWARDS[0].id,
            idempotency_key="coupons",
            quantity=_COUPONS,
        )
        await rewards.redeem_reward(redeem, now=now)
    return found


def _orders(member_ids: Sequence[UUID], each: int, *, now: datetime) -> Iterator[Order]:
    """Orders of the last year, so that points of some expire soon and none have."""
    dice = random.Random(_SEED)
    for number, member_id in enumerate(member_ids):
        for nth in range(each):
            product = dice.choice(PRODUCTS)
            quantity = dice.choice([1, 1, 1, 2, 3])
            fen = max((product.price_fen or 0) * quantity, 9_000)
            line = OrderLine(
                line_id="1", product_code=product.code, quantity=quantity, amount_fen=fen
            )
            yield Order(
                external_id=f"D{number:04}-{nth:06}",
                member=ById(member_id),
                placed_at=now - timedelta(days=dice.randint(1, 360), minutes=dice.randint(0, 600)),
                paid_fen=fen,
                channel=dice.choice(["mini-program", "shop", "app"]),
                lines=[line],
            )


async def _copy(bulk: Bulk, models: Collection[UUID], number: int) -> list[UUID]:
    """So many members with the rows of the models, in turn."""
    if number <= 0:
        return []
    await bulk.execute("CREATE TABLE benchmark_copy (place bigint, model_id uuid, member_id uuid)")
    await bulk.execute(
        "INSERT INTO benchmark_copy SELECT n, ($1::uuid[])[1 + n % cardinality($1::uuid[])],"
        " gen_random_uuid() FROM generate_series(0, $2::bigint - 1) AS n",
        *(list(models), number),
    )
    await bulk.execute("CREATE INDEX ON benchmark_copy (place)")
    for table, own in _COPIED.items():
        key = "id" if table == "member" else "member_id"
        replaced = {"member_id": "c.member_id", **own}
        columns = await _columns(bulk, table)
        chosen = ", ".join(replaced.get(one, f"t.{one}") for one in columns)
        for start in range(0, number, _COPIED_AT_ONCE):
            await bulk.execute(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM {table} AS t"
                f" JOIN benchmark_copy AS c ON c.model_id = t.{key}"
                " WHERE c.place >= $1 AND c.place < $2",
                *(start, start + _COPIED_AT_ONCE),
            )
    rows = await bulk.fetch(
        "SELECT member_id FROM benchmark_copy WHERE place % $1 = 0 ORDER BY place",
        max(number // ASKING, 1),
    )
    return [row["member_id"] for row in rows]


@asynccontextmanager
async def _unbounded(url: str) -> AsyncIterator[Bulk]:
    """A connection whose statements may take as long as they need, unlike the gateway's."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _columns(bulk: Bulk, table: str) -> list[str]:
    rows = await bulk.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = $1"
        " AND table_schema = current_schema() ORDER BY ordinal_position",
        table,
    )
    return [row["column_name"] for row in rows]


def _spread(found: Sequence[UUID], number: int) -> Sequence[UUID]:
    """At most so many of them, from all over."""
    return found[:: max(len(found) // max(number, 1), 1)][: max(number, 0)]
