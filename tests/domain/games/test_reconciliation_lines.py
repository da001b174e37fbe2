"""Lines of files: what is read of them, what is refused, sorting many of them, comparing two."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import random
import re
import tracemalloc
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.files import SortedLines
from domain.games import DifferenceKind, LineRefused, RewardItemKind, RewardStatus
from domain.games.reconciliation_differences import (
    LOOKED_AT_ONCE,
    difference_of,
    pairs_of,
    unequal_of,
)
from domain.games.reconciliation_lines import Line, read_lines
from tests.domain.games.books import Row, lines_of
from tests.repository.tree import ROOT

Tally = Callable[[str, int, int], None]


def line(external_id: str, points: Any = 7, status: str = "APPLIED", **other: Any) -> Row:
    told = {"externalId": external_id, "kind": "GRANT", "points": points, "status": status}
    return {**told, **other}


def read(content: bytes) -> list[Line]:
    return list(read_lines(io.BytesIO(content)))


def test_what_is_not_asked_for_is_passed_over() -> None:
    content = lines_of([line("Z", -3, more={"a": []}), line("b", 2**53 - 1, "PENDING")])
    assert (
        read(content.rstrip())
        == read(content.replace(b"\n", b"\r\n"))
        == [
            Line(
                external_id="Z",
                kind=RewardItemKind.GRANT,
                points=-3,
                status=RewardStatus.APPLIED,
            ),
            Line(
                external_id="b",
                kind=RewardItemKind.GRANT,
                points=2**53 - 1,
                status=RewardStatus.PENDING,
            ),
        ]
    )
    assert read(b"") == []


@pytest.mark.parametrize(
    ("content", "number", "rule"),
    [
        (b"nothing", 1, "not JSON in UTF-8"),
        (b"\xef\xbb\xbf" + lines_of([line("b", 7)]), 1, "not JSON in UTF-8"),
        (lines_of([line("b", 7)]) + b"\n", 2, "not JSON in UTF-8"),
        (lines_of([line("b", 7)]) + b'{"externalId":"c","po', 2, "not JSON in UTF-8"),
        (lines_of([line("b", 7), line("b", 7)]), 2, "this id comes twice"),
        (lines_of([line("b", 7), line("c", 7), line("Z", 7)]), 3, "not sorted by externalId"),
        (b"[]\n", 1, "not a JSON object"),
        (b"{}\n", 1, "externalId must be a text of 1 to 128"),
        (lines_of([line("x" * 129, 7)]), 1, "externalId must be a text of 1 to 128"),
        (lines_of([line("a\nb", 7)]), 1, "externalId must be a text of 1 to 128"),
        (b'{"externalId":"\\ud800"}\n', 1, "not JSON in UTF-8"),
        (lines_of([line("b", True)]), 1, "points must be a whole number"),
        (lines_of([line("b", 1.0)]), 1, "points must be a whole number"),
        (lines_of([line("b", 2**53)]), 1, "points must be a whole number"),
        (
            lines_of([line("b", 7, "applied")]),
            1,
            "status must be one of APPLIED, DUPLICATE, REJECTED, PENDING",
        ),
        (lines_of([line("b", 7, kind=None)]), 1, "kind must be one of GRANT, REVERSAL"),
        (lines_of([line("b", 7, more="x" * 4_096)]), 1, "a line has 4096 bytes at most"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named(content: bytes, number: int, rule: str) -> None:
    with pytest.raises(LineRefused) as refused:
        read(content)
    assert (refused.value.line, refused.value.rule) == (number, rule)


def test_the_vector_of_the_guide_is_right() -> None:
    guide = (ROOT / "docs" / "reconciliation.md").read_text()
    [vector] = re.findall(r'```text\n(\{"externalId.*?)```', guide, flags=re.DOTALL)
    body = vector.partition("\n")[0] + "\n"
    assert [line.external_id for line in read(body.encode())] == ["win-1"]
    said = dict(re.findall(r"^([a-z-]+): (.+)$", vector, flags=re.MULTILINE))
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert said["content-digest"] == f"sha-256=:{digest}:"
    both = re.findall(r"^webhook-signature: (.+)$", vector, flags=re.MULTILINE)
    key = bytes(range(32))
    assert f"whsec_{base64.b64encode(key).decode()}`" in guide
    signed = f"{said['webhook-id']}.{said['webhook-timestamp']}.2026-03-01.sha-256=:{digest}:"
    private = Ed25519PrivateKey.from_private_bytes(key)
    assert both == [
        "v1," + base64.b64encode(hmac.digest(key, signed.encode(), "sha256")).decode(),
        "v1a," + base64.b64encode(private.sign(signed.encode())).decode(),
    ]


@pytest.mark.soak
def test_any_number_of_lines_is_sorted_in_little_memory(full_form: bool, tally: Tally) -> None:
    """Random lines, some alike, some empty, in runs of a few: what sorted() makes of them."""
    rng = random.Random(9)
    alphabet = [bytes([value]) for value in (0, 9, 32, 65, 255)]
    sorted_so_far = 0
    for size in (0, 1, 2, 99, 1_000, 200_000 if full_form else 5_000):
        lines = [b"".join(rng.choices(alphabet, k=rng.randrange(9))) for _ in range(size)]
        with TemporaryFile() as spool:
            spool.write(b"left over")
            many = SortedLines(spool, run_lines=97)
            for begin in range(0, size, 50):
                many.add(lines[begin : begin + 50])
            assert list(many.merged()) == sorted(lines)
        sorted_so_far += size
    tally("lines sorted in files", sorted_so_far, 6_000)


def test_runs_do_not_stay_in_memory() -> None:
    def peak(size: int) -> int:
        with TemporaryFile() as spool:
            many = SortedLines(spool, run_lines=500)
            tracemalloc.start()
            for number in range(size):
                many.add([b"%050d" % (number * 7919 % size)])
            for _ in many.merged():
                pass
            _, highest = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return highest

    assert peak(16_000) < 2_000_000, "sixteen thousand lines are 1.3 MB, in lists twice that"


@pytest.mark.soak
def test_two_files_are_compared_as_two_dictionaries_would_be(full_form: bool, tally: Tally) -> None:
    """Random files against a model that holds both in memory, and knows nothing of order."""
    rng = random.Random(7)
    found: dict[DifferenceKind | None, int] = {}
    for _ in range(5_000 if full_form else 150):
        names = rng.sample([*"aZé𝔷~", *map(str, range(20))], k=rng.randrange(20))
        here = {name: _any_line(rng, name) for name in names if rng.random() < 0.8}
        there = {
            name: here[name] if name in here and rng.random() < 0.6 else _any_line(rng, name)
            for name in names
            if rng.random() < 0.8
        }
        unequal, is_last = unequal_of(pairs_of(_sorted(here), _sorted(there)))
        assert is_last
        got = {
            pair.external_id: difference_of(pair, here.get(pair.external_id), is_of_day=True)
            for pair in unequal
        }
        assert [name.encode() for name in got] == sorted(name.encode() for name in got)
        for name in names:
            expected = _expected(here.get(name), there.get(name))
            difference = got.get(name)
            assert (difference and difference.kind) == expected, (here.get(name), there.get(name))
            found[expected] = found.get(expected, 0) + 1
    for kind in DifferenceKind:
        tally(f"differences of random files: {kind}", found[kind], 40)


def test_a_long_walk_is_cut_into_steps() -> None:
    many = {str(number): _any_line(random.Random(1), str(number)) for number in range(4_500)}
    pairs = pairs_of(_sorted(many), _sorted({}))
    steps: list[tuple[int, bool]] = []
    while not steps or not steps[-1][1]:
        unequal, is_last = unequal_of(pairs)
        steps.append((len(unequal), is_last))
    assert steps == [(LOOKED_AT_ONCE, False), (LOOKED_AT_ONCE, False), (500, True)]


def _any_line(rng: random.Random, name: str) -> Line:
    return Line(
        external_id=name,
        kind=rng.choice([*RewardItemKind]),
        points=rng.choice([1, 2]),
        status=rng.choice([*RewardStatus]),
    )


def _sorted(lines: dict[str, Line]) -> Iterator[Line]:
    return iter(sorted(lines.values(), key=lambda one: one.external_id.encode()))


def _expected(here: Line | None, there: Line | None) -> DifferenceKind | None:
    """By the letter of docs/reconciliation.md."""
    stands = {"APPLIED", "PENDING"}
    if here is None or there is None:
        alone = here or there
        if alone is None or alone.status not in stands:
            return None
        return DifferenceKind.MISSING_HERE if here is None else DifferenceKind.MISSING_THERE
    if (here.kind, here.points) != (there.kind, there.points):
        return DifferenceKind.AMOUNT_MISMATCH
    return None if here.status == there.status else DifferenceKind.STATUS_MISMATCH
