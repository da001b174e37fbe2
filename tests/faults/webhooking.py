"""A process that sends webhooks: `python -m tests.faults.webhooking URL KEY_SET AHEAD_S`.

Its clock is ahead by so many seconds: leases of those who were killed before have ended for it. It
ends when nothing waits any more.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path

from api.settings import Settings
from api.workers.settings import WorkSettings
from api.workers.webhooks import WebhookSender
from domain import storage
from domain.clock import Clock


class Ahead(Clock):
    """A clock that is ahead."""

    def __init__(self, ahead: timedelta) -> None:
        super().__init__()
        self._ahead = ahead

    def now(self) -> datetime:
        """The moment."""
        return super().now() + self._ahead


async def main(url: str, key_set: str, ahead_s: str) -> None:
    """Send until nothing waits."""
    await storage.connect(url)
    work = WorkSettings(poll_s=0.02)
    settings = Settings(database_url=url, key_set_path=Path(key_set), work=work)
    sender = WebhookSender(settings, clock=Ahead(timedelta(seconds=float(ahead_s))))
    task = asyncio.create_task(sender.run())
    waiting = "SELECT 1 AS one FROM webhook_delivery WHERE state = 'PENDING' LIMIT 1"
    try:
        while await storage.fetch_one(waiting) is not None:  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)
    finally:
        sender.stop()
        await task
        await storage.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
