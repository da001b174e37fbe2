"""The levels as staff defines and changes them: always a ladder that makes sense as a whole.

The base asks nothing, every level above it asks something, none asks for less than one below it,
and none is reached by everybody who reaches one below it. `check_ladder` decides it purely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import combinations
from typing import Any, Final

from domain import audit
from domain.audit import Actor, Target
from domain.errors import (
    DefinitionChanged,
    Flaws,
    InvalidInput,
    LevelExists,
    LevelsOutOfOrder,
    LevelUnknown,
)
from domain.ledger import POINTS_MAX
from domain.outbox import Event, announce
from domain.storage import Table, execute, fetch_all, transaction
from domain.texts import clean_code, clean_text
from domain.tiers.criteria import AMOUNT_FEN_MAX, PURCHASES_MAX, Match
from domain.tiers.ladder import LevelDefinition
from domain.tiers.level_rules import LEVEL_COLUMNS, level_of

LEVELS_MAX: Final = 20
"""How many levels a programme may have."""

CODE_CHARACTERS_MAX: Final = 32
NAME_CHARACTERS_MAX: Final = 100

CHANGEABLE_OF_LEVELS: Final = frozenset(
    ["name_zh", "name_en", "threshold", "amount_fen", "purchases", "match"]
)
"""What may change of a level. Its code is for ever; its rank follows from the levels below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedLevel:
    """A level as it is defined; `version` counts its changes from 1."""

    definition: LevelDefinition
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeLevel:
    """Change what is named of a level that stands at `version`."""

    code: str
    version: int
    changes: Mapping[str, Any]


async def define_level(level: LevelDefinition, *, by: Actor, now: datetime) -> DefinedLevel:
    """Add a level at its rank; those from there on move up. The same one again changes nothing.

    Members get it with their next purchase, or when all levels are evaluated anew. Refused:
    InvalidInput, LevelExists, LevelsOutOfOrder.
    """

    async def work() -> DefinedLevel:
        known = await _locked()
        own = next((one for one in known if one.definition.code == level.code), None)
        if own is not None:
            if own.definition != level:
                raise LevelExists(level=level.code, field=("code",))
            _record(by, "level.define", own, after={"version": own.version}, now=now)
            return own
        if not 0 <= level.rank <= len(known):
            raise InvalidInput(field=("rank",), rule=f"0 to {len(known)}")
        levels = [one.definition for one in known]
        levels.insert(level.rank, level)
        ranked = [replace(one, rank=rank) for rank, one in enumerate(levels)]
        return (await _write(known, ranked, by=by, now=now))[level.rank]

    return await transaction(work)


async def change_level(command: ChangeLevel, *, by: Actor, now: datetime) -> DefinedLevel:
    """Change a level. Whoever holds it keeps it as long as they were promised.

    Refused: LevelUnknown, DefinitionChanged (somebody was faster), InvalidInput, LevelsOutOfOrder.
    """
    assert command.changes.keys() <= CHANGEABLE_OF_LEVELS, "the code and the rank are not changed"

    async def work() -> DefinedLevel:
        known = await _locked()
        own = next((one for one in known if one.definition.code == command.code), None)
        if own is None:
            raise LevelUnknown(field=("code",))
        if own.version != command.version:
            raise DefinitionChanged(version=own.version, field=("version",))
        levels = [
            replace(one.definition, **command.changes) if one is own else one.definition
            for one in known
        ]
        after = await _write(known, levels, by=by, now=now)
        made = next(one for one in after if one.definition.code == command.code)
        if made == own:
            _record(by, "level.change", own, after={"version": own.version}, now=now)
        return made

    return await transaction(work)


async def set_levels(
    levels: Sequence[LevelDefinition], *, by: Actor, now: datetime
) -> Sequence[DefinedLevel]:
    """Make these the levels, from the base upwards; all that there are must be among them.

    Records what changes, and nothing where nothing does. Refused: InvalidInput, LevelsOutOfOrder.
    """

    async def work() -> Sequence[DefinedLevel]:
        known = await _locked()
        missing = {one.definition.code for one in known} - {one.code for one in levels}
        if missing:
            raise InvalidInput(
                field=("levels",), rule=f"every level that there is: {', '.join(sorted(missing))}"
            )
        return await _write(known, levels, by=by, now=now)

    return await transaction(work)


async def defined_levels() -> list[DefinedLevel]:
    """The levels with their versions, by rank."""
    return await _read(_READ)


def check_ladder(levels: Sequence[LevelDefinition]) -> None:
    """Refuse InvalidInput where a level by itself is wrong, LevelsOutOfOrder where two are.

    `field` is that of the level, whose code LevelsOutOfOrder names.
    """
    if len(levels) > LEVELS_MAX:
        raise InvalidInput(field=("rank",), rule=f"at most {LEVELS_MAX} levels")
    for rank, level in enumerate(levels):
        assert level.rank == rank, "levels are ranked from 0 without gaps"
        check_level(level)
    for below, level in combinations(levels, 2):
        asked, less = _asked(level), _asked(below)
        for name, number in asked.items():
            if number < less.get(name, 0):
                raise LevelsOutOfOrder(level=level.code, below=below.code, field=(name,))
        if _leads_to(below, level):
            raise LevelsOutOfOrder(level=level.code, below=below.code, field=("threshold",))


def check_level(level: LevelDefinition) -> None:
    """Refuse InvalidInput where a level by itself is wrong, whatever the others are."""
    _flaws(level).refuse_first()


def level_flaws(level: LevelDefinition) -> Sequence[InvalidInput]:
    """Every rule that the level breaks by itself, in the order in which they are looked at."""
    return _flaws(level).found


