"""Erasure: nothing is left that tells who it was, and the ledger is as it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.fake_wechat import RunningFake
from api.settings import Settings
from domain import custody, ledger, storage
from domain.outbox import Event, announce
from tests.graphql.canary import PLANTED, TRACES, WORD, files_with, found, live
from tests.graphql.gateway import NOW, Gateway, Session, open_gateway, settings_for
from tests.graphql.programme import set_up_programme

TOTALS = """
    SELECT COUNT(*) AS accounts, SUM(available) AS available, SUM(pending) AS pending,
           SUM(held) AS held, SUM(debt) AS debt,
           (SELECT COUNT(*) FROM points_entry) AS entries,
           (SELECT SUM(amount) FROM points_entry) AS amount,
           (SELECT COUNT(*) FROM purchase) AS purchases
    FROM points_account
"""


async def totals() -> dict[str, Any]:
    row = await storage.fetch_one(TOTALS)
    assert row is not None
    return dict(row)


async def erase_due(settings: Settings, gateway: Gateway) -> int:
    kept = settings.custody
    return await custody.erase_due(journal=kept.journal, files=kept.files, now=gateway.clock.now())


async def test_nothing_is_left_of_a_person(
    database_url: str, tmp_path: Path, fake: RunningFake, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for(database_url, tmp_path, fake).model_copy(update={"log_level": "debug"})
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=NOW)
        bob = await gateway.sign_in("o-bob")
        person = await live(gateway, bob)
        before = await totals()
        assert await found(*TRACES) == PLANTED
        await write_export(settings, gateway, person)

        gateway.clock.advance(days=7)
        assert await erase_due(settings, gateway) == 1
        assert await found(*TRACES) == set()
        assert await totals() == before
        assert await ledger.verify_account(person.member) == []
        assert await ledger.verify_account(bob.member) == []
        # What is written a moment later by what was under way goes a day later.
        late = Event(kind="ProfileUpdated", member_id=person.member, facts={"nickname": WORD})
        await announce([late], now=gateway.clock.now())
        assert await found(*TRACES) == {"outbox.payload"}
        gateway.clock.advance(days=1)
        assert await erase_due(settings, gateway) == 1
        assert await erase_due(settings, gateway) == 0
        assert await found(*TRACES) == set()

        again = await gateway.sign_in(f"o-{WORD}", unionid=f"u-{WORD}")
        assert again.is_new_member
        assert again.member_id != person.member_id
        await custody.erase(
            again.member,
            journal=settings.custody.journal,
            files=settings.custody.files,
            now=gateway.clock.now(),
        )
    told = "".join(capfd.readouterr())
    assert told.count("request") >= 10
    assert [trace for trace in TRACES if trace in told] == []
    count, leaking = files_with([tmp_path], *TRACES)
    # The keys and the journal of erasures; on SQLite the database itself.
    assert count >= (3 if database_url.startswith("sqlite") else 2)
    assert leaking == set()


async def write_export(settings: Settings, gateway: Gateway, person: Session) -> None:
    """Let the person ask for their data, which nobody fetches: a file that tells everything."""
    answer = await gateway.send(
        "ExportMyData", person.access_token, input={"idempotencyKey": "mine"}
    )
    assert answer["export"]["status"] == "QUEUED"
    files = settings.custody.files
    assert await custody.write_exports(files=files, now=gateway.clock.now) == 1
    assert len(files.names(before=NOW + timedelta(days=36_500))) == 1
