"""The documents that clients sent together with their hash, kept for those who send the hash alone.

They live in Redis, for all workers, and the ones last used in each worker's memory as well: with
Redis away a worker serves what it has, and a client whose document is not there sends it again.
Only texts that were valid and short are kept, so many at most, the ones not used for longest making
room; what callers without a token sent is counted apart.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis import asyncio as aioredis
from redis.exceptions import RedisError

from api.persisted.manifest import digest_of
from api.persisted.settings import DocumentSettings

log = structlog.get_logger("jifen.documents")

# One hash tag, so that a Redis cluster would hold all of it in one place.
_TEXT: Final = "jifen:{documents}:text:"
_KNOWN: Final = "jifen:{documents}:known"
_ANONYMOUS: Final = "jifen:{documents}:anonymous"

# KEYS: the text, the two lists of what is kept, each scored by when it was last used.
_FETCH: Final = """
local text = redis.call('GET', KEYS[1])
if text then
    redis.call('EXPIRE', KEYS[1], ARGV[3])
    redis.call('ZADD', KEYS[2], 'XX', ARGV[2], ARGV[1])
    redis.call('ZADD', KEYS[3], 'XX', ARGV[2], ARGV[1])
end
return text
"""

# KEYS: the text, the list it belongs to, the other list.
# ARGV: digest, now, lifetime, the text itself, how many the list may have, the prefix of texts.
_KEEP: Final = """
if ARGV[7] == 'anonymous' and redis.call('ZSCORE', KEYS[3], ARGV[1]) then
    return 0
end
redis.call('SET', KEYS[1], ARGV[4], 'EX', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
if ARGV[7] ~= 'anonymous' then
    redis.call('ZREM', KEYS[3], ARGV[1])
end
local surplus = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if surplus > 0 then
    local oldest = redis.call('ZPOPMIN', KEYS[2], surplus)
    for place = 1, #oldest, 2 do
        redis.call('DEL', ARGV[6] .. oldest[place])
    end
end
return 1
"""


@dataclass(slots=True)
class KeptDocuments:
    """Texts by their digest. Without a Redis, those of this worker alone."""

    settings: DocumentSettings = field(default_factory=DocumentSettings)
    redis: aioredis.Redis | None = None
    _here: OrderedDict[str, str] = field(default_factory=OrderedDict)
    _here_bytes: int = 0

    async def text(self, digest: str) -> str | None:
        """The document with this digest, if it is kept."""
        found = self._here.get(digest)
        if found is not None:
            self._here.move_to_end(digest)
            return found
        found = await self._fetch(digest)
        # What stands in Redis is taken at its hash, not at its word.
        if found is None or digest_of(found) != digest:
            return None
        self._keep_here(digest, found)
        return found

    async def keep(self, digest: str, text: str, *, anonymous: bool) -> None:
        """Keep a valid document under its digest, unless it is too long."""
        if len(text.encode()) > self.settings.kept_bytes_max:
            return
        self._keep_here(digest, text)
        if self.redis is None:
            return
        mine, other = (_ANONYMOUS, _KNOWN) if anonymous else (_KNOWN, _ANONYMOUS)
        count_max = (
            self.settings.kept_anonymous_count_max if anonymous else self.settings.kept_count_max
        )
        try:
            await self.redis.eval(
                _KEEP,
                3,
                _TEXT + digest,
                mine,
                other,
                digest,
                str(time.time()),
                str(self.settings.kept_s),
                text,
                str(count_max),
                _TEXT,
                "anonymous" if anonymous else "known",
            )
        except RedisError as failure:
            log.warning("document_not_shared", reason=type(failure).__name__)

    async def _fetch(self, digest: str) -> str | None:
        if self.redis is None:
            return None
        try:
            found: bytes | None = await self.redis.eval(
                _FETCH,
                3,
                _TEXT + digest,
                _KNOWN,
                _ANONYMOUS,
                digest,
                str(time.time()),
                str(self.settings.kept_s),
            )
        except RedisError as failure:
            log.warning("document_not_fetched", reason=type(failure).__name__)
            return None
        return None if found is None else found.decode(errors="replace")

    def _keep_here(self, digest: str, text: str) -> None:
        if digest in self._here:
            return
        self._here[digest] = text
        self._here_bytes += _size(text)
        while self._here_bytes > self.settings.worker_bytes_max:
            self._here_bytes -= _size(self._here.popitem(last=False)[1])


def _size(text: str) -> int:
    """What the entry takes in memory, about: the text, its digest and the table's own part."""
    return len(text.encode()) + 300
