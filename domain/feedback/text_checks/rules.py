"""How a text is asked about, what the answers make of it, and when it is asked again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.feedback.rules import TextCheck
from domain.wechat import TEXT_CHARACTERS_MAX, TextSuggestion

OVERLAP: Final = 100
"""What one piece of a long text has of the one before: no word falls between two of them."""

PAUSE_FIRST: Final = timedelta(seconds=10)
PAUSE_MAX: Final = timedelta(minutes=10)
JITTER: Final = 0.2
"""A pause is longer by up to this part of it."""

HELD: Final = frozenset({TextCheck.WAITING, TextCheck.REVIEW, TextCheck.RISKY})
"""What staff may decide of."""

_CHECKED: Final = {
    TextSuggestion.PASS: TextCheck.CLEAR,
    TextSuggestion.REVIEW: TextCheck.REVIEW,
    TextSuggestion.RISKY: TextCheck.RISKY,
    TextSuggestion.UNCHECKED: TextCheck.NOT_CHECKED,
}


class ReviewDecision(StrEnum):
    """What staff decides of a text that is held."""

    RELEASE = "RELEASE"
    """Staff may read it in its ticket like any other."""
    REFUSE = "REFUSE"
    """It stays covered for good."""

    @property
    def makes(self) -> TextCheck:
        """What the text's check is then."""
        return TextCheck.CLEAR if self is ReviewDecision.RELEASE else TextCheck.REFUSED


def pieces_of(text: str) -> Sequence[str]:
    """The text in pieces that one question may have, in order, each with the end of the former."""
    step = TEXT_CHARACTERS_MAX - OVERLAP
    ends = range(TEXT_CHARACTERS_MAX, len(text) + step, step)
    return [text[end - TEXT_CHARACTERS_MAX : end] for end in ends] or [text]


def checked_as(suggestion: TextSuggestion) -> TextCheck:
    """What WeChat's opinion of a piece says of its text."""
    return _CHECKED[suggestion]


def stands_as(verdict: TextCheck) -> TextCheck:
    """How a text that was asked about stands then: of what could not be checked staff decides.

    Else whoever keeps away from the mini-program until WeChat knows them no more is never checked.
    """
    return TextCheck.REVIEW if verdict is TextCheck.NOT_CHECKED else verdict


def together(found: TextCheck, piece: TextCheck) -> TextCheck:
    """The verdict of pieces of which `found` was that so far: the worst counts.

    Once the author is not known any more, it is what was found until then, if anything was.
    """
    for worst in (TextCheck.RISKY, TextCheck.REVIEW, TextCheck.NOT_CHECKED):
        if worst in {found, piece}:
            return worst
    return TextCheck.CLEAR


def is_last_word(piece: TextCheck) -> bool:
    """Whether the others need not be asked about: it is risky, or nobody knows the author."""
    return piece in {TextCheck.RISKY, TextCheck.NOT_CHECKED}


def next_try_at(attempts: int, *, failed_at: datetime, jitter: float) -> datetime:
    """When to ask again after so many attempts that failed; there is no last one."""
    pause = min(PAUSE_FIRST * float(2 ** min(attempts - 1, 10)), PAUSE_MAX)
    return failed_at + pause * (1 + JITTER * jitter)
