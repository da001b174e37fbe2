"""Erasure: nothing is left that tells who it was, and the ledger is as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any
from uuid import UUID

import pytest

from api.fake_wechat import RunningFake
from api.settings import Settings
from domain import custody, ledger, storage
from domain.custody import PARTS, erasing
from domain.errors import Refusal
from domain.members import ById
from domain.outbox import Event, announce
from tests.domain.access.fixtures import OPERATOR
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.canary import (
    PHONE,
    PLANTED,
    TRACES,
    WORD,
    done,
    files_with,
    found,
    live,
    told_of,
)
from tests.graphql.gateway import NOW, Gateway, Session, open_gateway, settings_for
from tests.graphql.points import codes, earn
from tests.graphql.programme import set_up_programme
from tests.graphql.redeeming import end, keep, redeem, reserve
from tests.graphql.uploading import left_by_the_sweep, stored

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


KEPT_OF_THE_CANARY = {
    *("erasure", "level_change", "level_term", "member_level", "outbox", "outbox_stream"),
    *("points_adjustment", "points_draw", "points_entry", "points_lot", "points_transferred"),
    *("points_hold", "points_pin", "purchase", "purchase_line", "qualifying_day"),
    *("coupon", "perk_use", "points_account", "redemption", "ticket", "ticket_event"),
}
"""Tables with rows under the random id that is left; in the outbox is the news of the erasure."""


async def rows_left(member_id: UUID) -> set[str]:
    """The declared tables in which rows are left of a member."""
    left = set()
    for table in [table for _, tables in PARTS for table in tables]:
        statement = f"SELECT 1 AS one FROM {table.name} WHERE {table.member_column} = $1"
        if await storage.fetch_all(statement, member_id):
            left.add(table.name)
    return left


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
        assert len(stored(gateway)) == 1
        assert await left_by_the_sweep(gateway) == []
        assert await totals() == before
        assert await rows_left(person.member) == KEPT_OF_THE_CANARY
        assert await told_of(person.member, gateway) == [("MemberErased", {})]
        assert await ledger.verify_account(person.member) == []
        assert await ledger.verify_account(bob.member) == []
        # The hold of a checkout that was under way runs out as any other.
        swept = await ledger.sweep(now=gateway.clock.now(), accounts_max=10, within_s=10.0)
        assert swept.entries == 1
        assert await ledger.verify_account(person.member) == []
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


async def test_coupons_are_lost_and_gifts_stay_where_they_are(own_gateway: Gateway) -> None:
    gateway = own_gateway
    person = await gateway.sign_in("o-1")
    await earn(gateway, person, 200)
    home = await keep(gateway, person)
    await redeem(gateway, person, "gift", addressId=home)
    given = [await redeem(gateway, person, "coupon", idempotencyKey=f"c-{n}") for n in range(3)]
    active, reserved, used = [one["coupons"][0]["code"] for one in given]
    await reserve(gateway, reserved, "order-1")
    await reserve(gateway, used, "order-2")
    await end(gateway, "Confirm", used, "order-2")
    await custody.erase(person.member, journal=gateway.erasures, files=gateway.files, now=NOW)

    states = await storage.fetch_all(
        "SELECT code, status, order_reference IS NULL AS nameless FROM coupon"
    )
    assert {row["code"]: (row["status"], bool(row["nameless"])) for row in states} == {
        active: ("REVOKED", True),
        reserved: ("REVOKED", True),
        used: ("USED", False),
    }
    assert codes(await reserve(gateway, active, "order-3")) == ["COUPON_REVOKED"]
    assert codes(await end(gateway, "Confirm", reserved, "order-1")) == ["COUPON_REVOKED"]
    [gift] = await storage.fetch_all(
        "SELECT status, recipient FROM redemption WHERE status <> 'FULFILLED'"
    )
    assert dict(gift) == {"status": "AWAITING_ADDRESS", "recipient": None}
    assert await found("南京西路") == set()


async def test_a_table_that_is_left_out_is_found(
    own_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search is worth something: each kind of table, left out by a patch, leaves a trace."""
    gateway = own_gateway
    person = await live(gateway, await gateway.sign_in("o-bob"))
    gateway.clock.advance(days=7)
    for forgotten, trace in (
        ("behavior_event", {"behavior_event.kind"}),
        ("points_adjustment", {"points_adjustment.reason"}),
        ("outbox", {"outbox.payload"}),
    ):
        parts = tuple(
            (context, tuple(table for table in tables if table.name != forgotten))
            for context, tables in PARTS
        )
        with monkeypatch.context() as patched:
            patched.setattr(erasing, "PARTS", parts)
            with pytest.raises(Undone):
                await storage.transaction(partial(erased_and_searched, gateway, person, trace))
    assert await rows_left(person.member) > KEPT_OF_THE_CANARY - {"erasure"}


