"""What clients sent with its hash: shared through Redis, bounded, and served without it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis import asyncio as aioredis

from api.persisted.keeping import KeptDocuments
from api.persisted.settings import DocumentSettings
from tests.api.documents import sha256


def texts(count: int, name: str = "a") -> dict[str, str]:
    """Documents by their digest."""
    return {sha256(text): text for text in (f"{{{name}{nth}:ping}}" for nth in range(count))}


async def kept(worker: KeptDocuments, documents: dict[str, str]) -> list[str]:
    """Those of the documents that the worker answers with, in their order."""
    return [text for digest, text in documents.items() if await worker.text(digest) == text]


async def keep(worker: KeptDocuments, documents: dict[str, str], *, anonymous: bool) -> None:
    for digest, text in documents.items():
        await worker.keep(digest, text, anonymous=anonymous)


@pytest.fixture
async def away() -> AsyncIterator[aioredis.Redis]:
    """A Redis that nobody answers for."""
    client: aioredis.Redis = aioredis.Redis.from_url("redis://127.0.0.1:1/0", socket_timeout=0.05)
    async with client:
        yield client


async def test_what_one_worker_keeps_another_serves(redis: aioredis.Redis) -> None:
    settings = DocumentSettings(kept_s=60)
    one, other = KeptDocuments(settings, redis), KeptDocuments(settings, redis)
    (digest,) = documents = texts(1)
    assert await one.text(digest) is None
    await keep(one, documents, anonymous=False)
    assert await other.text(digest) == documents[digest]
    lifetimes = [await redis.ttl(key) async for key in redis.scan_iter("jifen:{documents}:text:*")]
    assert len(lifetimes) == 1
    assert 0 < lifetimes[0] <= 60
    # Once fetched, it is the worker's own.
    await redis.flushdb()
    assert await kept(other, documents) == list(documents.values())
    assert await kept(KeptDocuments(settings, redis), documents) == []


async def test_fetching_renews_the_lifetime(redis: aioredis.Redis) -> None:
    (digest,) = documents = texts(1)
    await keep(KeptDocuments(DocumentSettings(kept_s=60), redis), documents, anonymous=True)
    await KeptDocuments(DocumentSettings(kept_s=900), redis).text(digest)
    [key] = [key async for key in redis.scan_iter("jifen:{documents}:text:*")]
    assert await redis.ttl(key) > 60


@pytest.mark.parametrize("anonymous", [False, True])
async def test_the_ones_not_used_for_longest_make_room(
    redis: aioredis.Redis, anonymous: bool
) -> None:
    settings = DocumentSettings(kept_count_max=5, kept_anonymous_count_max=5)
    documents = texts(5)
    await keep(KeptDocuments(settings, redis), documents, anonymous=anonymous)
    (first, *_) = documents
    assert await KeptDocuments(settings, redis).text(first) is not None
    more = texts(2, "b")
    await keep(KeptDocuments(settings, redis), more, anonymous=anonymous)
    there = await kept(KeptDocuments(settings, redis), {**documents, **more})
    assert there == [
        text for nth, text in enumerate({**documents, **more}.values()) if nth not in {1, 2}
    ]
    assert len([key async for key in redis.scan_iter("jifen:{documents}:text:*")]) == 5


async def test_who_has_no_token_crowds_out_nobody_who_has_one(redis: aioredis.Redis) -> None:
    settings = DocumentSettings(kept_count_max=5, kept_anonymous_count_max=3)
    mine, flood = texts(5), texts(50, "b")
    await keep(KeptDocuments(settings, redis), mine, anonymous=False)
    attacker = KeptDocuments(settings, redis)
    # Nor by sending what is kept already: it stays in its place, and does not count as theirs.
    await keep(attacker, {**mine, **flood}, anonymous=True)
    fresh = KeptDocuments(settings, redis)
    assert await kept(fresh, mine) == list(mine.values())
    assert await kept(fresh, flood) == list(flood.values())[-3:]


async def test_what_a_known_caller_sends_again_is_no_longer_anonymous(
    redis: aioredis.Redis,
) -> None:
    settings = DocumentSettings(kept_count_max=5, kept_anonymous_count_max=1)
    (document, flood) = texts(1), texts(1, "b")
    await keep(KeptDocuments(settings, redis), document, anonymous=True)
    await keep(KeptDocuments(settings, redis), document, anonymous=False)
    await keep(KeptDocuments(settings, redis), flood, anonymous=True)
    assert await kept(KeptDocuments(settings, redis), document) == list(document.values())


async def test_what_stands_in_redis_is_taken_at_its_hash(redis: aioredis.Redis) -> None:
    settings = DocumentSettings()
    (digest,) = documents = texts(1)
    await keep(KeptDocuments(settings, redis), documents, anonymous=False)
    [key] = [key async for key in redis.scan_iter("jifen:{documents}:text:*")]
    for planted in (b"mutation{knock{userErrors{code}}}", b"\xff\xfe"):
        await redis.set(key, planted)
        assert await KeptDocuments(settings, redis).text(digest) is None
    await redis.delete(key)
    await redis.lpush(key, "x")
    assert await KeptDocuments(settings, redis).text(digest) is None


async def test_without_redis_a_worker_serves_what_it_has(away: aioredis.Redis) -> None:
    worker, other = KeptDocuments(redis=away), KeptDocuments(redis=away)
    documents = texts(3)
    await keep(worker, documents, anonymous=True)
    assert await kept(worker, documents) == list(documents.values())
    assert await kept(other, documents) == []


async def test_a_worker_keeps_so_many_bytes_and_no_more() -> None:
    worker = KeptDocuments(DocumentSettings(worker_bytes_max=10_000, kept_bytes_max=1_000))
    long = {sha256(text): text for text in (f"{{p{nth}:ping}}".ljust(700) for nth in range(30))}
    await keep(worker, long, anonymous=False)
    assert await kept(worker, long) == list(long.values())[-10:]
    tall = "é" * 501
    await worker.keep(sha256(tall), tall, anonymous=False)
    assert await worker.text(sha256(tall)) is None
