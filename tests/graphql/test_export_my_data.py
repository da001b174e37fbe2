"""exportMyData: all that is held of a member and nothing of anybody else, fetched once."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
import pytest_asyncio

from api.fake_wechat import DEMO_APP_ID
from domain import custody
from domain.custody import PARTS, archive
from domain.storage import MemberTable, fetch_all, transaction
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.canary import WORD, done, live
from tests.graphql.gateway import NOW, Gateway, Session, plain_id
from tests.graphql.kept import everything_kept
from tests.graphql.points import token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOLD = [table for _, tables in PARTS for table in tables if table.told]


@pytest_asyncio.fixture(loop_scope="module")
async def person(gateway: Gateway) -> Session:
    """Somebody of whom much is held, beside a friend."""
    number = gateway.tag.removeprefix("-")
    return await live(gateway, await gateway.sign_in("o-bob"), f"187{int(number):08d}")


@pytest_asyncio.fixture(loop_scope="module")
async def alice(gateway: Gateway) -> Session:
    """Somebody of whom little is held."""
    return await gateway.sign_in()


async def ask(gateway: Gateway, member: Session, key: str = "mine") -> Any:
    return await gateway.send(
        "ExportMyData", await token_of(gateway, member), input={"idempotencyKey": key}
    )


async def look(gateway: Gateway, member: Session, export_id: str) -> Any:
    return await gateway.send("MyDataExport", await token_of(gateway, member), id=export_id)


async def write(gateway: Gateway) -> int:
    return await custody.write_exports(files=gateway.files, now=gateway.clock.now)


async def fetch(gateway: Gateway, url: str, method: str = "GET") -> httpx.Response:
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == "https://jifen.example"
    return await gateway.http.request(method, f"{parts.path}?{parts.query}")


async def exported(gateway: Gateway, member: Session, key: str = "mine") -> zipfile.ZipFile:
    """The whole way: ask, let it be written, fetch."""
    asked = await ask(gateway, member, key)
    assert await write(gateway) == 1
    ready = await look(gateway, member, asked["export"]["id"])
    response = await fetch(gateway, ready["url"])
    assert response.status_code == 200, response.text
    return zipfile.ZipFile(io.BytesIO(response.content))


def lines(file: zipfile.ZipFile, table: MemberTable) -> list[Any]:
    return [orjson.loads(line) for line in file.read(f"{table.name}.jsonl").splitlines()]


async def kept(table: MemberTable, member: Session) -> Sequence[Any]:
    """What the database holds, as JSON says it."""
    columns = ", ".join(table.told)
    rows = await fetch_all(
        f"SELECT {columns} FROM {table.name} WHERE {table.member_column} = $1", member.member
    )
    as_json = [orjson.dumps(dict(row), option=orjson.OPT_UTC_Z) for row in rows]
    return [orjson.loads(text) for text in as_json]


async def test_the_way_to_the_file(gateway: Gateway, alice: Session) -> None:
    asked = await ask(gateway, alice)
    export_id = asked["export"]["id"]
    assert asked == {
        "export": {"id": export_id, "status": "QUEUED", "url": None, "expiresAt": None},
        "userErrors": [],
    }
    gateway.clock.advance(seconds=5)
    assert await write(gateway) == 1
    ready = await look(gateway, alice, export_id)
    url = ready.pop("url")
    assert ready == {"id": export_id, "status": "READY", "expiresAt": "2026-03-02T12:00:05Z"}

    # Whoever shows links ahead does not use it up.
    assert (await fetch(gateway, url, "HEAD")).status_code == 204
    first = await fetch(gateway, url)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/zip"
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["content-disposition"] == 'attachment; filename="my-data.zip"'
    second = await fetch(gateway, url)
    assert (second.status_code, second.json()["errors"][0]["extensions"]["code"]) == (
        404,
        "NOT_FOUND",
    )
    assert (await look(gateway, alice, export_id))["url"] is None
    # An hour later the file goes too.
    assert await custody.tidy_exports(files=gateway.files, now=NOW) == 0
    assert len(gateway.files.names(before=NOW + timedelta(days=36_500))) == 1
    later = NOW + timedelta(days=36_500)
    assert await custody.tidy_exports(files=gateway.files, now=later) == 1
    assert gateway.files.names(before=later) == []


async def test_it_holds_every_row_of_the_member(gateway: Gateway, person: Session) -> None:
    file = await exported(gateway, person)
    assert file.testzip() is None
    held = {}
    for table in TOLD:
        told = lines(file, table)
        expected = await kept(table, person)
        if table.name == "data_export":
            # It was under way when it was written.
            assert [one["status"] for one in told] == ["RUNNING"]
        elif table.name == "outbox":
            # That it is ready was announced after it was written.
            assert sorted(expected, key=str)[: len(told)] != []
            assert [one for one in told if one not in expected] == []
            assert [one["kind"] for one in expected if one not in told] == ["DataExportReady"]
        else:
            assert sorted(told, key=str) == sorted(expected, key=str), table.name
        held[table.name] = len(told)
    assert {name for name, rows in held.items() if rows} >= {
        *("behavior_event", "member_consent", "member_note", "member_phone", "points_hold"),
        *("points_hold_reference", "points_pin", "service_contact", "timeline_item"),
        *("account_deletion", "data_export", "member", "member_identity", "member_interest"),
        *("member_session", "outbox", "points_account", "points_adjustment", "points_draw"),
        *("points_entry", "points_entry_text", "points_lot", "points_transferred", "purchase"),
        *("purchase_line", "qualifying_day", "refresh_token", "member_level", "level_change"),
        *("coupon", "member_address", "redemption"),
    }
    assert file.read("phone.txt").decode() == f"+86187{int(gateway.tag[1:]):08d}\n"
    readme = file.read("README.txt").decode()
    assert f"points_entry.jsonl  {held['points_entry']}\n" in readme


async def test_it_holds_nothing_of_anybody_else(gateway: Gateway, person: Session) -> None:
    """The friend has a name like nobody's, and gave something back, with a word of his own."""
    bob = await gateway.sign_in("o-bob")
    named = {"nickname": "Bob the bystander", "birthday": "1979-12-31"}
    await done(gateway, "updateProfile", bob.access_token, named)
    file = await exported(gateway, person)
    everything = b"".join(file.read(name) for name in file.namelist()).decode()
    assert WORD in everything
    for trace in ("bystander", "1979-12-31", gateway.named("o-bob"), str(bob.member)):
        assert trace not in everything, trace
    for table in TOLD:
        own, others = await kept(table, person), await kept(table, bob)
        foreign = [one for one in lines(file, table) if one in others and one not in own]
        assert foreign == [], table.name