class Undone(Exception):
    """Rolls back what was tried."""


async def erased_and_searched(gateway: Gateway, person: Session, trace: set[str]) -> None:
    now = gateway.clock.now()
    await custody.erase(person.member, journal=gateway.erasures, files=gateway.files, now=now)
    assert await found(*TRACES) == trace
    raise Undone


async def test_a_joined_record_is_erased_with_the_one_that_it_leads_to(
    own_gateway: Gateway,
) -> None:
    gateway = own_gateway
    first = await live(gateway, await gateway.sign_in("o-bob"))
    await done(
        gateway,
        "cancelAccountDeletion",
        first.access_token,
        {"idempotencyKey": "stay"},
    )
    second = await gateway.sign_in(f"o2-{WORD}", app_id=OTHER_APP_ID)
    code = await gateway.phone.phone(phone=PHONE, appId=OTHER_APP_ID)
    await done(gateway, "bindPhone", second.access_token, {"appId": OTHER_APP_ID, "code": code})
    before = await totals()
    await done(
        gateway,
        "requestAccountDeletion",
        second.access_token,
        {"reason": WORD, "idempotencyKey": "leave-2"},
    )
    gateway.clock.advance(days=7)
    assert (
        await custody.erase_due(
            journal=gateway.erasures, files=gateway.files, now=gateway.clock.now()
        )
        == 1
    )
    assert await found(*TRACES) == set()
    assert await totals() == before
    assert set(gateway.erasures.members()) == {first.member, second.member}
    for one in (first, second):
        assert await ledger.verify_account(one.member) == []
        assert await custody.is_erased(one.member)


async def test_a_merge_cannot_be_undone_once_the_person_is_erased(own_gateway: Gateway) -> None:
    gateway = own_gateway
    first = await gateway.sign_in("o-1")
    await earn(gateway, first, 100)
    second = await gateway.sign_in("o-2")
    clerk = replace(OPERATOR, account_id=UUID(int=9))
    joined = await custody.merge_members(
        custody.MergeMembers(
            keep=ById(second.member), lose=ById(first.member), idempotency_key="merge"
        ),
        by=clerk,
        now=NOW,
    )
    await custody.erase(second.member, journal=gateway.erasures, files=gateway.files, now=NOW)
    before = await totals()
    with pytest.raises(Refusal) as refused:
        await custody.undo_merge(
            custody.UndoMerge(merge_id=joined.id, idempotency_key="undo"), by=clerk, now=NOW
        )
    assert str(refused.value.code) == "MERGE_NOT_UNDOABLE"
    assert await totals() == before
    assert await found("o-1", "o-2") == set()


async def test_a_record_that_was_joined_asks_again_for_the_one_that_it_leads_to(
    own_gateway: Gateway,
) -> None:
    gateway = own_gateway
    first = await live(gateway, await gateway.sign_in("o-bob"))
    second = await gateway.sign_in(f"o2-{WORD}", app_id=OTHER_APP_ID)
    code = await gateway.phone.phone(phone=PHONE, appId=OTHER_APP_ID)
    await done(gateway, "bindPhone", second.access_token, {"appId": OTHER_APP_ID, "code": code})
    gateway.clock.advance(days=7)
    now = gateway.clock.now()
    assert await custody.erase_due(journal=gateway.erasures, files=gateway.files, now=now) == 0
    rows = await storage.fetch_all(
        "SELECT member_id, asked_by, reason, requested_at, deletes_at FROM account_deletion"
    )
    assert [dict(row) for row in rows] == [
        {
            "member_id": second.member,
            "asked_by": "member",
            "reason": f"{WORD} leaves",
            "requested_at": now,
            "deletes_at": now + timedelta(days=7),
        }
    ]
    assert not await custody.is_erased(first.member)


