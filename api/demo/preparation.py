"""Preparing the demo: migrate, seed once, and write var/demo.json with fresh tokens."""

from __future__ import annotations

import os
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson

from api.cli.operators import operator
from api.demo.demo_file import DEMO_FILE
from api.demo.games import PARTNER_CODE, open_games
from api.demo.history import Demo, make_history
from api.demo.notification_texts import open_notification_texts
from api.demo.programme import SHOP_CODE, STAFF_LOGIN, set_up_programme
from api.demo.recommending import agree_to_recommendations, open_recommendations
from api.demo.service import open_service
from api.demo.tickets import open_tickets
from api.opening import connect_redis, open_key_ring, open_phone_keys, open_wechat
from api.settings import Settings
from domain import access, idempotency, members, recommendations, storage
from domain.access import AccessTokens
from domain.clock import Clock
from domain.members import SessionLifetimes
from schema.node import encode_global_id

TOKENS_LIVE: Final = timedelta(days=1)

_SCOPE: Final = "demo"
_KEY: Final = "seeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seeded:
    """What the seed made: told by the database, so that it belongs to the database it is in."""

    app_id: str
    member_ids: list[UUID]


async def prepare(settings: Settings) -> dict[str, Any]:
    """Bring the database up to date, seed it unless it was, and write the demo file.

    Returns what was written. Run it before the gateway serves: whoever finds `/readyz` at 200 finds
    a fresh file.
    """
    async with AsyncExitStack() as stack:
        await storage.connect(settings.database_url, pool=storage.UNHURRIED)
        stack.push_async_callback(storage.close)
        await storage.migrate()
        clock = Clock()
        await storage.synchronise_clock(clock)
        now = clock.now()
        open_phone_keys(settings, now=now)
        tokens = AccessTokens(open_key_ring(settings, now=now), settings.issuer)
        seeded = await _recall_seed()
        if seeded is None:
            seeded = await _seed(settings, tokens=tokens, now=now)
        await open_service(now=now)
        await open_notification_texts(now=now)
        await open_recommendations(settings, clock=clock)
        demo = await _describe(settings, seeded, tokens=tokens, now=now)
        write_atomically(DEMO_FILE, orjson.dumps(demo, option=orjson.OPT_INDENT_2))
        return demo


async def _recall_seed() -> _Seeded | None:
    recalled = (await idempotency.recall(_SCOPE, {_KEY: {}})).get(_KEY)
    if recalled is None:
        return None
    facts = recalled.result
    return _Seeded(app_id=facts["app_id"], member_ids=[UUID(one) for one in facts["member_ids"]])


async def _seed(settings: Settings, *, tokens: AccessTokens, now: datetime) -> _Seeded:
    """Make the programme and its history. Killed half-way, the next run goes on."""
    await set_up_programme(now=now)
    app_id = next(iter(settings.wechat_apps))
    async with AsyncExitStack() as stack:
        redis = connect_redis(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        wechat = open_wechat(settings, redis=redis)
        stack.push_async_callback(wechat.aclose)
        member_ids = await make_history(
            Demo(
                app_id=app_id,
                fake_wechat_url=settings.wechat_url,
                wechat=wechat,
                tokens=tokens,
                now=now,
            )
        )
    await open_service(now=now)
    await open_tickets(member_ids, now=now)
    await agree_to_recommendations(member_ids, now=now)
    await recommendations.refresh_popularity(now=now)
    facts = {"app_id": app_id, "member_ids": [str(one) for one in member_ids]}

    async def mark() -> None:
        # Two first runs at once make the same history; one of them says that it is made.
        if await _recall_seed() is None:
            await idempotency.remember(_SCOPE, {_KEY: ({}, facts)}, now=now)

    await storage.transaction(mark)
    return _Seeded(app_id=app_id, member_ids=member_ids)


async def _describe(
    settings: Settings, seeded: _Seeded, *, tokens: AccessTokens, now: datetime
) -> dict[str, Any]:
    """Where everything is, and tokens that live a day."""
    session = await members.open_session(
        seeded.member_ids[0],
        app_id=seeded.app_id,
        tokens=tokens,
        now=now,
        lifetimes=SessionLifetimes(access_token=TOKENS_LIVE),
    )
    playing = await open_games(seeded.member_ids, now=now)
    issued = {}
    by = operator()
    for code in (PARTNER_CODE, SHOP_CODE, STAFF_LOGIN):
        issued[code], _ = await access.issue_token(
            code, by=by, tokens=tokens, now=now, ttl=TOKENS_LIVE
        )
    return {
        "graphqlUrl": f"http://127.0.0.1:{settings.port}/graphql",
        "fakeWechatUrl": settings.wechat_url,
        "memberToken": session.access_token,
        "memberIds": [encode_global_id("Member", one) for one in seeded.member_ids],
        "partnerCode": PARTNER_CODE,
        "partnerToken": issued[PARTNER_CODE],
        "partnerSigningSecret": playing.signing_secret,
        "gameCampaignId": encode_global_id("GameCampaign", playing.campaign_id),
        "shopToken": issued[SHOP_CODE],
        "staffToken": issued[STAFF_LOGIN],
        "appId": seeded.app_id,
    }


def write_atomically(path: Path, content: bytes) -> None:
    """Write the file so that a reader finds the old or the new content, never half of it.

    Only its owner may read it: it holds tokens.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
