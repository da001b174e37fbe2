"""The programme: its name, its time zone and its currency."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from domain.outbox import Event, announce
from domain.program.models import Program
from domain.storage import fetch_one, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What every member sees of the programme. `zone` decides its local midnights."""

    name_zh: str
    name_en: str
    zone: ZoneInfo
    currency: str


DEFAULT = Programme(
    name_zh="积分会员", name_en="Jifen Rewards", zone=ZoneInfo("Asia/Shanghai"), currency="CNY"
)
"""What holds until a merchant sets up a programme of its own."""


async def program() -> Programme:
    """The programme as it is set up now."""
    row = await fetch_one("SELECT name_zh, name_en, time_zone, currency FROM program WHERE id = 1")
    if row is None:
        return DEFAULT
    return Programme(
        name_zh=row["name_zh"],
        name_en=row["name_en"],
        zone=ZoneInfo(row["time_zone"]),
        currency=row["currency"],
    )


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


TIME_ZONE = f"COALESCE((SELECT time_zone FROM program WHERE id = 1), '{DEFAULT.zone.key}')"
"""The name of the programme's time zone: for statements of other contexts."""

__all__ = ["DEFAULT", "TIME_ZONE", "Programme", "program", "set_up"]
