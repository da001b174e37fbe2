"""The race of the home page is fair: who runs in it answers the same bytes to the same token."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import httpx
import pytest

from benchmarks.home.answers import answers, check_same, home_requests
from benchmarks.home.building import Sizes, build, lengthen, open_session
from benchmarks.home.contestants import BEST, GATEWAY, PLAIN, Contestant, gateway_of, peer
from benchmarks.home.loads import Loader
from benchmarks.home.reporting import Goal, Race, write_race
from benchmarks.home.rounds import Effort, race
from benchmarks.postgres import connected
from domain import members
from domain.access import AccessTokens, KeyRing
from domain.members import ByExternalReference
from tests.faults.town import ISSUER, Town

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SIZES: Final = Sizes(members=80, entries=24)


@contextlib.contextmanager
def contestants(town: Town, folder: Path, redis_url: str) -> Iterator[list[Contestant]]:
    """The gateway and those that are written by hand in Python."""
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(gateway_of(town, folder, redis_url=redis_url))
        found = [Contestant(GATEWAY, gateway.port, gateway.pid)]
        for name, module in ((PLAIN, "plain"), (BEST, "best")):
            command = [sys.executable, "-m", f"benchmarks.home.peers.{module}"]
            found.append(stack.enter_context(peer(name, command, town, folder)))
        yield found


async def newcomer(town: Town, *, signed_out: bool = False) -> str:
    """The token of a member who has done nothing yet."""
    now = datetime.now(UTC)
    tokens = AccessTokens(KeyRing(town.keys, now=now), ISSUER)
    async with connected(town.database_url):
        reference = ByExternalReference("newcomer")
        await members.register_external_members([reference], now=now)
        [member_id] = await members.resolve_members([reference])
        assert member_id is not None
        token = await open_session(member_id, tokens=tokens, now=now)
        if signed_out:
            await members.sign_out(tokens.verify(token, now), everywhere=False, now=now)
    return token


async def test_the_peers_answer_the_same_bytes(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    town = await build(postgres_url, tmp_path, SIZES)
    await lengthen(postgres_url, town.members[1], entries=500)
    new = await newcomer(town)
    with contestants(town, tmp_path, redis_url) as found:
        page = check_same(found, town, members=30)
        pages = answers(found[0], town.member_tokens)
        told = [answers(one, [new, town.member_tokens[1]]) for one in found]
    assert page.startswith(b'{"data":{"program":{"name":')
    assert page.count(b'"cursor"') == 20
    assert page.count(b'"shelf"') == 10
    assert page.count(b'"status":"ACTIVE"') == 3
    assert any(b'"expiringSoon":[{' in one for one in pages)
    assert b'"edges":[]' in told[0][0]
    assert told[0] == told[1] == told[2]


async def test_the_peers_check_tokens(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    town = await build(postgres_url, tmp_path, Sizes(members=2, entries=24))
    ended = await newcomer(town, signed_out=True)
    good = town.member_tokens[0]
    forged = good[:-6] + ("AAAAAA" if good[-6:] != "AAAAAA" else "BBBBBB")
    with contestants(town, tmp_path, redis_url) as found:
        for one, token in product(found, (ended, forged)):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{one.port}") as http:
                headers = {"authorization": f"Bearer {token}"}
                body = {"query": "{ __typename }"}
                answer = await http.post("/graphql", json=body, headers=headers)
                assert answer.status_code == 401, (one.name, answer.text)


async def test_a_short_race_gives_a_table_and_a_picture(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    town = await build(postgres_url, tmp_path, Sizes(members=4, entries=24))
    # wrk is not everywhere.
    loader = Loader(tmp_path, home_requests(town), wrk=None)
    with contestants(town, tmp_path, redis_url) as found:
        # The processor time of the database is asked of any process here.
        records = await race(
            found, loader, postgres=found[0].pid, effort=Effort(rounds=2, seconds=1)
        )
    run = Race("The home page", "Short.", PLAIN, records, [Goal(GATEWAY, PLAIN, 1.0)])
    assert {one.name for one in records} == {GATEWAY, PLAIN, BEST}
    assert all(len(one.loads) == 2 and one.own_ms > 0 for one in records)
    [plain] = [row for row in run.rows() if row[0] == PLAIN]
    assert plain[2:5] == ["1.00", "1.00", "1.00"]
    [[what, *spread, least, verdict]] = run.verdicts()
    assert what == f"{GATEWAY} / {PLAIN}"
    assert [float(one) for one in spread] == sorted(float(one) for one in spread)
    assert least == "1.00"
    assert verdict == ("reached" if float(spread[1]) >= 1 else "**missed**")
    page, picture = write_race(run, "home", folder=tmp_path / "results")
    assert page.read_text().count("\n| ") == 8
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