async def test_it_holds_what_stayed_with_a_record_that_was_joined(
    gateway: Gateway, person: Session
) -> None:
    """The journal of points stays under the id of the record that was given up."""
    second = await gateway.sign_in("o2", app_id=OTHER_APP_ID)
    phone = f"187{int(gateway.tag[1:]):08d}"
    code = await gateway.phone.phone(phone=phone, appId=OTHER_APP_ID)
    await done(gateway, "bindPhone", second.access_token, {"appId": OTHER_APP_ID, "code": code})
    file = await exported(gateway, second)
    for name in ("points_entry", "points_entry_text", "member_session", "member", "purchase"):
        table = next(one for one in TOLD if one.name == name)
        both = [*await kept(table, second), *await kept(table, person)]
        assert sorted(lines(file, table), key=str) == sorted(both, key=str), name
        assert len(both) > 1 or name == "purchase", name
    # Of a number for each record both are the person's.
    third = await gateway.sign_in("o3")
    further = f"186{int(gateway.tag[1:]):08d}"
    code = await gateway.phone.phone(phone=further)
    await done(gateway, "bindPhone", third.access_token, {"appId": DEMO_APP_ID, "code": code})
    because = custody.MergeBecause.STAFF
    merge = partial(custody.merge, second.member, third.member, because=because, by="x", now=NOW)
    assert await transaction(merge) is not None
    sealed = await fetch_all("SELECT id FROM member_phone WHERE member_id = $1", second.member)
    numbers = (await exported(gateway, second, "both")).read("phone.txt").decode().splitlines()
    assert len(sealed) == 2
    assert sorted(numbers) == [f"+86{further}", f"+86{phone}"]


