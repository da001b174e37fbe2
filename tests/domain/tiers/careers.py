"""Builders of careers, decided purely: what somebody bought on which day, at noon of Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from domain.tiers import LevelRules, Rolling
from domain.tiers.careers import Because, Career
from domain.tiers.criteria import Total
from domain.tiers.ladder import Ladder
from domain.tiers.windows import CalendarYear
from tests.domain.tiers.levels import LEVELS, SHANGHAI

ROLLING = LevelRules(window=Rolling(12), notice_days=0)
CALENDAR = LevelRules(window=CalendarYear(), notice_days=0)


def noon(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time(12), tzinfo=SHANGHAI).astimezone(UTC)


def midnight(day: str) -> datetime:
    """The moment at which a day begins."""
    return datetime.combine(date.fromisoformat(day), time(), tzinfo=SHANGHAI).astimezone(UTC)


class Someone:
    """A member of the three levels of these tests, to whom things happen as they happen to all."""

    def __init__(self, rules: LevelRules, *, levels: tuple[object, ...] = LEVELS) -> None:
        ladder = Ladder(levels=levels, rules=rules)  # type: ignore[arg-type]
        self.career = Career(UUID(int=5), ladder=ladder, zone=SHANGHAI)

    def buys(self, points: int, on: str, *, recorded: str | None = None, fen: int = 0) -> None:
        now = noon(recorded or on)
        self.career.settle(now=now)
        total = Total(points=points, amount_fen=fen, purchases=1)
        self.career.count({date.fromisoformat(on): total})
        self.career.renew(now=now)
        self.career.look(now=now, because=Because.QUALIFIED)

    def is_refunded(self, points: int, bought: str, *, on: str) -> None:
        self.career.settle(now=noon(on))
        total = Total(points=points, purchases=1)
        self.career.take_off(
            {date.fromisoformat(bought): total}, now=noon(on), because=Because.REFUNDED
        )

    def level(self, on: str) -> tuple[str, str | None]:
        """The level at ten past midnight of a day, and the last day through which it is kept."""
        now = midnight(on) + timedelta(minutes=10)
        self.career.settle(now=now)
        held = self.career.held(now=now)
        if held.code == "base":
            return "base", None
        last = held.keep_until.astimezone(SHANGHAI).date() - timedelta(days=1)
        return held.code, last.isoformat()

    @property
    def history(self) -> list[tuple[str, str, str]]:
        """To which level, why, and on which day."""
        return [
            (move.to_code, move.because.value, move.at.astimezone(SHANGHAI).date().isoformat())
            for move in self.career.moves
        ]
