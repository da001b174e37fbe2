"""Racing an erasure: whoever comes in meanwhile is a new member, and nothing of the old is left."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import orjson

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain import custody, storage
from domain.access import KeyRing
from domain.custody import PARTS
from domain.files import ErasureJournal, FileStore
from domain.members import SignInWithWeChat, identities
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import Door
from tests.races.contention import Gate

CROWD = 10
# The erasure has locked the member's record by then, and cannot go on.
NOBODY_IS_SIGNED_OUT = "LOCK TABLE refresh_token IN SHARE MODE"
HOLD_RECORD = "SELECT id FROM member WHERE id = $1 FOR UPDATE"


async def tables_with(member_id: UUID) -> set[str]:
    """The tables in which rows of the member are left."""
    return {
        table.name
        for _, tables in PARTS
        for table in tables
        if await storage.fetch_all(
            f"SELECT 1 AS one FROM {table.name} WHERE {table.member_column} = $1", member_id
        )
    }


async def test_sign_ins_from_two_processes_during_an_erasure_make_one_new_member(
    door: Door, gate: Gate, postgres: str, fake: RunningFake, ring: KeyRing, tmp_path: Path
) -> None:
    known = await door.sign_in(unionid="u-alice")
    codes = [await door.phone.login(unionid="u-alice") for _ in range(2 * CROWD)]
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    await gate.hold(NOBODY_IS_SIGNED_OUT)
    erasure = asyncio.create_task(
        custody.erase(known.member.id, journal=journal, files=files, now=NOW)
    )
    await gate.gather(1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.races.signing_in", postgres, fake.base_url, str(ring.path)),
        *(f"{DEMO_APP_ID}:{code}" for code in codes[CROWD:]),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    crowd = asyncio.gather(
        *(door.use(SignInWithWeChat(app_id=DEMO_APP_ID, code=code)) for code in codes[:CROWD])
    )
    await gate.open(waiting=1 + 2 * CROWD)
    await erasure
    output, _ = await process.communicate()
    assert process.returncode == 0
    signed_in = [(one.member.id, one.is_new_member) for one in await crowd]
    signed_in += [(UUID(one), is_new) for one, is_new in orjson.loads(output.splitlines()[-1])]

    (fresh,) = {member_id for member_id, _ in signed_in}
    assert fresh != known.member.id
    assert [is_new for _, is_new in signed_in].count(True) == 1
    assert [one.subject for one in await identities(fresh)] == ["o-alice", "u-alice"]
    assert await tables_with(known.member.id) == {"erasure", "outbox", "outbox_stream"}
    assert list(journal.members()) == [known.member.id]


async def test_of_a_cancellation_and_an_erasure_at_once_one_wins(
    door: Door, gate: Gate, tmp_path: Path
) -> None:
    """The moment decides: at the end of the period it cannot be taken back, a moment before it can.

    So the journal of erasures never names anybody who was let go.
    """
    known = await door.sign_in()
    member_id = known.member.id
    command = custody.RequestDeletion(member_id=member_id, idempotency_key="leave")
    due = await custody.request_deletion(command, now=NOW)
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    await gate.hold(NOBODY_IS_SIGNED_OUT)
    erasure = asyncio.create_task(custody.erase_due(journal=journal, files=files, now=due))
    await gate.gather(1)
    late = [
        asyncio.create_task(custody.cancel_deletion(member_id, idempotency_key=f"{n}", now=due))
        for n in range(CROWD)
    ]
    assert await asyncio.gather(*late) == [False] * CROWD
    await gate.open(waiting=1)
    assert await erasure == 1
    assert await custody.is_erased(member_id)


async def two_of_whom_bob_leaves(door: Door) -> tuple[UUID, UUID, datetime]:
    """Alice and Bob, and when Bob is to be deleted."""
    alice = (await door.sign_in(openid="o-alice", unionid="u-alice")).member.id
    bob = (await door.sign_in(openid="o-bob", unionid="u-bob")).member.id
    command = custody.RequestDeletion(member_id=bob, idempotency_key="leave", reason="bob leaves")
    return alice, bob, await custody.request_deletion(command, now=NOW)


async def merge(keeper: UUID, loser: UUID, *, now: datetime) -> custody.Merge:
    because = custody.MergeBecause.STAFF
    work = partial(custody.merge, keeper, loser, because=because, by="staff:x", now=now)
    merged = await storage.transaction(work)
    assert merged is not None
    return merged


async def requests() -> list[dict[str, object]]:
    rows = await storage.fetch_all("SELECT member_id, reason, deletes_at FROM account_deletion")
    return [dict(row) for row in rows]


async def test_a_request_survives_a_merge_that_comes_before_the_erasure(
    door: Door, gate: Gate, tmp_path: Path
) -> None:
    """The erasure has looked at a record that nobody had joined yet, and waits for its lock."""
    alice, bob, due = await two_of_whom_bob_leaves(door)
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    await gate.hold(HOLD_RECORD, bob)
    merging = asyncio.create_task(merge(alice, bob, now=due))
    await gate.gather(1)
    erasing = asyncio.create_task(custody.erase_due(journal=journal, files=files, now=due))
    await gate.open(waiting=2)
    merged = await merging
    assert await erasing == 0
    assert not await custody.is_erased(bob)
    assert list(journal.members()) == []
    subjects = [one.subject for one in await identities(alice)]
    assert sorted(subjects) == ["o-alice", "o-bob", "u-alice", "u-bob"]
    # Staff may still part them, so Bob's request is Bob's.
    assert await requests() == [{"member_id": bob, "reason": "bob leaves", "deletes_at": due}]
    # Afterwards the two are one, who is asked anew.
    settled = merged.undoable_until
    assert await custody.erase_due(journal=journal, files=files, now=settled) == 0
    anew = settled + custody.COOLING
    assert await requests() == [{"member_id": alice, "reason": "bob leaves", "deletes_at": anew}]
    assert await custody.erase_due(journal=journal, files=files, now=anew) == 1
    assert set(journal.members()) == {alice, bob}


async def test_whoever_is_parted_before_the_erasure_is_not_erased_with_the_other(
    door: Door, gate: Gate, tmp_path: Path
) -> None:
    alice, bob, due = await two_of_whom_bob_leaves(door)
    await custody.cancel_deletion(bob, idempotency_key="stay", now=NOW)
    merged = await merge(alice, bob, now=due)
    journal, files = ErasureJournal(tmp_path / "erasures.jsonl"), FileStore(tmp_path / "files")
    await gate.hold(HOLD_RECORD, alice)
    parting = asyncio.create_task(
        storage.transaction(partial(custody.part, merged, by="staff:x", now=due))
    )
    await gate.gather(1)
    erasing = asyncio.create_task(custody.erase(alice, journal=journal, files=files, now=due))
    await gate.open(waiting=2)
    await parting
    assert await erasing is True
    assert list(journal.members()) == [alice]
    assert not await custody.is_erased(bob)
    assert [one.subject for one in await identities(bob)] == ["o-bob", "u-bob"]
