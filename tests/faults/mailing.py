"""A process that sends mails: `python -m tests.faults.mailing URL PHONE_KEYS PORT AHEAD_S`.

Its clock is ahead by so many seconds: leases of those who were killed before have ended for it. It
ends when nothing waits any more.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fakeredis

from api.opening import open_phone_keys
from api.settings import Settings
from api.telling.settings import SmtpSettings
from api.workers.messages import MessageSender, open_sending
from api.workers.settings import WorkSettings
from domain import storage
from tests.domain.mailing.post_office import FROM
from tests.faults.webhooking import Ahead


async def main(url: str, phone_keys: str, port: str, ahead_s: str) -> None:
    """Send until nothing waits."""
    await storage.connect(url)
    smtp = SmtpSettings(host="127.0.0.1", port=int(port), security="none", from_address=FROM)
    settings = Settings(
        database_url=url,
        phone_keys_path=Path(phone_keys),
        smtp=smtp,
        work=WorkSettings(poll_s=0.02),
    )
    open_phone_keys(settings, now=datetime.now(UTC))
    clock = Ahead(timedelta(seconds=float(ahead_s)))
    waiting = "SELECT 1 AS one FROM notification_delivery WHERE state = 'WAITING' LIMIT 1"
    async with (
        fakeredis.FakeAsyncRedis() as redis,
        open_sending(settings, clock=clock, redis=redis) as sending,
    ):
        sender = MessageSender(sending, settings=settings, clock=clock)
        task = asyncio.create_task(sender.run())
        try:
            while await storage.fetch_one(waiting) is not None:  # noqa: ASYNC110 - a row tells nobody
                await asyncio.sleep(0.05)
        finally:
            sender.stop()
            await task
            await storage.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
