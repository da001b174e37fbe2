"""Who waited for staff to part two records goes on with what each of the two is known by then."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import Awaitable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain import custody, ledger, members
from domain.access import AccessTokens
from domain.audit import Actor
from domain.custody import Merge, MergeBecause, MergeMembers, UndoMerge, bind_phone, merge
from domain.errors import MergeNotUndoable, RefreshTokenInvalid
from domain.files import ErasureJournal, FileStore
from domain.members import (
    AddMemberNote,
    ByExternalReference,
    ById,
    ByPhone,
    PhoneKeyFile,
    RequestSignInCode,
    ServiceContact,
    SignedIn,
    SignInWithPhone,
    SignInWithWeChat,
    add_member_note,
    phone_keys,
    register_external_members,
    request_sign_in_code,
    sign_in_with_phone,
    use_phone_keys,
)
from domain.storage import TransactionContended, fetch_all, transaction
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import Door
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.programme import set_up_programme
from tests.races.contention import Gate
from tests.races.test_phones import Telephone

PHONE = "+8613800138000"
CLERK = Actor(name="staff:clerk", account_id=UUID(int=7), request_id="r-1")
LATER = NOW + timedelta(seconds=1)
HOLD_RECORD = "SELECT id FROM member WHERE id = $1 FOR UPDATE"


@pytest.fixture(autouse=True)
async def _opened(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del postgres
    monkeypatch.setattr(phone_keys, "_in_force", None)
    use_phone_keys(PhoneKeyFile(tmp_path / "phone-keys.json", now=NOW, create_missing=True))
    phone_keys.phone_vault()
    await set_up_programme(now=NOW)


async def joined(keeper: UUID, loser: UUID, *, now: datetime = NOW) -> Merge:
    because = MergeBecause.STAFF
    made = await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=now))
    assert made is not None
    return made


async def three() -> tuple[UUID, UUID, UUID, Merge]:
    """Alice, to whom Bob's record with his number was joined by mistake; and Carol."""
    names = [ByExternalReference(one) for one in ("alice", "bob", "carol")]
    made = await register_external_members(names, now=NOW)
    alice, bob, carol = (made[one.reference] for one in names)
    await bind_phone(bob, PHONE, now=NOW)
    return alice, bob, carol, await joined(alice, bob)


async def parted(merged: Merge) -> Merge:
    return await transaction(partial(custody.part, merged, by="staff:x", now=LATER))


async def while_parting(
    gate: Gate, merged: Merge, *late: Awaitable[object]
) -> list[object | BaseException]:
    """Let these come while the two are being parted; what became of each."""
    await gate.hold(HOLD_RECORD, max(merged.keeper_id, merged.loser_id))
    parting = asyncio.create_task(parted(merged))
    await gate.gather(1)
    waiting = asyncio.gather(*late, return_exceptions=True)
    await gate.open(waiting=1 + len(late))
    assert (await parting).undone_at == LATER
    return await waiting


async def test_a_number_that_goes_back_meanwhile_joins_its_own_record(gate: Gate) -> None:
    """Carol proves Bob's number: hers is joined to Bob's record, and Alice is nobody's."""
    alice, bob, carol, merged = await three()
    [member] = await while_parting(gate, merged, bind_phone(carol, PHONE, now=LATER))
    assert isinstance(member, members.Member), member
    leads = await members.heirs([alice, bob, carol])
    assert leads == {alice: alice, bob: carol, carol: carol}


async def test_whom_staff_name_by_a_number_that_goes_back_is_its_own_record(gate: Gate) -> None:
    alice, bob, carol, merged = await three()
    command = MergeMembers(keep=ById(carol), lose=ByPhone(PHONE), idempotency_key="k")
    [made] = await while_parting(gate, merged, custody.merge_members(command, by=CLERK, now=LATER))
    assert isinstance(made, Merge), made
    assert (made.keeper_id, made.loser_id) == (carol, bob)
    assert await members.heirs([alice]) == {alice: alice}


