"""Racing an erasure: whoever comes in meanwhile is a new member, and nothing of the old is left."""

from __future__ import annotations

import asyncio
import sys
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
