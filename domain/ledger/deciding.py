"""From a command to its decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from domain.errors import InvalidInput
from domain.ledger import decisions, reversals
from domain.ledger.book import Book, Salt
from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    Earn,
    GiveBack,
    Mature,
    Redeem,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import Entry, Past


def check(command: Command) -> None:
    """Refuse what no account could take: PointsOutOfRange, InvalidInput."""
    match command:
        case Mature() | Release() | Capture(points=None):
            return
        case Adjust():
            decisions.checked_points(abs(command.points))
        case Transfer() if command.member_id == command.to_member_id:
            raise InvalidInput(field=("to_member",), rule="another member")
        case _:
            assert command.points is not None
            decisions.checked_points(command.points)


def decide(
    command: Command, books: Sequence[Book], past: Past | None, *, now: datetime, salt: Salt
) -> Entry:
    """Apply the command to the settled books of `members_of`; the entry that it is answered with.

    `past` is the entry of `past_of`. Raises the command's refusals, having changed nothing then.
    """
    book = books[0]
    if isinstance(command, Transfer):
        return decisions.transfer(book, books[1], command, now=now, salt=salt)[0]
    if past is None:
        decision: Any = _DECISIONS[type(command)]
        entry: Entry = decision(book, command, now=now, salt=salt)
    else:
        decision = _ABOUT_THE_PAST[type(command)]
        entry = decision(book, command, past, now=now, salt=salt)
    return entry


_DECISIONS: Final[dict[type[Command], Any]] = {
    Earn: decisions.earn,
    Redeem: decisions.redeem,
    SetAside: decisions.set_aside,
    Capture: decisions.capture,
    Release: decisions.release,
    Adjust: decisions.adjust,
}
_ABOUT_THE_PAST: Final[dict[type[Command], Any]] = {
    Mature: decisions.mature,
    TakeBack: reversals.take_back,
    GiveBack: reversals.give_back,
}


def after(past: Past, book: Book) -> Past:
    """The entry as the next command of the batch finds it."""
    undone = [one for one in book.undone if one.entry_seq == past.seq]
    if not undone or undone[-1].cause in past.causes:
        return past
    last = undone[-1]
    return replace(past, reversed=past.reversed + last.points, causes=past.causes | {last.cause})
