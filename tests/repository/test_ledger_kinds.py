"""The table of kinds of docs/ledger.md: each row, with numbers put in, is what a decision moves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from domain.ledger import EntryKind
from domain.ledger.book import Book
from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    GiveBack,
    Mature,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.deciding import decide
from domain.ledger.entries import Entry, Past, Source
from domain.ledger.merge_decisions import close
from tests.domain.ledger.commands import ALICE, BOB, NOW, days, earn, redeem, zero_salt
from tests.repository.ledger_notation import table

ROWS = table("| kind | amount shown |")
SOURCE = Source(kind="test", reference="1")
HOLD = UUID(int=1)
SOON, LATER = NOW + days(1), NOW + days(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What is put in for the letters of the table; `m` of a hold's `n` is captured."""

    n: int
    d: int = 0
    a: int = 0
    m: int = 0
    p: int = 8

    def value(self, formula: str) -> int:
        """What a cell comes to: sums of letters and of min(x, y)."""
        letters = {
            "n": self.n,
            "d": self.d,
            "a": self.a,
            "m": self.m,
            "p": self.p,
            "r": self.n - self.m,
        }
        assert re.fullmatch(r"(?:[+−-]? ?(?:[a-z]|min\([a-z], [a-z]\)) ?)*", formula), formula
        formula = re.sub(
            r"min\((\w), (\w)\)",
            lambda found: str(min(letters[found[1]], letters[found[2]])),
            formula,
        )
        total = 0
        for sign, term in re.findall(r"([+−-]?) ?(\w+)", formula):
            size = letters[term] if term in letters else int(term)
            total += size if sign in ("", "+") else -size
        return total


def owing(debt: int) -> Book:
    """A book with this debt: points earned, spent, and taken back."""
    book = Book(member_id=ALICE, recorded_at=NOW)
    if debt:
        do(book, earn(debt))
        do(book, redeem(debt))
        do(book, take_back(debt), past=past(book, lots=(1,)))
    return book


def do(book: Book, command: Command, *, past: Past | None = None) -> Entry:
    return decide(command, [book], past, now=NOW, salt=zero_salt)


def past(book: Book, *, lots: tuple[int, ...] = (), seq: int = 1) -> Past:
    entry = book.entries[seq - 1]
    drawn = tuple((one.lot_seq, one.amount) for one in book.draws if one.entry_seq == seq)
    return Past(seq=seq, kind=entry.kind, amount=entry.amount, reversed=0, lots=lots, drawn=drawn)


def take_back(points: int, *, entry: int = 1) -> TakeBack:
    return TakeBack(member_id=ALICE, entry_seq=entry, points=points, source=SOURCE)


def earned(with_: Numbers) -> Entry:
    return do(owing(with_.d), earn(with_.n))


def earned_for_later(with_: Numbers) -> Entry:
    return do(owing(with_.d), earn(with_.n, matures=LATER))


def matured(with_: Numbers) -> Entry:
    book = owing(with_.d)
    seq = do(book, earn(with_.n, matures=LATER)).seq
    command = Mature(member_id=ALICE, entry_seq=seq, source=SOURCE)
    return do(book, command, past=past(book, lots=(book.lot_count,), seq=seq))


def redeemed(with_: Numbers) -> Entry:
    book = owing(0)
    do(book, earn(with_.n + 5))
    return do(book, redeem(with_.n))


def _transferred(with_: Numbers) -> tuple[Entry, Entry]:
    giver, taker = Book(member_id=BOB, recorded_at=NOW), owing(with_.d)
    do(giver, earn(with_.n + 5, member_id=BOB))
    command = Transfer(member_id=BOB, to_member_id=ALICE, points=with_.n, source=SOURCE)
    out = decide(command, [giver, taker], None, now=NOW, salt=zero_salt)
    return out, taker.entries[-1]


def given(with_: Numbers) -> Entry:
    return _transferred(with_)[0]


def received(with_: Numbers) -> Entry:
    return _transferred(with_)[1]


def adjusted(points: int, with_: Numbers) -> Entry:
    book = owing(with_.d if points > 0 else 0)
    if points < 0:
        do(book, earn(5 - points))
    command = Adjust(member_id=ALICE, points=points, reason="", source=SOURCE, expires_at=LATER)
    return do(book, command)


def expired(with_: Numbers) -> Entry:
    """Ten more of the lot are pinned by a hold that outlasts it."""
    book = owing(0)
    do(book, earn(with_.n + 10, expires=SOON))
    do(book, set_aside(10))
    book.settle(now=SOON, salt=zero_salt)
    return book.entries[-1]


def expired_while_pending(with_: Numbers) -> Entry:
    book = owing(with_.d)
    do(book, earn(with_.n, matures=LATER, expires=SOON))
    book.settle(now=SOON, salt=zero_salt)
    return book.entries[-1]


def set_aside(points: int) -> SetAside:
    return SetAside(
        member_id=ALICE,
        hold_id=HOLD,
        owner="shop",
        points=points,
        expires_at=LATER + timedelta(days=1),
        source=SOURCE,
    )


def held(with_: Numbers) -> Entry:
    book = owing(0)
    do(book, earn(with_.n + 5))
    return do(book, set_aside(with_.n))