async def test_a_request_waits_for_as_long_as_the_two_may_be_parted(own_gateway: Gateway) -> None:
    """Whoever was joined by mistake does not leave with the one who asked for it."""
    gateway = own_gateway
    leaving, staying = await gateway.sign_in("o-1"), await gateway.sign_in("o-2")
    given = {"idempotencyKey": "leave"}
    await done(gateway, "requestAccountDeletion", leaving.access_token, given)
    gateway.clock.advance(days=7)
    now, clerk = gateway.clock.now(), replace(OPERATOR, account_id=UUID(int=9))
    joined = await custody.merge_members(
        custody.MergeMembers(
            keep=ById(staying.member), lose=ById(leaving.member), idempotency_key="merge"
        ),
        by=clerk,
        now=now,
    )
    kept = partial(custody.erase_due, journal=gateway.erasures, files=gateway.files)
    assert await kept(now=now) == 0
    undo = custody.UndoMerge(merge_id=joined.id, idempotency_key="undo")
    await custody.undo_merge(undo, by=clerk, now=now)
    assert await kept(now=now) == 1
    assert await custody.is_erased(leaving.member)
    rows = await storage.fetch_all("SELECT member_id FROM account_deletion")
    assert [row["member_id"] for row in rows] == []
    assert await kept(now=now + timedelta(days=8)) == 1
    assert list(gateway.erasures.members()) == [leaving.member]
    assert not await custody.is_erased(staying.member)


async def test_who_cannot_be_erased_holds_up_nobody(
    own_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three who fail, in two ways, come before two who do not; they are looked at by twos."""
    gateway = own_gateway
    people = [await gateway.sign_in(f"o-{number}") for number in range(6)]
    for person in people[:5]:
        given = {"idempotencyKey": "leave"}
        await done(gateway, "requestAccountDeletion", person.access_token, given)
        gateway.clock.advance(seconds=1)
    await storage.transaction(
        partial(
            custody.merge,
            *(people[5].member, people[2].member),
            because=custody.MergeBecause.STAFF,
            by="staff:x",
            now=gateway.clock.now(),
        )
    )
    gateway.clock.advance(days=7)

    async def fails(member_id: UUID, **_: Any) -> None:
        raise RuntimeError(f"{member_id} cannot be")

    files_of = erasing._files_of

    async def fails_for_two(member_ids: Any) -> Any:
        if set(member_ids) & {people[0].member, people[1].member}:
            raise RuntimeError("unreadable")
        return await files_of(member_ids)

    monkeypatch.setattr(erasing, "pass_on_deletion", fails)
    monkeypatch.setattr(erasing, "_files_of", fails_for_two)
    erased = await custody.erase_due(
        journal=gateway.erasures, files=gateway.files, now=gateway.clock.now(), members_at_once=2
    )
    assert erased == 2
    assert [await custody.is_erased(one.member) for one in people] == [
        *(False, False, False, True, True, False)
    ]
    monkeypatch.undo()
    assert (
        await custody.erase_due(
            journal=gateway.erasures, files=gateway.files, now=gateway.clock.now()
        )
        == 2
    )


async def test_a_restored_backup_is_erased_again(
    sqlite_url: str, tmp_path: Path, fake: RunningFake
) -> None:
    """The backup is a copy of the file; the journal of erasures is not restored with it."""
    settings = settings_for(sqlite_url, tmp_path, fake)
    database, backup = Path(sqlite_url.removeprefix("sqlite://")), tmp_path / "backup.db"
    async with open_gateway(settings, fake) as gateway:
        await set_up_programme(now=NOW)
        bob = await gateway.sign_in("o-bob")
        person = await live(gateway, bob)
    copyfile(database, backup)
    async with open_gateway(settings, fake) as gateway:
        gateway.clock.advance(days=7)
        assert await erase_due(settings, gateway) == 1
    copyfile(backup, database)
    async with open_gateway(settings, fake) as gateway:
        gateway.clock.advance(days=8)
        assert await found(*TRACES) == PLANTED
        before = await totals()
        for erased in (1, 0):
            again = await custody.erase_again(
                journal=gateway.erasures, files=gateway.files, now=gateway.clock.now()
            )
            assert again == custody.ErasedAgain(erased=erased, left=[])
            assert await found(*TRACES) == set()
        assert await totals() == before
        assert await ledger.verify_account(person.member) == []
        assert await custody.is_erased(person.member)
        assert not await custody.is_erased(bob.member)
