"""Who waited for a merge or an erasure writes to the record that the person has then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import structlog.testing

from domain import custody, ledger, members, recommendations, storage
from domain.audit import Actor
from domain.custody import (
    Brought,
    MergeBecause,
    Newcomer,
    bind_phone,
    bring_members,
    erase,
    merge,
)
from domain.errors import PhoneOfAnother
from domain.files import ErasureJournal, FileStore
from domain.members import (
    AddMemberNote,
    BoundElsewhere,
    BroughtMember,
    ByExternalReference,
    ById,
    ByPhone,
    ByWeChat,
    IdentityKind,
    Known,
    MemberRef,
    PhoneKeyFile,
    ServiceContact,
    SetConsent,
    SignInWithWeChat,
    UpdateProfile,
    add_member_note,
    members_by_ids,
    phone_keys,
    register_external_members,
    resolve_members,
    use_phone_keys,
)
from domain.recommendations import BehaviorEvent
from domain.storage import TransactionContended, execute, fetch_all, transaction
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import Door
from tests.domain.purchases.shop import open_shop, order
from tests.domain.wechat.mini_program import OTHER_APP_ID
from tests.graphql.programme import set_up_programme
from tests.races.contention import PATIENT, Gate
from tests.races.test_erasure import NOBODY_IS_SIGNED_OUT, tables_with

PHONE = "+8613800138000"
# A merge has locked both records and moved all rows by then, and cannot go on.
NO_MERGE_IS_KEPT = "LOCK TABLE member_merge IN SHARE MODE"
TRACKING = recommendations.BEHAVIOR_TRACKING
CLERK = Actor(name="staff:clerk", account_id=UUID(int=7), request_id="r-1")


@pytest.fixture(autouse=True)
def _phone_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_keys, "_in_force", None)
    use_phone_keys(PhoneKeyFile(tmp_path / "phone-keys.json", now=NOW, create_missing=True))
    phone_keys.phone_vault()


@pytest.fixture
async def two(postgres: str) -> tuple[UUID, UUID]:
    del postgres
    await set_up_programme(now=NOW)
    names = [ByExternalReference("alice"), ByExternalReference("bob")]
    made = await register_external_members(names, now=NOW)
    return made["alice"], made["bob"]


async def joined(keeper: UUID, loser: UUID) -> custody.Merge | None:
    because = MergeBecause.STAFF
    return await transaction(partial(merge, keeper, loser, because=because, by="staff:x", now=NOW))


def brought(open_id: str, *, phone: str | None = None) -> Newcomer:
    """Bob's row of an import, which knows him by an openid more."""
    known = Known(kind=IdentityKind.WECHAT_OPENID, app_id=OTHER_APP_ID, subject=open_id)
    return Newcomer(member=BroughtMember(external_id="bob", known_by=(known,), phone=phone))


async def during_a_merge(gate: Gate, alice: UUID, bob: UUID, *late: Awaitable[object]) -> None:
    await gate.hold(NO_MERGE_IS_KEPT)
    merging = asyncio.create_task(joined(alice, bob))
    await gate.gather(1)
    writing = asyncio.gather(*late)
    await gate.open(waiting=1 + len(late))
    await writing
    assert await merging is not None


async def test_nothing_is_written_to_a_record_that_was_given_up(
    gate: Gate, two: tuple[UUID, UUID]
) -> None:
    alice, bob = two
    agreed = SetConsent(member_id=bob, purpose=TRACKING, granted=True, version="1")
    await recommendations.set_consent(agreed, now=NOW)
    seen = BehaviorEvent(event_id="e", kind="view", product_id=None, theme=None, at=NOW)
    note = AddMemberNote(member=ById(bob), text="prefers mornings", idempotency_key="n")
    contact = ServiceContact(role="tea", name="Lin", channel="shop")
    marketing = SetConsent(member_id=bob, purpose="marketing", granted=True, version="1")
    await during_a_merge(
        gate,
        alice,
        bob,
        bring_members([brought("o-new")], now=NOW),
        bind_phone(bob, PHONE, now=NOW),
        recommendations.set_consent(marketing, now=NOW),
        recommendations.track_behavior(bob, [seen], now=NOW),
        members.replace_declared_interests(bob, ["TEA"], now=NOW),
        members.update_profile(UpdateProfile(member_id=bob, nickname="Bob"), now=NOW),
        members.set_service_contacts(ById(bob), [contact], by=CLERK, now=NOW),
        add_member_note(note, by=CLERK, now=NOW),
    )
    stays = {"member", "member_merge", "outbox", "outbox_stream", "points_account"}
    assert await tables_with(bob) <= stays
    names: list[MemberRef] = [ByWeChat(OTHER_APP_ID, "o-new"), ByPhone(PHONE), ById(bob)]
    assert await resolve_members(names) == [alice] * 3
    assert (await members_by_ids([alice]))[alice].nickname == "Bob"
    assert [one.theme_code for one in await members.interests(alice)] == ["TEA"]
    assert await members.service_contacts(alice) == [contact]
    said = {one.purpose: one.granted for one in await members.consents(alice)}
    assert said == {TRACKING: True, "marketing": True}
    rows = await fetch_all("SELECT member_id FROM behavior_event")
    assert [row["member_id"] for row in rows] == [alice]


