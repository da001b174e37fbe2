"""The same commands many times at once, from two processes and within one batch."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from domain.ledger import EntryKind, post
from domain.ledger.auditing import verify_accounts
from domain.storage import fetch_all
from tests.domain.ledger.commands import NOW, earn
from tests.races.contention import Gate
from tests.races.storming import AT_ONCE, MEMBERS, OPENING, command_of, keep, sends, storm

TIMES = 20


async def wrongs(keys: int, times: int, told: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the answers to a storm and with what it left behind; empty when sound."""
    found = sorted({fault for one in told for fault in one["faults"]})
    for number in range(keys):
        key = f"k{number}"
        answers = [tuple(each) for one in told for each in one["answers"].get(key, [])]
        if len(answers) != times:
            found.append(f"{key} has {len(answers)} answers")
        if len({answer[:-1] for answer in answers}) > 1:
            found.append("one key has different answers")
        if sum(not answer[-1] for answer in answers) != 1:
            found.append("one key took effect more than once")
    rows = await fetch_all(
        "SELECT t.reference, COUNT(*) AS entries FROM points_entry AS e"
        " JOIN points_entry_text AS t ON t.member_id = e.member_id AND t.seq = e.seq"
        " WHERE e.source_kind = 'storm' AND e.kind <> 'TRANSFER_IN' GROUP BY t.reference"
    )
    if {row["reference"]: row["entries"] for row in rows} != {f"k{n}": 1 for n in range(keys)}:
        found.append("the journal has not one entry of each key")
    found += [f"broken: {one.rule}" for one in (await verify_accounts(MEMBERS)).violations]
    return list(dict.fromkeys(found))


async def opened() -> None:
    await post([earn(OPENING, member_id=member) for member in MEMBERS], now=NOW)


async def lock_all(gate: Gate) -> None:
    await gate.hold("SELECT 1 FROM points_account FOR UPDATE")


@pytest.mark.soak
@pytest.mark.timeout(300)
async def test_a_storm_of_duplicates_from_two_processes(
    postgres: str, gate: Gate, full_form: bool, tally: Callable[[str, int, int], None]
) -> None:
    keys = 500 if full_form else 25
    half = str(TIMES // 2)
    await opened()
    await lock_all(gate)
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.races.storming", postgres, str(keys), half, "1"),
        stdout=asyncio.subprocess.PIPE,
    )
    here = asyncio.create_task(storm(keys, TIMES // 2, seed=2))
    # All connections of both processes were seen to wait for the accounts.
    await gate.open(waiting=2 * AT_ONCE)
    output, _ = await other.communicate()
    assert other.returncode == 0
    told = [await here, orjson.loads(output.splitlines()[-1])]

    assert await wrongs(keys, TIMES, told) == []
    assert {each[0][1] for each in told[0]["answers"].values()} == {
        *(kind.value for kind in (EntryKind.EARN, EntryKind.REDEEM, EntryKind.HOLD)),
        *(kind.value for kind in (EntryKind.TRANSFER_OUT, EntryKind.ADJUST)),
    }
    answered = {key for one in told for key in one["answers"]}
    tally("keys of the duplicate storm", len(answered), 500 if full_form else 25)
    overlapping = {key for one in told for key, number in one["overlaps"].items() if number}
    assert overlapping == answered, "each key was in flight more than once at a time"
    overlaps = sum(number for one in told for number in one["overlaps"].values())
    tally("sends while another of their key was in flight", overlaps, 5_000 if full_form else 250)
    sent = sum(len(each) for one in told for each in one["answers"].values())
    tally("sends of the duplicate storm", sent, 10_000 if full_form else 500)
    repeats = sum(
        len(batch) - len({command.key for command in batch})
        for seed in (1, 2)
        for batch in sends(keys, TIMES // 2, seed=seed)
    )
    tally("of them second ones within their batch", repeats, 500 if full_form else 25)


@pytest.mark.usefixtures("database")
async def test_a_storm_of_duplicates_within_one_batch() -> None:
    """Each key twenty times in one batch, and the whole batch again."""
    await opened()
    batch = [command_of(number) for number in range(25) for _ in range(TIMES)]
    first: dict[str, Any] = {"answers": {}, "faults": []}
    keep(batch, await post(batch, now=NOW), first)
    assert await wrongs(25, TIMES, [first]) == []
    again: dict[str, Any] = {"answers": {}, "faults": []}
    keep(batch, await post(batch, now=NOW), again)
    for key, answers in first["answers"].items():
        assert again["answers"][key] == [[*answers[0][:-1], True]] * TIMES
    assert await wrongs(25, TIMES, [first]) == []
