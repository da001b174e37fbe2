"""The plain hand-written endpoint: `python -m benchmarks.home.peers.plain PORT`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.home.peers import shapes, statements
from benchmarks.home.peers.serving import CONNECTIONS_MAX, JSON_FLAGS, refused, serve
from benchmarks.home.peers.tokens import Tokens

TOKENS = Tokens()


async def home(request: Request) -> Response:
    """The page of the member whose token it is."""
    now = datetime.now(UTC)
    try:
        member_id, session_id = TOKENS.caller(request)
    except PermissionError:
        return refused()
    variables = orjson.loads(await request.body()).get("variables") or {}
    first, products = variables.get("ledgerFirst", 20), variables.get("recommendationsFirst", 10)
    pool: asyncpg.Pool[asyncpg.Record] = request.app.state.pool
    async with pool.acquire() as connection:
        member = await connection.fetchrow(statements.SESSION, member_id, now, session_id)
        if member is None or not member[3]:
            return refused()
        program = await connection.fetchrow(statements.PROGRAM)
        unread, version = await connection.fetchrow(statements.FRESHNESS, member_id)
        levels = await connection.fetch(statements.LEVELS, member_id, now)
        perks = await connection.fetch(statements.PERKS, member_id, now)
        account = await connection.fetchrow(statements.POINTS, member_id, now)
        expiring = await connection.fetch(statements.EXPIRING, member_id, now)
        entries = await connection.fetch(statements.ENTRIES, member_id, first + 1)
        coupons = await connection.fetch(statements.COUPONS, member_id, now)
        popular = await connection.fetch(statements.POPULAR, products)
    nickname, avatar_url, joined_at, _ = member
    me = {
        "id": shapes.global_id(f"Member:{member_id}"),
        "version": str(version),
        "nickname": nickname,
        "avatarUrl": avatar_url,
        "unreadCount": unread,
        "tier": shapes.tier(levels, perks, joined_at=joined_at),
        "points": shapes.points(account, expiring),
        "ledger": shapes.ledger(str(member_id), entries, first),
        "coupons": shapes.coupons(str(member_id), coupons),
        "recommendations": shapes.recommendations(popular, currency=program["currency"]),
    }
    page = {"data": {"program": shapes.program(program), "me": me}}
    return Response(orjson.dumps(page, option=JSON_FLAGS), media_type="application/json")


@asynccontextmanager
async def opened(app: Starlette) -> AsyncIterator[None]:
    """The pool, for as long as the server runs."""
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=1, max_size=CONNECTIONS_MAX) as pool:
        app.state.pool = pool
        yield


app = Starlette(routes=[Route("/graphql", home, methods=["POST"])], lifespan=opened)

if __name__ == "__main__":
    serve(app)
