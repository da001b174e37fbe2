"""Whose an export is and who writes it: records that were joined, workers that were overtaken."""

from __future__ import annotations

import asyncio
import io
import zipfile
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from domain import custody
from domain.custody import archive
from domain.outbox import stream
from domain.storage import fetch_all, transaction
from schema.changes import _export
from tests.graphql.canary import done
from tests.graphql.gateway import NOW, Gateway, Session, plain_id
from tests.graphql.test_export_my_data import TOLD, ask, fetch, kept, lines, look, write

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def alice(gateway: Gateway) -> Session:
    """Somebody of whom little is held."""
    return await gateway.sign_in()


async def test_a_worker_that_was_overtaken_spoils_nothing(
    gateway: Gateway, alice: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on writing while another one writes the same, and ends after that one."""
    export_id = (await ask(gateway, alice))["export"]["id"]
    half, overtaken = asyncio.Event(), asyncio.Event()
    pages = archive._pages
    first = True

    async def slow_once(*of: Any) -> Any:
        nonlocal first
        was_first, first = first, False
        if was_first:
            half.set()
            await overtaken.wait()
        async for page in pages(*of):
            yield page

    monkeypatch.setattr(archive, "_pages", slow_once)
    slow = asyncio.create_task(write(gateway))
    await half.wait()
    gateway.clock.advance(minutes=15, seconds=1)
    assert await write(gateway) == 1
    export = plain_id(export_id).rpartition(":")[2]
    everything = gateway.clock.now() + timedelta(days=36_500)
    names = [one for one in gateway.files.names(before=everything) if one.startswith(export)]
    assert names == [f"{export}-1.zip", f"{export}-2.zip"]
    overtaken.set()
    assert await slow == 0
    names = [one for one in gateway.files.names(before=everything) if one.startswith(export)]
    assert names == [f"{export}-2.zip"]
    response = await fetch(gateway, (await look(gateway, alice, export_id))["url"])
    assert response.status_code == 200
    assert zipfile.ZipFile(io.BytesIO(response.content)).testzip() is None


async def test_a_link_whose_file_is_not_there_yet_stays_good(
    gateway: Gateway, alice: Session
) -> None:
    export_id = (await ask(gateway, alice))["export"]["id"]
    assert await write(gateway) == 1
    url = (await look(gateway, alice, export_id))["url"]
    export = plain_id(export_id).rpartition(":")[2]
    file = gateway.files.find(f"{export}-1.zip")
    assert file is not None
    away = file.rename(file.with_name("elsewhere"))
    assert (await fetch(gateway, url)).status_code == 404
    assert (await look(gateway, alice, export_id))["url"] == url
    away.rename(file)
    assert [(await fetch(gateway, url)).status_code for _ in range(2)] == [200, 404]


async def test_what_a_record_asked_for_before_it_was_joined_is_the_keepers(
    gateway: Gateway,
) -> None:
    """An export that waits and a deletion: both lead on, and the latter can be taken back."""
    keeper, loser = await gateway.sign_in("o-keeper"), await gateway.sign_in("o-loser")
    named = {"nickname": "Kept by the keeper"}
    await done(gateway, "updateProfile", keeper.access_token, named)
    export_id = (await ask(gateway, loser))["export"]["id"]
    leaving = {"idempotencyKey": "leave"}
    await done(gateway, "requestAccountDeletion", loser.access_token, leaving)
    because = custody.MergeBecause.STAFF
    merge = partial(custody.merge, keeper.member, loser.member, because=because, by="x", now=NOW)
    assert await transaction(merge) is not None

    assert (await look(gateway, keeper, export_id))["status"] == "QUEUED"
    # Who has one under way, by whichever record, is answered with it.
    assert (await ask(gateway, keeper))["export"]["id"] == export_id
    assert await write(gateway) == 1
    told = (await stream(keeper.member, after=0, limit=100))[-1]
    assert (told.kind, _export(told)) == ("DataExportReady", export_id)
    url = (await look(gateway, keeper, export_id))["url"]
    file = zipfile.ZipFile(io.BytesIO((await fetch(gateway, url)).content))
    table = next(one for one in TOLD if one.name == "member")
    both = [*await kept(table, keeper), *await kept(table, loser)]
    assert sorted(lines(file, table), key=str) == sorted(both, key=str)
    assert "Kept by the keeper" in file.read("member.jsonl").decode()

    cancel = """mutation ($input: CancelAccountDeletionInput!) {
        cancelAccountDeletion(input: $input) { cancelled } }"""
    for key, cancelled in (("stay", True), ("stay-2", False)):
        given = {"input": {"idempotencyKey": key}}
        answer = await gateway.ask(cancel, given, token=keeper.access_token)
        assert answer.json()["data"]["cancelAccountDeletion"] == {"cancelled": cancelled}
    left = "SELECT 1 AS one FROM account_deletion WHERE member_id = ANY($1::uuid[])"
    assert await fetch_all(left, [keeper.member, loser.member]) == []
