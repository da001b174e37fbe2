"""The programme: its name, its time zone and its currency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from domain import audit
from domain.audit import Actor, Target
from domain.errors import DefinitionChanged, Flaws, InvalidInput
from domain.outbox import Event, announce
from domain.program.models import Program
from domain.storage import Table, fetch_one, transaction
from domain.texts import clean_text

NAME_CHARACTERS_MAX: Final = 100
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What every member sees of the programme. `zone` decides its local midnights.

    `version` counts the changes by staff, 0 where nobody has set it up; two that differ in it alone
    are equal.
    """

    name_zh: str
    name_en: str
    zone: ZoneInfo
    currency: str
    version: int = field(default=0, compare=False)


DEFAULT = Programme(
    name_zh="积分会员", name_en="Jifen Rewards", zone=ZoneInfo("Asia/Shanghai"), currency="CNY"
)
"""What holds until a merchant sets up a programme of its own."""

_ROWS: Final = Table(
    "program",
    id="smallint",
    name_zh="text",
    name_en="text",
    time_zone="text",
    currency="text",
    version="bigint",
)
_READ: Final = "SELECT name_zh, name_en, time_zone, currency, version FROM program WHERE id = 1"


async def program() -> Programme:
    """The programme as it is set up now."""
    return await _read(_READ)


async def set_up(programme: Programme, *, now: datetime) -> None:
    """Set the programme up, or change it."""
    columns = {
        "name_zh": programme.name_zh,
        "name_en": programme.name_en,
        "time_zone": programme.zone.key,
        "currency": programme.currency,
    }

    async def work() -> None:
        await Program.update_or_create(id=1, defaults=columns)
        await announce([Event(kind="ProgrammeChanged", member_id=None, facts={})], now=now)

    await transaction(work)


async def change_programme(programme: Programme, *, by: Actor, now: datetime) -> Programme:
    """Change the programme that was read at `programme.version`; what is the same stays so.

    Moments that were decided before, such as those at which points expire, stay as they are.
    Refused: InvalidInput, DefinitionChanged.
    """
    _flaws(programme).refuse_first()

    async def work() -> Programme:
        before = await _read(f"{_READ} FOR NO KEY UPDATE")
        if before.version != programme.version:
            raise DefinitionChanged(version=before.version, field=("version",))
        after = programme
        if after != before or not before.version:
            after = replace(programme, version=before.version + 1)
            row = _facts(after) | {"id": 1, "version": after.version}
            if before.version:
                await _ROWS.update([row], key=("id",))
            else:
                await _ROWS.insert([row])
            await announce([Event(kind="ProgrammeChanged", member_id=None, facts={})], now=now)
        was, is_now = _facts(before), _facts(after)
        differing = [name for name in was if was[name] != is_now[name]]
        audit.record(
            by,
            "programme.change",
            target=Target(kind="programme", id="1"),
            before={name: was[name] for name in differing} | {"version": before.version},
            after={name: is_now[name] for name in differing} | {"version": after.version},
            now=now,
        )
        return after

    return await transaction(work)


def programme_flaws(programme: Programme) -> Sequence[InvalidInput]:
    """Every rule that the programme breaks by itself, at most one for each field."""
    return _flaws(programme).found


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name (`Asia/Shanghai`); InvalidInput where there is none."""
    if name not in _zones():
        raise InvalidInput(field=("time_zone",), rule="the name of a time zone")
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    """The names that mean the same on every machine, as `localtime` does not."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


async def _read(statement: str) -> Programme:
    row = await fetch_one(statement)
    if row is None:
        return DEFAULT
    return Programme(
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        zone=ZoneInfo(row["time_zone"]),
        currency=row["currency"],
        version=row["version"],
    )


def _facts(programme: Programme) -> dict[str, Any]:
    facts = asdict(programme)
    del facts["version"]
    facts["time_zone"] = facts.pop("zone").key
    return facts


def _flaws(programme: Programme) -> Flaws:
    flaws = Flaws()
    for name in ("name_zh", "name_en"):
        with flaws.noted():
            clean_text(
                getattr(programme, name),
                field=(name,),
                characters_min=1,
                characters_max=NAME_CHARACTERS_MAX,
            )
    if not _CURRENCY.fullmatch(programme.currency):
        rule = "three capital letters, as ISO 4217 has them"
        flaws.found.append(InvalidInput(field=("currency",), rule=rule))
    return flaws


TIME_ZONE = f"COALESCE((SELECT time_zone FROM program WHERE id = 1), '{DEFAULT.zone.key}')"
"""The name of the programme's time zone: for statements of other contexts."""

__all__ = [
    "DEFAULT",
    "TIME_ZONE",
    "Programme",
    "change_programme",
    "program",
    "programme_flaws",
    "set_up",
    "zone_of",
]
