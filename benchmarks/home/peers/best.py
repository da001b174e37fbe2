"""The best hand-written endpoint that we know: `python -m benchmarks.home.peers.best PORT`.

One statement for everything, session included, planned once and for all: a plan for each member
anew costs four times what running it does. Connections are leased, last in, first out, and nothing
is reset between requests, because nothing but this statement is ever run on them.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

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


def _rows(statement: str, **renumbered: str) -> str:
    """A statement as one value: the array of its rows."""
    for place, other in renumbered.items():
        statement = re.sub(rf"\${place[1:]}\b", f"${other}", statement)
    return f"ARRAY(SELECT ROW(block.*) FROM ({statement}) AS block)"


# $1 the member, $2 the moment, $3 the session, $4 how many entries, $5 how many products.
_BLOCKS: Final = ", ".join(
    (
        _rows(statements.PROGRAM),
        _rows(statements.FRESHNESS),
        _rows(statements.LEVELS),
        _rows(statements.PERKS),
        _rows(statements.POINTS),
        _rows(statements.EXPIRING),
        _rows(statements.ENTRIES, p2="4"),
        _rows(statements.COUPONS),
        _rows(statements.POPULAR, p1="5"),
    )
)
_HOME: Final = statements.SESSION.replace("\n    FROM", f",\n    {_BLOCKS}\n    FROM", 1)
_SETTINGS: Final = {"plan_cache_mode": "force_generic_plan", "jit": "off"}


class Leases:
    """Connections of one database, each with the statement prepared; the last one back goes out
    first, so that few stay warm."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[Any] = []
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)

    async def fetch(self, *values: object) -> asyncpg.Record | None:
        """The one row of the page."""
        async with self._room:
            prepared = self._free.pop() if self._free else await self._prepared()
            row: asyncpg.Record | None = await prepared.fetchrow(*values)
            # One that failed is not given back.
            self._free.append(prepared)
            return row

    async def _prepared(self) -> Any:
        connection = await asyncpg.connect(self._url, server_settings=_SETTINGS)
        return await connection.prepare(_HOME)


async def home(request: Request) -> Response:
    """The page of the member whose token it is."""
    now = datetime.now(UTC)
    try:
        member_id, session_id = TOKENS.caller(request)
    except PermissionError:
        return refused()
    variables = orjson.loads(await request.body()).get("variables") or {}
    first, products = variables.get("ledgerFirst", 20), variables.get("recommendationsFirst", 10)
    leases: Leases = request.app.state.leases
    row = await leases.fetch(member_id, now, session_id, first + 1, products)
    if row is None or not row[3]:
        return refused()
    nickname, avatar_url, joined_at, _, *blocks = row
    [program], [(unread, version)], levels, perks, account, expiring = blocks[:6]
    entries, coupons, popular = blocks[6:]
    member = str(member_id)
    me = {
        "id": shapes.global_id(f"Member:{member}"),
        "version": str(version),
        "nickname": nickname,
        "avatarUrl": avatar_url,
        "unreadCount": unread,
        "tier": shapes.tier(levels, perks, joined_at=joined_at),
        "points": shapes.points(account[0] if account else None, expiring),
        "ledger": shapes.ledger(member, entries, first),
        "coupons": shapes.coupons(member, coupons),
        "recommendations": shapes.recommendations(popular, currency=program[2]),
    }
    page = {"data": {"program": shapes.program(program), "me": me}}
    return Response(orjson.dumps(page, option=JSON_FLAGS), media_type="application/json")


@asynccontextmanager
async def opened(app: Starlette) -> AsyncIterator[None]:
    """The connections, for as long as the server runs."""
    app.state.leases = Leases(os.environ["DATABASE_URL"])
    yield


app = Starlette(routes=[Route("/graphql", home, methods=["POST"])], lifespan=opened)

if __name__ == "__main__":
    serve(app)