async def test_a_long_table_is_read_page_by_page(
    gateway: Gateway, person: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await exported(gateway, person, "one")
    monkeypatch.setattr(archive, "ROWS_AT_ONCE", 1)
    paged = await exported(gateway, person, "two")
    for table in TOLD:
        if table.name not in {"data_export", "outbox"}:
            assert lines(paged, table) == lines(whole, table), table.name
    assert len(lines(whole, next(one for one in TOLD if one.name == "points_entry"))) > 2


async def test_one_at_a_time_and_three_a_day(gateway: Gateway, alice: Session) -> None:
    first = await ask(gateway, alice, "1")
    assert (await ask(gateway, alice, "1b"))["export"]["id"] == first["export"]["id"]
    assert (await ask(gateway, alice, "1"))["export"]["id"] == first["export"]["id"]
    ids = {first["export"]["id"]}
    for key in ("2", "3"):
        assert await write(gateway) == 1
        gateway.clock.advance(hours=1)
        ids.add((await ask(gateway, alice, key))["export"]["id"])
    assert len(ids) == 3
    assert await write(gateway) == 1
    token = await token_of(gateway, alice)
    before = await everything_kept()
    response = await gateway.ask(
        "mutation ($input: ExportMyDataInput!) { exportMyData(input: $input) { export { id }"
        " userErrors { code retryable ... on ExportLimitReached { limit againAt } } } }",
        {"input": {"idempotencyKey": "4"}},
        token=token,
    )
    assert response.json()["data"]["exportMyData"] == {
        "export": None,
        "userErrors": [
            {
                "code": "EXPORT_LIMIT_REACHED",
                "retryable": True,
                "limit": 3,
                "againAt": "2026-03-02T12:00:00Z",
            }
        ],
    }
    assert await everything_kept() == before
    gateway.clock.moment = NOW + timedelta(days=1)
    assert (await ask(gateway, alice, "4"))["export"]["status"] == "QUEUED"
    assert await write(gateway) == 1


async def test_the_link_ends_after_a_day(gateway: Gateway, alice: Session) -> None:
    export_id = (await ask(gateway, alice))["export"]["id"]
    assert await write(gateway) == 1
    url = (await look(gateway, alice, export_id))["url"]
    gateway.clock.moment = NOW + timedelta(days=1)
    assert await look(gateway, alice, export_id) == {
        "id": export_id,
        "status": "EXPIRED",
        "url": None,
        "expiresAt": "2026-03-02T12:00:00Z",
    }
    assert (await fetch(gateway, url)).status_code == 404


@pytest.mark.parametrize("part", ["bytes=0-10", "bytes=-5", "bytes=0-1,4-5", "bytes=9999999-", "x"])
async def test_who_asks_for_a_part_gets_the_whole_file(
    gateway: Gateway, alice: Session, part: str
) -> None:
    export_id = (await ask(gateway, alice))["export"]["id"]
    assert await write(gateway) == 1
    url = urlsplit((await look(gateway, alice, export_id))["url"])
    answer = await gateway.http.get(f"{url.path}?{url.query}", headers={"range": part})
    assert answer.status_code == 200
    assert not {"accept-ranges", "content-range"} & set(answer.headers)
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as whole:
        assert whole.testzip() is None
        assert "README.txt" in whole.namelist()


async def test_of_twenty_who_follow_the_link_one_gets_the_file(
    gateway: Gateway, alice: Session
) -> None:
    export_id = (await ask(gateway, alice))["export"]["id"]
    assert await write(gateway) == 1
    url = (await look(gateway, alice, export_id))["url"]
    answers = await asyncio.gather(*(fetch(gateway, url) for _ in range(20)))
    assert sorted(one.status_code for one in answers) == [200] + [404] * 19


async def test_another_members_export_is_nobodys(gateway: Gateway, alice: Session) -> None:
    bob = await gateway.sign_in("o-bob")
    export_id = (await ask(gateway, alice))["export"]["id"]
    assert await write(gateway) == 1
    assert await look(gateway, bob, export_id) is None
    url = (await look(gateway, alice, export_id))["url"]
    path, token = urlsplit(url).path, urlsplit(url).query.removeprefix("token=")
    for guess in ("", token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), "é" * 43):
        assert (await gateway.http.get(path, params={"token": guess})).status_code == 404
    assert (await gateway.http.get("/exports/nothing", params={"token": token})).status_code == 404
    assert (await gateway.http.post(path, params={"token": token})).status_code == 405
    assert (await fetch(gateway, url)).status_code == 200


async def test_a_file_that_cannot_be_written_is_tried_three_times(
    gateway: Gateway, alice: Session
) -> None:
    export_id = (await ask(gateway, alice))["export"]["id"]
    # A folder stands where the file of each try would.
    export = plain_id(export_id).rpartition(":")[2]
    blocked = [gateway.files.folder / f"{export}-{tries}.zip.part" for tries in (1, 2, 3)]
    for one in blocked:
        one.mkdir(parents=True)
    try:
        assert await custody.write_exports(files=gateway.files, now=gateway.clock.now) == 0
    finally:
        for one in blocked:
            one.rmdir()
    assert (await look(gateway, alice, export_id))["status"] == "FAILED"
    # It does not count: the member may ask again at once.
    assert (await ask(gateway, alice, "again"))["export"]["status"] == "QUEUED"
    assert await write(gateway) == 1


async def test_three_workers_write_each_file_once(gateway: Gateway) -> None:
    people = [await gateway.sign_in(f"o-{number}") for number in range(7)]
    ids = [(await ask(gateway, one))["export"]["id"] for one in people]
    written = await asyncio.gather(*(write(gateway) for _ in range(3)))
    assert sum(written) == 7
    looks = [await look(gateway, one, export) for one, export in zip(people, ids, strict=True)]
    assert [one["status"] for one in looks] == ["READY"] * 7
    rows = await fetch_all(
        "SELECT tries FROM data_export WHERE member_id = ANY($1::uuid[])",
        [one.member for one in people],
    )
    assert [row["tries"] for row in rows] == [1] * 7


async def test_a_worker_that_died_is_taken_over_from(gateway: Gateway, alice: Session) -> None:
    export_id = (await ask(gateway, alice))["export"]["id"]
    claimed = await custody.exporting.claim_export(now=NOW)
    assert claimed is not None
    assert await write(gateway) == 0
    assert (await look(gateway, alice, export_id))["status"] == "RUNNING"
    gateway.clock.advance(minutes=15, seconds=1)
    assert await write(gateway) == 1
    assert (await look(gateway, alice, export_id))["status"] == "READY"
    # The one that was thought dead finds that it was overtaken.
    assert not await custody.exporting.finish_export(
        claimed, rows=1, records=(), now=gateway.clock.now()
    )