def _flaws(level: LevelDefinition) -> Flaws:
    flaws = Flaws()
    with flaws.noted():
        clean_code(level.code, field=("code",), characters_max=CODE_CHARACTERS_MAX)
    for name in ("name_zh", "name_en"):
        with flaws.noted():
            clean_text(
                getattr(level, name),
                field=(name,),
                characters_min=1,
                characters_max=NAME_CHARACTERS_MAX,
            )
    with flaws.noted():
        _within(level.threshold, 0, POINTS_MAX, name="threshold")
    with flaws.noted():
        _within(level.amount_fen, 1, AMOUNT_FEN_MAX, name="amount")
    with flaws.noted():
        _within(level.purchases, 1, PURCHASES_MAX, name="purchases")
    with flaws.noted():
        _check_asked(level)
    return flaws


def _check_asked(level: LevelDefinition) -> None:
    asked = _asked(level)
    if level.rank == 0 and (asked or level.match is not Match.ALL):
        raise InvalidInput(field=(next(iter(asked), "match"),), rule="nothing for the base level")
    if level.rank > 0 and not asked:
        raise InvalidInput(field=("threshold",), rule="something for a level above the base")


def _within(value: int | None, at_least: int, at_most: int, *, name: str) -> None:
    if value is not None and not at_least <= value <= at_most:
        raise InvalidInput(field=(name,), rule=f"{at_least} to {at_most}")


def _asked(level: LevelDefinition) -> dict[str, int]:
    """The criteria that the level asks for, by the names that staff gives them."""
    named = {
        "threshold": level.threshold,
        "amount": level.amount_fen,
        "purchases": level.purchases,
    }
    return {name: value for name, value in named.items() if value}


def _leads_to(below: LevelDefinition, level: LevelDefinition) -> bool:
    """Whether everybody who reaches `below` reaches `level` with that."""
    wanted, given = _asked(level), _asked(below)
    enough = all if level.match is Match.ALL else any
    # What somebody has at least: all that is asked, or one thing of it, whichever it is.
    ways = [given] if below.match is Match.ALL else [{name: given[name]} for name in given]
    return all(enough(way.get(name, 0) >= wanted[name] for name in wanted) for way in ways)


_READ: Final = f"SELECT {LEVEL_COLUMNS}, version FROM level ORDER BY rank"
_LEVELS: Final = Table(
    "level",
    code="text",
    rank="int",
    name_zh="text",
    name_en="text",
    threshold="bigint",
    amount_fen="bigint",
    purchases="int",
    match="text",
    version="bigint",
)
_OUT_OF_THE_WAY: Final = 1_000_000
"""Ranks are unique at every moment, so those that move go by a number that nobody has."""


async def _locked() -> list[DefinedLevel]:
    """The levels, of which nobody else changes any meanwhile.

    They are read once they are locked: whoever waited for that does not see in the same statement
    what was added meanwhile.
    """
    await fetch_all("SELECT code FROM level ORDER BY rank FOR NO KEY UPDATE")
    return await _read(_READ)


async def _read(statement: str) -> list[DefinedLevel]:
    rows = await fetch_all(statement)
    return [DefinedLevel(definition=level_of(row), version=row["version"]) for row in rows]


async def _write(
    known: Sequence[DefinedLevel],
    levels: Sequence[LevelDefinition],
    *,
    by: Actor,
    now: datetime,
) -> list[DefinedLevel]:
    """Check the levels as a whole, write what differs, record and announce it."""
    check_ladder(levels)
    before = {one.definition.code: one for one in known}
    after = [_versioned(level, before.get(level.code)) for level in levels]
    changed = [one for one in after if before.get(one.definition.code) != one]
    if not changed:
        return after
    old = [one for one in changed if one.definition.code in before]
    if any(one.definition.rank != before[one.definition.code].definition.rank for one in old):
        codes = [one.definition.code for one in old]
        await execute(
            "UPDATE level SET rank = rank + $1 WHERE code = ANY($2::text[])", _OUT_OF_THE_WAY, codes
        )
    if old:
        await _LEVELS.update([_row(one) for one in old], key=("code",))
    if new := [one for one in changed if one.definition.code not in before]:
        await _LEVELS.insert([_row(one) for one in new])
    for one in changed:
        _record_change(before.get(one.definition.code), one, by=by, now=now)
    await announce([Event(kind="LevelsDefined", member_id=None, facts={})], now=now)
    return after


def _versioned(level: LevelDefinition, before: DefinedLevel | None) -> DefinedLevel:
    """The level at its next version; one that others move stays at its own."""
    if before is None:
        return DefinedLevel(definition=level, version=1)
    is_moved_only = replace(before.definition, rank=level.rank) == level
    return DefinedLevel(definition=level, version=before.version + (not is_moved_only))


def _row(level: DefinedLevel) -> dict[str, Any]:
    return asdict(level.definition) | {
        "match": level.definition.match.value,
        "version": level.version,
    }


def _record_change(
    before: DefinedLevel | None, after: DefinedLevel, *, by: Actor, now: datetime
) -> None:
    is_now = _row(after)
    if before is None:
        return _record(by, "level.define", after, after=is_now, now=now)
    was = _row(before)
    differing = [name for name in was if was[name] != is_now[name]]
    return _record(
        by,
        "level.change",
        after,
        before={name: was[name] for name in differing},
        after={name: is_now[name] for name in differing},
        now=now,
    )


def _record(
    by: Actor,
    action: str,
    level: DefinedLevel,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    now: datetime,
) -> None:
    target = Target(kind="level", id=level.definition.code)
    audit.record(by, action, target=target, before=before, after=after, now=now)