async def test_what_wechat_revokes_during_a_merge_is_revoked(
    door: Door, gate: Gate, two: tuple[UUID, UUID]
) -> None:
    alice, _ = two
    bob = (await door.sign_in(openid="o-bob")).member.id
    await bind_phone(bob, PHONE, now=NOW)
    app_id = (await fetch_all("SELECT app_id FROM member_identity WHERE subject = 'o-bob'"))[0]
    revoked = custody.AuthorizationChanged(
        app_id=app_id["app_id"],
        open_id="o-bob",
        notice=custody.AuthorizationNotice.REVOKED,
        revoked=frozenset({8}),
        sent_at_s=int(NOW.timestamp()),
    )
    await during_a_merge(gate, alice, bob, custody.heed(revoked, now=NOW))
    assert await resolve_members([ByPhone(PHONE)]) == [None]


async def test_orders_and_sign_ins_go_on_by_what_was_brought_during_a_merge(
    door: Door, gate: Gate
) -> None:
    shop = await open_shop("alice", "bob")
    alice, bob = shop.members["alice"], shop.members["bob"]
    await during_a_merge(gate, alice, bob, bring_members([brought("o-new", phone=PHONE)], now=NOW))
    [found] = await transaction(lambda: _named(ByWeChat(OTHER_APP_ID, "o-new")))
    assert found == alice
    await shop.record(order("A", "bob"), batch_id="a", now=NOW)
    assert (await ledger.balance(alice, now=NOW)).available == 88
    code = await door.phone.login(openid="o-new", appId=OTHER_APP_ID)
    signed_in = await door.use(SignInWithWeChat(app_id=OTHER_APP_ID, code=code))
    assert signed_in.member.id == alice


async def _named(reference: ByWeChat) -> list[UUID | None]:
    found, _ = await ledger.lock_named([reference])
    return found


async def test_an_identity_of_a_record_that_was_given_up_leads_on(
    door: Door, two: tuple[UUID, UUID]
) -> None:
    """The second net: written by a bug, or by hand, it keeps nobody from orders and sign-ins."""
    alice, bob = two
    carol = (await door.sign_in(openid="o-carol", app_id=OTHER_APP_ID)).member.id
    await bind_phone(carol, PHONE, now=NOW)
    await joined(alice, bob)
    await execute("UPDATE member SET merged_into = $1 WHERE id = $2", bob, carol)
    names: list[MemberRef] = [ByWeChat(OTHER_APP_ID, "o-carol"), ByPhone(PHONE)]
    assert await resolve_members(names) == [alice, alice]
    assert await members.members_by_phones([PHONE]) == {PHONE: alice}
    assert await transaction(lambda: _named(ByWeChat(OTHER_APP_ID, "o-carol"))) == [alice]
    code = await door.phone.login(openid="o-carol", appId=OTHER_APP_ID)
    again = await door.use(SignInWithWeChat(app_id=OTHER_APP_ID, code=code))
    assert again.member.id == alice


async def test_a_merge_that_takes_too_long_keeps_nobody_from_signing_in(
    door: Door, gate: Gate, two: tuple[UUID, UUID], postgres: str
) -> None:
    alice = (await door.sign_in(openid="o-alice", app_id=OTHER_APP_ID)).member.id
    await door.sign_in(openid="o-bob", unionid="u-bob")
    await storage.close()
    await storage.connect(postgres, pool=replace(PATIENT, statement_timeout_ms=300))
    await gate.hold(NO_MERGE_IS_KEPT)
    code = await door.phone.login(openid="o-alice", unionid="u-bob", appId=OTHER_APP_ID)
    command = SignInWithWeChat(app_id=OTHER_APP_ID, code=code)
    with structlog.testing.capture_logs() as logs:
        signed_in = await custody.sign_in_with_wechat(
            command, wechat=door.wechat, tokens=door.tokens, now=NOW
        )
    [failed] = [log for log in logs if log["event"] == "merge_failed"]
    assert (failed["keeper"], failed["loser"]) == (str(alice), str(signed_in.twin))
    assert signed_in.member.id == alice
    rows = await fetch_all("SELECT revoked_at FROM member_session WHERE member_id = $1", alice)
    assert [row["revoked_at"] for row in rows] == [None, None]
    await gate.open(waiting=0)
    code = await door.phone.login(openid="o-alice", unionid="u-bob", appId=OTHER_APP_ID)
    command = SignInWithWeChat(app_id=OTHER_APP_ID, code=code)
    await custody.sign_in_with_wechat(command, wechat=door.wechat, tokens=door.tokens, now=NOW)
    assert await members.heirs([signed_in.twin or alice]) == {signed_in.twin: alice}


