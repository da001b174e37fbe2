"""What levels give, as staff defines, changes and retires it; each act is in the audit log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import audit
from domain.audit import Actor, Target
from domain.errors import DefinitionChanged, InvalidInput, LevelUnknown, PerkExists, PerkUnknown
from domain.outbox import Event, announce
from domain.storage import Row, Table, fetch_all, fetch_one, transaction
from domain.tiers.perks.definitions import PerkDefinition, check_kind, check_perk

PERKS_MAX: Final = 20
"""How many perks a level may have."""

CHANGEABLE_OF_PERKS: Final = frozenset(
    [
        "position",
        "value",
        "title_zh",
        "title_en",
        "description_zh",
        "description_en",
        "quota",
        "period",
    ]
)
"""What may change of a perk. Its level, its code and its kind are for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedPerk:
    """A perk as it is defined; `retired_at` is when it was taken from its level, if it was."""

    definition: PerkDefinition
    version: int
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePerk:
    """Change what is named of a perk that stands at `version`; None takes a quota away."""

    perk_id: UUID
    version: int
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirePerk:
    """Take a perk that stands at `version` from its level."""

    perk_id: UUID
    version: int


async def define_perk(perk: PerkDefinition, *, by: Actor, now: datetime) -> DefinedPerk:
    """Give a level a perk, for its members from now on. The same one again changes nothing.

    A perk that was retired comes back as it is defined now, and what was used of it counts.
    Refused: InvalidInput (also of a code that is another kind's on any level, retired perks among
    them), LevelUnknown, PerkExists (the level has another of this code).
    """
    check_perk(perk)

    async def work() -> DefinedPerk:
        known, of_code = await _known(perk)
        own = next((one for one in known if one.definition.code == perk.code), None)
        if own is not None and own.retired_at is None:
            if replace(perk, id=own.definition.id) != own.definition:
                raise PerkExists(perk=perk.code, field=("code",))
            _record(by, "perk.define", own, after={"version": own.version}, now=now)
            return own
        if sum(one.retired_at is None for one in known) >= PERKS_MAX:
            raise InvalidInput(field=("level",), rule=f"at most {PERKS_MAX} perks of a level")
        for one in of_code:
            check_kind(perk, one.definition)
        if own is None:
            made = DefinedPerk(definition=perk, version=1)
            await _PERKS.insert([_row(made)])
        else:
            definition = replace(perk, id=own.definition.id)
            made = DefinedPerk(definition=definition, version=own.version + 1)
            await _PERKS.update([_row(made)], key=("id",))
        await announce([Event(kind="LevelsDefined", member_id=None, facts={})], now=now)
        _record(by, "perk.define", made, after=_facts(made), now=now)
        return made

    return await transaction(work)


async def change_perk(command: ChangePerk, *, by: Actor, now: datetime) -> DefinedPerk:
    """Change a perk, for all members of its level from now on.

    What was used in a period counts against its new quota. Refused: PerkUnknown (also of one that
    was retired), DefinitionChanged (somebody was faster), InvalidInput.
    """
    assert command.changes.keys() <= CHANGEABLE_OF_PERKS, "level, code and kind are for ever"

    async def work() -> DefinedPerk:
        before = await _locked(command.perk_id, version=command.version)
        changed = replace(before.definition, **command.changes)
        check_perk(changed)
        return await _changed(before, replace(before, definition=changed), by=by, now=now)

    return await transaction(work)


async def retire_perk(command: RetirePerk, *, by: Actor, now: datetime) -> DefinedPerk:
    """Take a perk from its level: nobody can use it any more; what was used stays on record.

    Refused: PerkUnknown (also of one that was retired), DefinitionChanged.
    """

    async def work() -> DefinedPerk:
        before = await _locked(command.perk_id, version=command.version)
        return await _changed(before, replace(before, retired_at=now), by=by, now=now)

    return await transaction(work)


async def defined_perks() -> list[DefinedPerk]:
    """All perks, those that were retired among them, by level, position and code."""
    rows = await fetch_all(f"SELECT {_COLUMNS} FROM perk ORDER BY level_code, position, code")
    return [_perk(row) for row in rows]


_COLUMNS: Final = (
    "id, level_code, code, position, kind, value, title_zh, title_en, description_zh,"
    " description_en, quota, period, version, retired_at"
)
_PERKS: Final = Table(
    "perk",
    id="uuid",
    level_code="text",
    code="text",
    position="int",
    kind="text",
    value="text",
    title_zh="text",
    title_en="text",
    description_zh="text",
    description_en="text",
    quota="int",
    period="text",
    version="bigint",
    retired_at="timestamptz",
)


async def _known(perk: PerkDefinition) -> tuple[Sequence[DefinedPerk], Sequence[DefinedPerk]]:
    """The perks of the perk's level, and those of its code on any level.

    All levels stay locked, so that nobody else gives one a perk meanwhile.
    """
    levels = await fetch_all("SELECT code FROM level ORDER BY rank FOR NO KEY UPDATE")
    if perk.level_code not in {row["code"] for row in levels}:
        raise LevelUnknown(field=("level",))
    rows = await fetch_all(
        f"SELECT {_COLUMNS} FROM perk WHERE level_code = $1 OR code = $2 ORDER BY level_code",
        *(perk.level_code, perk.code),
    )
    known = [_perk(row) for row in rows]
    return (
        [one for one in known if one.definition.level_code == perk.level_code],
        [one for one in known if one.definition.code == perk.code],
    )


async def _locked(perk_id: UUID, *, version: int) -> DefinedPerk:
    row = await fetch_one(f"SELECT {_COLUMNS} FROM perk WHERE id = $1 FOR NO KEY UPDATE", perk_id)
    if row is None or row["retired_at"] is not None:
        raise PerkUnknown(field=("perk_id",))
    if row["version"] != version:
        raise DefinitionChanged(version=row["version"], field=("version",))
    return _perk(row)


async def _changed(
    before: DefinedPerk, after: DefinedPerk, *, by: Actor, now: datetime
) -> DefinedPerk:
    was, is_now = _facts(before), _facts(after)
    differing = [name for name in was if was[name] != is_now[name]]
    if differing:
        after = replace(after, version=before.version + 1)
        await _PERKS.update([_row(after)], key=("id",))
        await announce([Event(kind="LevelsDefined", member_id=None, facts={})], now=now)
    _record(
        by,
        "perk.change" if after.retired_at is None else "perk.retire",
        after,
        before={name: was[name] for name in differing} | {"version": before.version},
        after={name: is_now[name] for name in differing} | {"version": after.version},
        now=now,
    )
    return after


def _perk(row: Row) -> DefinedPerk:
    definition = PerkDefinition(**{name: row[name] for name in PerkDefinition.__slots__})
    return DefinedPerk(definition=definition, version=row["version"], retired_at=row["retired_at"])


def _row(perk: DefinedPerk) -> dict[str, Any]:
    columns = {"version": perk.version, "retired_at": perk.retired_at}
    return asdict(perk.definition) | columns


def _facts(perk: DefinedPerk) -> dict[str, Any]:
    """What the audit log tells of a perk."""
    facts = asdict(perk.definition)
    del facts["id"]
    return facts | {"retired": perk.retired_at is not None}


def _record(
    by: Actor,
    action: str,
    perk: DefinedPerk,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    now: datetime,
) -> None:
    target = Target(kind="perk", id=f"{perk.definition.level_code}/{perk.definition.code}")
    audit.record(by, action, target=target, before=before, after=after, now=now)
