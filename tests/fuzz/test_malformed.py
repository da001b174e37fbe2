"""Malformed requests, by the thousand: a refusal for each, no word of our insides, no stall."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import pytest

from tests.closing import ClosingReport
from tests.fuzz.generated import generated_documents
from tests.fuzz.malformed import Malformed, frames
from tests.fuzz.probing import Prober
from tests.fuzz.serving import TOKENS, complaints, operations_served, serving
from tests.fuzz.verdict import faults
from tests.fuzz.wire import Wire
from tests.graphql.gateway import Gateway
from tests.run.running import MakeRun

Tally = Callable[[str, int, int], None]

FEW: Final = 500
WELL_FRAMED: Final = ("bytes", "json", "members", "documents", "variables", "headers")
FULL: Final = 100_000
SHORT: Final = 5_000
AT_ONCE: Final = 8
STALL_MS_MAX: Final = 200.0
SOCKETS: Final = "frames of sockets"
FAULTS_SHOWN: Final = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeRun]:
    with serving(tmp_path_factory.mktemp("malformed"), JIFEN_LOG_LEVEL="warning") as run:
        yield run


async def send_all(run: MakeRun, count: int) -> tuple[Counter[str], Counter[int], list[str]]:
    """How many requests of each kind were sent, the statuses, and what was wrong."""
    # Whatever would end the member's session is left out.
    generated = [one for one in generated_documents(count // 100) if "signOut" not in one]
    operations = operations_served() + generated
    tokens = [run.demo()[name] for name in TOKENS]
    malformed = Malformed(operations, tokens)
    kinds = [*malformed.kinds, SOCKETS]
    sent: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        wire = Wire(run.url)
        for number in numbers:
            kind = kinds[number % len(kinds)]
            what = f"{kind} {number}"
            if kind == SOCKETS:
                random = Random(what)
                said = await wire.talk(
                    frames(random, operations, random.choice(tokens)),
                    protocol=random.choice(("graphql-transport-ws",) * 4 + ("", "graphql-ws")),
                )
                wrong.extend(faults(int(said[9:12] or 0), said, what=what))
            else:
                answer = await wire.ask(malformed.make(kind, number))
                statuses[answer.status] += 1
                wrong.extend(faults(answer.status, answer.body, what=what))
            sent[kind] += 1
        await wire.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return sent, statuses, wrong


async def test_a_few_malformed_requests_of_each_kind(gateway: Gateway, tally: Tally) -> None:
    """Inside this process; the thousands over the wire are left to `make faults`."""
    session = await gateway.sign_in()
    tokens = [session.access_token, await gateway.shop(), await gateway.staff()]
    malformed = Malformed(operations_served(), tokens)
    wrong: list[str] = []
    for number in range(FEW):
        kind = WELL_FRAMED[number % len(WELL_FRAMED)]
        sent = malformed.make(kind, number)
        answer = await gateway.http.post("/graphql", content=sent.body, headers=list(sent.headers))
        wrong.extend(faults(answer.status_code, answer.content, what=f"{kind} {number}"))
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong[:FAULTS_SHOWN])
    tally("malformed requests inside the process", FEW, 500)


@pytest.mark.faults
@pytest.mark.quiet
@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_malformed_requests_are_refused_soon_and_in_our_words(
    server: MakeRun, full_form: bool, tally: Tally, report: ClosingReport
) -> None:
    prober = Prober(server.url, server.process.pid)
    try:
        sent, statuses, wrong = await send_all(server, FULL if full_form else SHORT)
    finally:
        held = prober.stop()
    assert not wrong, f"{len(wrong)} faults:\n" + "\n".join(wrong[:FAULTS_SHOWN])
    assert not complaints(server), complaints(server)[0]
    assert held.longest_ms <= STALL_MS_MAX, held
    assert min(sent.values()) > SHORT / 20
    assert statuses[0] < sent.total() / 20, "most get an answer, whatever they send"
    tally("malformed requests, 0 answered 5xx", sent.total(), FULL if full_form else SHORT)
    told = ", ".join(
        f"{status or 'closed'}: {number}" for status, number in sorted(statuses.items())
    )
    report.notes.append(
        f"malformed requests: {told}; the loop was held {held.longest_ms:.0f} ms at most,"
        f" by {held.probes:,} probes"
    )
