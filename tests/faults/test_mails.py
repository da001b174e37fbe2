"""Mails through kills of their sender and a server that is down and back: each is seen once."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from domain import storage
from domain.members import PhoneKeyFile, use_phone_keys
from domain.notifications import Channel, Notification, OpenChannels, deliveries_consumer, notify
from domain.outbox import drain
from domain.storage import fetch_all, transaction
from tests.closing import ClosingReport
from tests.domain.mailing.post_office import DROP, PostOffice, open_post_office
from tests.domain.members.test_phones import a_member
from tests.domain.notifications.channels import Shop
from tests.graphql.programme import set_up_programme
from tests.repository.tree import ROOT

pytestmark = [pytest.mark.faults, pytest.mark.soak]

Tally = Callable[[str, int, int], None]

MAILS, MAILS_SHORT = 2_000, 100
KILLS, KILLS_SHORT = 40, 6
AFTER_A_LEASE_S = 121
AT_ONCE = 4
"""So many are on their way in a sender that is killed."""


@pytest.mark.timeout(1_800)
async def test_every_mail_is_seen_once_through_kills_and_a_server_that_is_away(
    postgres_url: str,
    tmp_path: Path,
    report: ClosingReport,
    *,
    full_form: bool,
    tally: Tally,
) -> None:
    mails, kills = (MAILS, KILLS) if full_form else (MAILS_SHORT, KILLS_SHORT)
    keys, dice = tmp_path / "phone-keys.json", random.Random(11)
    use_phone_keys(PhoneKeyFile(keys, now=datetime.now(UTC), create_missing=True))
    await storage.connect(postgres_url)
    with open_post_office() as office:
        await _lay_out(office, mails)
        lost = 0
        for number in range(kills):
            # Some are refused for now, and some answers are lost after the mail was taken.
            office.ends += [dice.choice(["250 OK", "451 later", DROP]) for _ in range(6)]
            lost += office.ends.count(DROP)
            target = len(office.taken) + dice.randrange(1, mails // (2 * kills) + 1)
            ahead_s = number * AFTER_A_LEASE_S
            async with _sender(postgres_url, keys, office, ahead_s=ahead_s) as process:
                await _until(lambda least=target: len(office.taken) >= least)  # type: ignore[misc]
                if number % 2:
                    office.close()
                process.send_signal(signal.SIGKILL)
                assert await process.wait() == -signal.SIGKILL
            lost -= office.ends.count(DROP)
            office.ends.clear()
            if number % 2:
                # Whoever sends now finds nobody there.
                await _find_nobody(postgres_url, keys, office, ahead_s=ahead_s + 60)
                office.open()
        ahead_s = kills * AFTER_A_LEASE_S + 3 * 3_600
        async with _sender(postgres_url, keys, office, ahead_s=ahead_s) as process:
            async with asyncio.timeout(600):
                assert await process.wait() == 0
        rows = await fetch_all("SELECT notification_id, state, reason FROM notification_delivery")
    await storage.close()
    assert {(row["state"], row["reason"]) for row in rows} == {("SENT", None)}
    told = {f"<notification-{row['notification_id']}@jifen.example>" for row in rows}
    assert (len(told), {str(one["Message-ID"]) for one in office.mails}) == (mails, told)
    again = len(office.taken) - mails
    # Nothing is sent twice but what an answer was lost of, or a sender died with.
    assert again <= lost + kills * AT_ONCE
    report.notes.append(
        f"mails: {mails} through {kills} kill -9 and {kills // 2} outages of the server: "
        f"each seen once, {again} sent again ({lost} answers lost)"
    )
    tally("mails through kill -9 of their sender", len(told), mails)


async def _lay_out(office: PostOffice, mails: int) -> None:
    now = datetime.now(UTC)
    await set_up_programme(now=now)
    member = await a_member()
    opened = OpenChannels(channels=frozenset({Channel.EMAIL}))
    await Shop(office=office, now=now).has_email(member)
    told = [
        Notification(member_id=member, kind="ORDER_SHIPPED", facts={"order": f"A-{number}"})
        for number in range(mails)
    ]
    await transaction(lambda: notify(told, now=now))
    await drain([deliveries_consumer(opened)], clock=lambda: now)
    [row] = await fetch_all("SELECT COUNT(*) AS count FROM notification_delivery")
    assert row["count"] == mails


async def _find_nobody(url: str, keys: Path, office: PostOffice, *, ahead_s: int) -> None:
    """Send until some attempts have failed because the server is away."""
    async with _sender(url, keys, office, ahead_s=ahead_s) as process:
        await _until_rows("reason = 'unavailable' AND state = 'WAITING'")
        process.send_signal(signal.SIGTERM)
        await process.wait()


@asynccontextmanager
async def _sender(
    url: str, keys: Path, office: PostOffice, *, ahead_s: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.mailing", url, keys, str(office.port), str(ahead_s)),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - a server in a thread tells nobody
            await asyncio.sleep(0.005)


async def _until_rows(where: str) -> None:
    statement = f"SELECT 1 AS one FROM notification_delivery WHERE {where} LIMIT 1"
    async with asyncio.timeout(60):
        while not await fetch_all(statement):  # noqa: ASYNC110 - a row tells nobody
            await asyncio.sleep(0.05)