async def test_a_unionid_that_goes_back_meanwhile_joins_its_own_record(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = (await door.sign_in(openid="o-alice")).member.id
    bob = (await door.sign_in(openid="o-bob", unionid="u-bob")).member.id
    merged = await joined(alice, bob)
    carol = (await door.sign_in(openid="o-carol", app_id=OTHER_APP_ID)).member.id
    code = await door.phone.login(openid="o-carol", unionid="u-bob", appId=OTHER_APP_ID)
    signing_in = custody.sign_in_with_wechat(
        SignInWithWeChat(app_id=OTHER_APP_ID, code=code),
        wechat=door.wechat,
        tokens=door.tokens,
        now=LATER,
    )
    sign_in = members.sign_in_with_wechat

    async def found_and_parted(*given: Any, **more: Any) -> SignedIn:
        """Staff part the two between the sign-in and the merge."""
        found = await sign_in(*given, **more)
        assert found.twin == alice
        await parted(merged)
        return found

    monkeypatch.setattr(members, "sign_in_with_wechat", found_and_parted)
    signed_in = await signing_in
    assert signed_in.member.id == carol
    assert await members.heirs([alice]) == {alice: alice}
    # The next sign-in joins her to Bob's record, to which it leads now.
    assert await members.heirs([bob, carol]) == {bob: bob, carol: carol}


async def whose_account() -> UUID | None:
    """The member to whom an order or an adjustment would be posted."""
    [member_id], _ = await ledger.lock_named([ByPhone(PHONE)])
    return member_id


async def test_what_is_written_of_a_number_that_goes_back_is_of_its_own_record(
    gate: Gate,
) -> None:
    _, bob, _, merged = await three()
    note = AddMemberNote(member=ByPhone(PHONE), text="prefers mornings", idempotency_key="n")
    contact = ServiceContact(role="tea", name="Lin", channel="shop")
    *_, posted_to = await while_parting(
        gate,
        merged,
        add_member_note(note, by=CLERK, now=LATER),
        members.set_service_contacts(ByPhone(PHONE), [contact], by=CLERK, now=LATER),
        transaction(whose_account),
    )
    assert posted_to == bob
    rows = await fetch_all(
        "SELECT member_id FROM member_note UNION ALL SELECT member_id FROM service_contact"
    )
    assert [row["member_id"] for row in rows] == [bob, bob]


async def while_parting_by(gate: Gate, merged: Merge, *undoing: Awaitable[object]) -> list[object]:
    await gate.hold(HOLD_RECORD, max(merged.keeper_id, merged.loser_id))
    waiting = asyncio.gather(*undoing, return_exceptions=True)
    await gate.open(waiting=len(undoing))
    return await waiting


async def test_of_two_who_undo_at_once_one_does(gate: Gate) -> None:
    alice, bob, _, merged = await three()
    undo = partial(custody.undo_merge, by=CLERK, now=LATER)
    keys = ("u-1", "u-1", "u-2")
    made = await while_parting_by(
        gate,
        merged,
        *(undo(UndoMerge(merge_id=merged.id, idempotency_key=key)) for key in keys),
    )
    done = [one for one in made if isinstance(one, Merge)]
    refused = [one for one in made if isinstance(one, MergeNotUndoable)]
    assert (len(done) + len(refused), len(refused) > 0) == (3, True)
    assert {(one.id, one.undone_at) for one in done} == {(merged.id, LATER)}
    assert await members.heirs([alice, bob]) == {alice: alice, bob: bob}
    rows = await fetch_all("SELECT kind FROM outbox WHERE kind = 'MembersParted'")
    assert len(rows) == 2


async def test_a_session_that_is_refreshed_while_they_are_parted_is_over(
    gate: Gate, door: Door
) -> None:
    alice = await door.sign_in(openid="o-alice")
    bob = await door.sign_in(openid="o-bob")
    merged = await joined(alice.member.id, bob.member.id)
    refresh = partial(
        members.refresh_session, alice.session.refresh_token, tokens=door.tokens, now=LATER
    )
    await gate.hold("LOCK TABLE member_interest IN SHARE MODE")
    parting = asyncio.create_task(parted(merged))
    await gate.gather(1)
    fresh = await refresh()
    await gate.open(waiting=1)
    await parting
    with pytest.raises(RefreshTokenInvalid):
        await members.refresh_session(fresh.refresh_token, tokens=door.tokens, now=LATER)
    rows = await fetch_all("SELECT revoked_because FROM member_session")
    assert [row["revoked_because"] for row in rows] == ["merged", "merged"]


async def due_to_leave() -> tuple[UUID, UUID, datetime]:
    names = [ByExternalReference(one) for one in ("alice", "bob")]
    made = await register_external_members(names, now=NOW)
    command = custody.RequestDeletion(member_id=made["alice"], idempotency_key="leave")
    return made["alice"], made["bob"], await custody.request_deletion(command, now=NOW)


async def test_nobody_is_erased_with_one_to_whom_they_come_at_the_last_moment(
    gate: Gate, tmp_path: Path
) -> None:
    """The erasure has seen that Alice is due, and waits for the merge that gives her more time."""
    alice, bob, due = await due_to_leave()
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    await gate.hold(HOLD_RECORD, alice)
    merging = asyncio.create_task(joined(alice, bob, now=due - timedelta(seconds=1)))
    await gate.gather(1)
    erasing = asyncio.create_task(custody.erase_due(journal=journal, files=files, now=due))
    await gate.open(waiting=2)
    await merging
    assert await erasing == 0
    assert list(journal.members()) == []
    assert await members.heirs([alice, bob]) == {alice: alice, bob: alice}
    assert await custody.deletion_under_way(alice) == due - timedelta(seconds=1) + custody.COOLING


async def test_a_request_that_is_let_go_at_the_last_moment_erases_nobody(
    gate: Gate, tmp_path: Path
) -> None:
    """The erasure has seen that Alice is due; staff part her from Bob, who may be who asked."""
    alice, bob, _, merged = await three()
    command = custody.RequestDeletion(member_id=alice, idempotency_key="leave")
    due = await custody.request_deletion(command, cooling=timedelta(hours=1), now=LATER)
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    erase_due = partial(custody.erase_due, journal=journal, files=files)
    # Nobody is erased as long as staff may find that they are two, however short the period.
    for moment in (due, merged.undoable_until - timedelta(microseconds=1)):
        assert await erase_due(now=moment) == 0
    settled = merged.undoable_until
    [count] = await while_parting(gate, merged, erase_due(now=settled))
    assert count == 0
    assert await members.heirs([alice, bob]) == {alice: alice, bob: bob}
    assert await custody.deletion_under_way(alice) is None
    assert list(journal.members()) == []


async def test_a_cancellation_that_is_not_committed_yet_counts(gate: Gate, tmp_path: Path) -> None:
    """It came in time; so it wins, however slow it is, and the journal never has who stays."""
    alice, _, due = await due_to_leave()
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    await gate.hold("LOCK TABLE outbox_stream IN SHARE MODE")
    in_time = due - timedelta(microseconds=1)
    staying = asyncio.create_task(
        custody.cancel_deletion(alice, idempotency_key="stay", now=in_time)
    )
    await gate.gather(1)
    erasing = asyncio.create_task(custody.erase_due(journal=journal, files=files, now=due))
    await gate.open(waiting=2)
    assert (await staying, await erasing) == (True, 0)
    assert list(journal.members()) == []
    assert await members.heirs([alice]) == {alice: alice}


@pytest.mark.parametrize("undo", [False, True])
async def test_who_signs_in_by_phone_meanwhile_is_who_has_the_number_then(
    gate: Gate, tokens: AccessTokens, undo: bool
) -> None:
    alice, bob, _, merged = await three()
    if not undo:
        await parted(merged)
    telephone = Telephone()
    await request_sign_in_code(RequestSignInCode(phone=PHONE), texts=telephone, now=LATER)
    command = SignInWithPhone(phone=PHONE, code=telephone.code)
    signing_in = sign_in_with_phone(command, tokens=tokens, now=LATER)
    if undo:
        [found] = await while_parting(gate, merged, signing_in)
    else:
        await gate.hold("LOCK TABLE member_merge IN SHARE MODE")
        merging = asyncio.create_task(joined(alice, bob, now=LATER))
        await gate.gather(1)
        going = asyncio.create_task(signing_in)
        await gate.open(waiting=2)
        await merging
        found = await going
    assert isinstance(found, SignedIn), found
    assert (found.member.id, found.is_new_member) == (bob if undo else alice, False)
    live = await fetch_all("SELECT member_id FROM member_session WHERE revoked_at IS NULL")
    assert [row["member_id"] for row in live] == [found.member.id]


async def test_an_export_that_is_asked_for_while_they_are_parted_tells_of_one(
    gate: Gate, tmp_path: Path
) -> None:
    """It was read while both were one still, and asked for after the others were withdrawn."""
    alice, _, _, merged = await three()
    files = FileStore(tmp_path / "files")
    await gate.hold("LOCK TABLE outbox_stream IN SHARE MODE")
    parting = asyncio.create_task(parted(merged))
    await gate.gather(1)
    asked = await custody.request_export(alice, idempotency_key="e", now=LATER)
    writing = asyncio.create_task(custody.write_exports(files=files, now=lambda: LATER))
    await gate.open(waiting=2)
    await parting
    assert await writing == 1
    export = await custody.data_export(alice, export_id=asked.id, now=LATER)
    assert export is not None
    assert export.token is not None
    [name] = files.names(before=LATER + timedelta(days=9_999))
    with zipfile.ZipFile(files.folder / name) as archive:
        told = {one: archive.read(one).decode() for one in archive.namelist()}
    assert PHONE not in "".join(told.values())
    assert len(told["member.jsonl"].splitlines()) == 1


async def test_a_deletion_that_is_asked_for_while_they_are_parted_is_nobodys(gate: Gate) -> None:
    alice, bob, _, merged = await three()
    await gate.hold("LOCK TABLE outbox_stream IN SHARE MODE")
    parting = asyncio.create_task(parted(merged))
    await gate.gather(1)
    command = custody.RequestDeletion(member_id=alice, idempotency_key="leave")
    asking = asyncio.create_task(custody.request_deletion(command, now=LATER))
    await gate.open(waiting=2)
    await parting
    with pytest.raises(TransactionContended):
        await asking
    assert [await custody.deletion_under_way(one) for one in (alice, bob)] == [None, None]
    assert await custody.request_deletion(command, now=LATER) == LATER + custody.COOLING
