"""The levels and the rules of the programme, as they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from domain.errors import DefinitionChanged, Flaws, InvalidInput
from domain.outbox import Event, announce
from domain.storage import Row, Table, fetch_all, transaction
from domain.tiers.criteria import Match
from domain.tiers.ladder import Ladder, LevelDefinition
from domain.tiers.windows import (
    GRACE_DAYS_MAX,
    MONTHS_MAX,
    NOTICE_DAYS_MAX,
    CalendarYear,
    LevelRules,
    Rolling,
)

LEVEL_COLUMNS: Final = "code, rank, name_zh, name_en, threshold, amount_fen, purchases, match"

_RULE_COLUMNS: Final = "window_kind, months, grace_days, notice_days"
_RULES: Final = Table(
    "level_rules",
    id="int",
    window_kind="text",
    months="int",
    grace_days="int",
    notice_days="int",
    version="bigint",
)


async def read_ladder() -> Ladder | None:
    """The levels with the rules, in one statement; None while no levels are defined."""
    levels = ", ".join(f"l.{name}" for name in LEVEL_COLUMNS.split(", "))
    rules = ", ".join(f"r.{name}" for name in _RULE_COLUMNS.split(", "))
    rows = await fetch_all(
        f"SELECT {levels}, {rules}, r.version AS rules_version FROM level AS l"
        " LEFT JOIN level_rules AS r ON r.id = 1 ORDER BY l.rank"
    )
    if not rows:
        return None
    return Ladder(levels=[level_of(row) for row in rows], rules=_rules_of(rows[0]))


async def read_levels() -> list[LevelDefinition]:
    """The levels, by rank."""
    rows = await fetch_all(f"SELECT {LEVEL_COLUMNS} FROM level ORDER BY rank")
    return [level_of(row) for row in rows]


async def level_rules() -> LevelRules:
    """The rules as they are; those of a programme that set none."""
    rows = await fetch_all(
        f"SELECT {_RULE_COLUMNS}, version AS rules_version FROM level_rules WHERE id = 1"
    )
    return _rules_of(rows[0]) if rows else LevelRules()


async def set_level_rules(rules: LevelRules, *, now: datetime) -> LevelRules:
    """Change the rules that were read at `rules.version`; returns them at the next version.

    Terms that members hold keep their dates: what was promised stays. Joins the caller's
    transaction. Refused: InvalidInput; DefinitionChanged, where others changed them meanwhile.
    """
    check_level_rules(rules)

    async def work() -> LevelRules:
        before = await level_rules()
        if before.version != rules.version:
            raise DefinitionChanged(version=before.version)
        after = LevelRules(
            window=rules.window,
            grace_days=rules.grace_days,
            notice_days=rules.notice_days,
            version=rules.version + 1,
        )
        columns = _row_of(after)
        await _RULES.insert(
            [columns],
            or_update="(id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in columns if name != "id"),
        )
        await announce([Event(kind="LevelRulesChanged", member_id=None, facts={})], now=now)
        return after

    return await transaction(work)


def check_level_rules(rules: LevelRules) -> None:
    """Refused with InvalidInput, which names the field and its rule, where one is broken."""
    _flaws(rules).refuse_first()


def level_rules_flaws(rules: LevelRules) -> Sequence[InvalidInput]:
    """Every rule that they break, at most one for each field."""
    return _flaws(rules).found


def level_of(row: Row) -> LevelDefinition:
    """A level from its row, see LEVEL_COLUMNS."""
    return LevelDefinition(
        code=row["code"],
        rank=row["rank"],
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        threshold=row["threshold"],
        amount_fen=row["amount_fen"],
        purchases=row["purchases"],
        match=Match(row["match"]),
    )


def levels_of(rows: Sequence[Row]) -> list[LevelDefinition]:
    """The levels of rows that may tell one several times, in their order."""
    return list({row["code"]: level_of(row) for row in rows}.values())


def _flaws(rules: LevelRules) -> Flaws:
    flaws = Flaws()
    if isinstance(rules.window, Rolling):
        with flaws.noted():
            _within(rules.window.months, 1, MONTHS_MAX, name="months")
    with flaws.noted():
        _within(rules.grace_days, 0, GRACE_DAYS_MAX, name="grace_days")
    with flaws.noted():
        _within(rules.notice_days, 0, NOTICE_DAYS_MAX, name="notice_days")
    return flaws


def _within(value: int, at_least: int, at_most: int, *, name: str) -> None:
    if not at_least <= value <= at_most:
        raise InvalidInput(field=(name,), rule=f"{at_least} to {at_most}")


def _rules_of(row: Row) -> LevelRules:
    if row["rules_version"] is None:
        return LevelRules()
    rolling = row["window_kind"] == "ROLLING"
    return LevelRules(
        window=Rolling(row["months"]) if rolling else CalendarYear(),
        grace_days=row["grace_days"],
        notice_days=row["notice_days"],
        version=row["rules_version"],
    )


def _row_of(rules: LevelRules) -> dict[str, object]:
    rolling = isinstance(rules.window, Rolling)
    return {
        "id": 1,
        "window_kind": "ROLLING" if rolling else "CALENDAR_YEAR",
        "months": rules.window.months if isinstance(rules.window, Rolling) else None,
        "grace_days": rules.grace_days,
        "notice_days": rules.notice_days,
        "version": rules.version,
    }