def holding(with_: Numbers) -> Book:
    """A book that holds n and owes d."""
    book = owing(0)
    do(book, earn(with_.n))
    do(book, set_aside(with_.n))
    if with_.d:
        seq = do(book, earn(with_.d)).seq
        do(book, redeem(with_.d))
        do(book, take_back(with_.d, entry=seq), past=past(book, lots=(2,), seq=seq))
    assert (book.available, book.held, book.debt) == (0, with_.n, with_.d)
    return book


def captured(with_: Numbers) -> Entry:
    command = Capture(member_id=ALICE, hold_id=HOLD, points=with_.m, source=SOURCE)
    return do(holding(with_), command)


def released(with_: Numbers) -> Entry:
    return do(holding(with_), Release(member_id=ALICE, hold_id=HOLD, source=SOURCE))


def taken_back(with_: Numbers) -> Entry:
    """Of n earned, all but a are spent; where a is more, the rest was earned by another order."""
    book = owing(0)
    do(book, earn(with_.n))
    if with_.a > with_.n:
        do(book, earn(with_.a - with_.n))
    elif with_.a < with_.n:
        do(book, redeem(with_.n - with_.a))
    return do(book, take_back(with_.n), past=past(book, lots=(1,)))


def taken_back_while_pending(with_: Numbers) -> Entry:
    book = owing(with_.d)
    seq = do(book, earn(with_.n + 5, matures=LATER)).seq
    before = past(book, lots=(book.lot_count,), seq=seq)
    return do(book, take_back(with_.n, entry=seq), past=before)


def given_back(with_: Numbers) -> Entry:
    book = owing(0)
    do(book, earn(with_.n + with_.d))
    spent = do(book, redeem(with_.n + with_.d)).seq
    if with_.d:
        do(book, take_back(with_.d), past=past(book, lots=(1,)))
    command = GiveBack(
        member_id=ALICE, entry_seq=spent, points=with_.n, grace_until=LATER, source=SOURCE
    )
    return do(book, command, past=past(book, seq=spent))


def gone_over(points: int, *, waiting: int = 0, debt: int = 0, to: Book) -> tuple[Entry, Entry]:
    """An account with so much, or with a debt, and both entries of its merge into another one."""
    loser = Book(member_id=BOB, recorded_at=NOW)
    if debt:
        do(loser, earn(debt, member_id=BOB))
        do(loser, redeem(debt, member_id=BOB))
        taken = TakeBack(member_id=BOB, entry_seq=1, points=debt, source=SOURCE)
        do(loser, taken, past=past(loser, lots=(1,)))
    if points:
        do(loser, earn(points, member_id=BOB))
    if waiting:
        do(loser, earn(waiting, member_id=BOB, matures=LATER))
    handing = close(loser, to, origins={}, source=SOURCE, now=NOW, salt=zero_salt)
    assert handing is not None
    return handing.out, handing.into


def having(points: int) -> Book:
    book = owing(0)
    if points:
        do(book, earn(points))
    return book


CASES: dict[str, Callable[[Numbers], Entry]] = {
    "EARN of n, matured at once": earned,
    "EARN of n, matures later": earned_for_later,
    "MATURE of n": matured,
    "REDEEM of n": redeemed,
    "TRANSFER_OUT of n": given,
    "ADJUST by −n": lambda with_: adjusted(-with_.n, with_),
    "EXPIRE of a lot with n left that no hold pins": expired,
    "EXPIRE of a lot with n left, still pending": expired_while_pending,
    "HOLD of n": held,
    "CAPTURE of m out of n held, r = n − m": captured,
    "RELEASE of n held": released,
    "REVERSAL of an earning: n taken back, a available": taken_back,
    "REVERSAL of an earning still pending: n taken back": taken_back_while_pending,
    "REVERSAL of a redemption or a capture: n given back": given_back,
    "TRANSFER_IN of n": received,
    "ADJUST by +n": lambda with_: adjusted(with_.n, with_),
    "MERGE_OUT of a available and p pending": lambda with_: gone_over(
        with_.a, waiting=with_.p, to=owing(0)
    )[0],
    "MERGE_OUT of a debt of n": lambda with_: gone_over(0, debt=with_.n, to=owing(0))[0],
    "MERGE_IN of n available and p pending": lambda with_: gone_over(
        with_.n, waiting=with_.p, to=owing(with_.d)
    )[1],
    "MERGE_IN of a debt of n, a available": lambda with_: gone_over(
        0, debt=with_.n, to=having(with_.a)
    )[1],
}
NUMBERS = [
    Numbers(n=70, m=70),
    Numbers(n=70, d=30, a=40, m=50),
    Numbers(n=70, d=70, a=70, m=1),
    Numbers(n=70, d=100, a=90, m=30),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_decision_moves_what_its_row_says(row: list[str]) -> None:
    for numbers in NUMBERS:
        entry = CASES[row[0]](numbers)
        assert entry.kind.value == row[0].split(" ")[0]
        assert entry.amount == numbers.value(row[1])
        moved = entry.changes
        found = [moved.available, moved.pending, moved.held, moved.debt]
        assert found == [numbers.value(cell) for cell in row[2:]], (row[0], numbers)


def test_every_kind_has_its_row() -> None:
    assert [row[0] for row in ROWS] == list(CASES)
    told = {row[0].split(" ")[0] for row in ROWS}
    assert told == {kind.value for kind in EntryKind}
