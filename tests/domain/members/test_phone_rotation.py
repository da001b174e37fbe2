"""New keys for phone numbers: everybody is found all along, and a killed rotation goes on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from domain.members import (
    ByExternalReference,
    ByPhone,
    PhoneKeyFile,
    bind_phone_identities,
    make_phone_keys_known,
    phone_rotation,
    phone_vault,
    phones_of,
    phones_sealed_before,
    put_phone_keys_in_use,
    register_external_members,
    resolve_members,
    seal_phones_anew,
    use_phone_keys,
)
from domain.members import phone_keys as keeping
from domain.members.phone_keys import new_phone_key, read_phone_keys, write_phone_keys
from domain.storage import dialect, execute, fetch_all, transaction
from tests.domain.access.fixtures import NOW

pytestmark = pytest.mark.usefixtures("database")

PHONES = [f"+86138001380{number:02}" for number in range(10)]
LATER = NOW + timedelta(seconds=5)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of keys in force, with one pair; batches have three numbers."""
    monkeypatch.setattr(keeping, "_in_force", None)
    monkeypatch.setattr(phone_rotation, "BATCH", 3)
    file = tmp_path / "phone-keys.json"
    use_phone_keys(PhoneKeyFile(file, now=NOW - timedelta(days=90), create_missing=True))
    phone_vault()
    return file


async def everybody(phones: list[str]) -> dict[str, UUID]:
    members = await register_external_members([ByExternalReference(p) for p in phones], now=NOW)
    bindings = [(members[phone], phone) for phone in phones]
    await transaction(lambda: bind_phone_identities(bindings, now=NOW))
    return dict(members)


async def assert_found(members: dict[str, UUID]) -> None:
    assert await resolve_members([ByPhone(p) for p in members]) == list(members.values())
    assert await phones_of(list(members.values())) == {m: p for p, m in members.items()}


def ids(path: Path) -> list[str]:
    return [key.id for key in read_phone_keys(path)]


async def test_everybody_is_found_in_every_state(path: Path) -> None:
    members = await everybody(PHONES)
    [old] = ids(path)
    before = await fetch_all("SELECT id, subject FROM member_identity WHERE kind = 'phone'")

    assert await make_phone_keys_known(path, now=NOW) == LATER
    new = ids(path)[1]
    assert ids(path) == [old, new]
    assert phone_vault().key_id == old, "known, and not in use"
    await assert_found(members)

    assert put_phone_keys_in_use(path, now=LATER) == new
    assert ids(path) == [new, old]
    await assert_found(members)
    assert await phones_sealed_before(new) == 10

    batches = []
    async for sealed in seal_phones_anew():
        batches.append(sealed)
        await assert_found(members)
    assert batches == [3, 3, 3, 1]
    assert await phones_sealed_before(new) == 0
    after = await fetch_all("SELECT id, subject FROM member_identity WHERE kind = 'phone'")
    assert {row["id"] for row in after} == {row["id"] for row in before}
    assert {row["subject"] for row in after} == {phone_vault().index(phone) for phone in PHONES}
    assert {row["subject"] for row in after}.isdisjoint(row["subject"] for row in before)


async def test_a_rotation_that_was_killed_goes_on_where_it_stopped(path: Path) -> None:
    members = await everybody(PHONES)
    await make_phone_keys_known(path, now=NOW)
    # Killed here: the next run waits for the same keys.
    known = ids(path)
    assert await make_phone_keys_known(path, now=NOW + timedelta(seconds=2)) == LATER
    assert ids(path) == known
    new = put_phone_keys_in_use(path, now=LATER)
    async for _ in seal_phones_anew():
        break
    # Killed after one batch: the next run makes no keys, waits for none and seals the rest.
    assert await phones_sealed_before(new) == 7
    assert await make_phone_keys_known(path, now=NOW + timedelta(hours=1)) == LATER
    assert put_phone_keys_in_use(path, now=NOW + timedelta(hours=1)) == new
    assert sum([sealed async for sealed in seal_phones_anew()]) == 7
    await assert_found(members)


async def test_keys_go_when_the_next_rotation_begins(path: Path) -> None:
    members = await everybody(PHONES[:4])
    [first] = ids(path)
    for day in (1, 2):
        now = NOW + timedelta(days=day)
        await make_phone_keys_known(path, now=now)
        put_phone_keys_in_use(path, now=now + timedelta(seconds=5))
        assert sum([sealed async for sealed in seal_phones_anew()]) == 4
    assert len(ids(path)) == 2
    assert first not in ids(path)
    await assert_found(members)


async def test_keys_are_not_used_before_everybody_can_know_them(path: Path) -> None:
    await make_phone_keys_known(path, now=NOW)
    with pytest.raises(AssertionError, match="known to everybody"):
        put_phone_keys_in_use(path, now=LATER - timedelta(microseconds=1))


async def test_what_was_written_at_the_last_moment_is_sealed_by_the_next_run(path: Path) -> None:
    await make_phone_keys_known(path, now=NOW)
    late = await everybody(PHONES[:1])  # By somebody who read the file before it changed.
    new = put_phone_keys_in_use(path, now=LATER)
    assert await phones_sealed_before(new) == 1
    await assert_found(late)
    assert await make_phone_keys_known(path, now=NOW + timedelta(days=1)) == LATER
    assert [sealed async for sealed in seal_phones_anew()] == [1]
    await assert_found(late)


async def test_of_a_batch_no_other_numbers_are_read(path: Path) -> None:
    if dialect() == "sqlite":
        plan = "EXPLAIN QUERY PLAN "
        batch, another = ["(key_id=? AND id>?)"], ["(key_id<?)", "(key_id>?)"]
    else:
        plan = "EXPLAIN "
        batch, another = ["Index Cond: ((key_id = ", ") AND (id > "], ["(key_id < ", "(key_id > "]

    async def planned(statement: str, *values: object) -> str:
        async def without_scans() -> str:
            if dialect() == "postgres":
                # The table is small here, and PostgreSQL would read the whole of it.
                await execute("SET LOCAL enable_seqscan = off")
            return str([dict(row) for row in await fetch_all(plan + statement, *values)])

        return await transaction(without_scans)

    [key] = ids(path)
    told = await planned(phone_rotation._SEALED_WITH, key, UUID(int=0), 3)
    assert [part for part in batch if part not in told] == []
    assert "Sort" not in told
    assert "TEMP B-TREE" not in told
    told = await planned(phone_rotation._ANOTHER_KEY, key)
    assert [part for part in another if part not in told] == []
    assert "Sort" not in told


async def test_numbers_under_several_older_keys_are_all_sealed_anew(path: Path) -> None:
    members = await everybody(PHONES[:4])
    for second in range(1, 4):
        fresh = new_phone_key(NOW + timedelta(seconds=second))
        write_phone_keys(path, (fresh, *read_phone_keys(path)))
        members |= await everybody(PHONES[3 + second : 4 + second])
    # Four under the first keys, one under each of two others, and one under those in use.
    assert sorted([sealed async for sealed in seal_phones_anew()]) == [1, 1, 1, 3]
    assert await phones_sealed_before(ids(path)[0]) == 0
    await assert_found(members)
