"""What time will bring to a level if nothing more is earned: the reviews, taken in advance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain.ledger import NEVER
from domain.tiers.careers import Career
from domain.tiers.holdings import load_careers, load_days
from domain.tiers.ladder import Ladder
from domain.tiers.level_rules import read_ladder
from domain.tiers.terms import Term, highest
from domain.tiers.windows import days_later


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Whether what has been earned keeps the present level, or the moment at which it falls.

    The base is always kept; a level that staff alone gave is not, until it is earned. Where
    `keeps_level`, `level_at_risk_at` is None.
    """

    keeps_level: bool
    level_at_risk_at: datetime | None


DUE_MOMENTS: Final = """
    (SELECT m.next_review_at FROM member_level AS m
     WHERE m.member_id = $1 AND m.next_review_at <= $2) AS level_due_at
"""
"""When something became due of the level of $1, as long as it is not settled at $2. For statements
of other contexts."""


async def forecast(member_id: UUID, *, zone: ZoneInfo, now: datetime) -> Forecast:
    """The forecast as of `now`; without levels nothing can be lost. Three statements.

    It changes with an event of the member or of the programme, with the local day, and as the
    moment of DUE_MOMENTS passes.
    """
    ladder = await read_ladder()
    if ladder is None:
        return Forecast(keeps_level=True, level_at_risk_at=None)
    careers = await load_careers([member_id], ladder=ladder, zone=zone)
    await load_days(list(careers.values()))
    career = careers[member_id].career
    career.settle(now=now)
    return foresee(career, ladder=ladder, zone=zone)


def foresee(career: Career, *, ladder: Ladder, zone: ZoneInfo) -> Forecast:
    """Let time pass for a career that is settled, until its level is renewed or falls.

    Whoever needs the career afterwards gives a copy.
    """
    ranks = ladder.ranks
    top = highest(career.terms.values(), ranks)
    if not top:
        return Forecast(keeps_level=True, level_at_risk_at=None)
    rank = ranks[top[0].level_code]
    # A level that is earned is kept by its review, though a grant of it may outlast that.
    earned = [term for term in top if term.earned]
    held_until = max(term.keep_until for term in earned or top)
    falls_by = max(_falls_by(term, ladder=ladder, zone=zone) for term in top)
    # What is kept until NEVER is not reviewed, so it does not fall.
    while (moment := career.next_review_at) <= falls_by and moment < NEVER:
        career.settle(now=moment)
        now_held = highest(career.terms.values(), ranks)
        if not now_held or ranks[now_held[0].level_code] < rank:
            return Forecast(keeps_level=False, level_at_risk_at=moment)
        if any(term.earned and term.keep_until > held_until for term in now_held):
            break
    return Forecast(keeps_level=True, level_at_risk_at=None)


def _falls_by(term: Term, *, ladder: Ladder, zone: ZoneInfo) -> datetime:
    """By when a term that is not renewed has ended, its grace included."""
    if not term.earned:
        return term.ends_at
    graced = days_later(term.keep_until, ladder.rules.grace_days, zone=zone)
    return max(term.ends_at, graced)