async def erasing(member_id: UUID, tmp_path: Path) -> object:
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    return await erase(member_id, journal=journal, files=files, now=NOW)


async def test_an_import_that_waited_for_an_erasure_brings_a_new_member(
    gate: Gate, two: tuple[UUID, UUID], tmp_path: Path
) -> None:
    _, bob = two
    await gate.hold(NOBODY_IS_SIGNED_OUT)
    erasure = asyncio.create_task(erasing(bob, tmp_path))
    await gate.gather(1)
    importing = asyncio.create_task(bring_members([brought("o-new")], now=NOW))
    await gate.open(waiting=2)
    await erasure
    [one] = await importing
    assert isinstance(one, Brought)
    assert one.is_new
    assert one.member_id != bob
    assert await resolve_members([ByWeChat(OTHER_APP_ID, "o-new")]) == [one.member_id]


async def test_a_number_whose_owner_is_erased_meanwhile_is_bound_after_all(
    gate: Gate, two: tuple[UUID, UUID], tmp_path: Path
) -> None:
    alice, bob = two
    await bind_phone(bob, PHONE, now=NOW)
    await gate.hold(NOBODY_IS_SIGNED_OUT)
    erasure = asyncio.create_task(erasing(bob, tmp_path))
    await gate.gather(1)
    binding = asyncio.create_task(bind_phone(alice, PHONE, now=NOW))
    await gate.open(waiting=2)
    await erasure
    assert (await binding).id == alice
    assert await resolve_members([ByPhone(PHONE)]) == [alice]


async def test_orders_and_merges_lock_members_first(gate: Gate) -> None:
    """One of the batch has an account and the other none; a merge needs both records."""
    shop = await open_shop("alice", "bob")
    await shop.record(order("A", "bob"), batch_id="before", now=NOW)
    alice, bob = shop.members["alice"], shop.members["bob"]
    # The orders wait for Alice's row, who has no account. A merge that comes now waits too.
    await gate.hold("SELECT id FROM member WHERE id = $1 FOR UPDATE", alice)
    ordering = asyncio.create_task(
        shop.record(order("B", "bob"), order("C", "alice"), batch_id="b", now=NOW)
    )
    await gate.gather(1)
    held = await fetch_all(
        "SELECT member_id FROM points_account WHERE member_id = $1 FOR UPDATE SKIP LOCKED", bob
    )
    assert [row["member_id"] for row in held] == [bob], "no account is locked before the members"
    merging = asyncio.create_task(joined(alice, bob))
    await gate.open(waiting=2)
    receipts = (await ordering).receipts
    assert [receipt.status.value for receipt in receipts] == ["APPLIED", "APPLIED"]
    assert await merging is not None
    assert (await ledger.balance(alice, now=NOW)).available == 3 * 88


async def test_who_was_parted_from_a_part_of_somebody_is_not_joined_to_them(
    two: tuple[UUID, UUID],
) -> None:
    alice, bob = two
    carol = (await register_external_members([ByExternalReference("carol")], now=NOW))["carol"]
    wrong = await joined(alice, bob)
    assert wrong is not None
    await transaction(partial(custody.part, wrong, by="staff:x", now=NOW))
    assert await joined(carol, bob) is not None
    await bind_phone(carol, PHONE, now=NOW)
    for one, other in ((alice, carol), (alice, bob), (carol, alice)):
        assert await custody.were_parted(one, other)
    with pytest.raises(PhoneOfAnother):
        await bind_phone(alice, PHONE, now=NOW)
    assert await resolve_members([ById(alice), ByPhone(PHONE)]) == [alice, carol]


async def test_a_number_that_always_leads_elsewhere_is_no_endless_loop(
    two: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = two

    async def nobody(member_id: UUID, phone: str, *, now: object) -> BoundElsewhere:
        return BoundElsewhere(UUID(int=5))

    monkeypatch.setattr(members, "bind_phone", nobody)
    with pytest.raises(TransactionContended):
        await bind_phone(alice, PHONE, now=NOW)
