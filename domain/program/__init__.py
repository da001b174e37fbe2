"""The programme: its name, its time zone and its currency."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from domain.program.models import Program
from domain.storage import fetch_one


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


async def set_up(programme: Programme) -> None:
    """Set the programme up, or change it."""
    await Program.update_or_create(
        id=1,
        defaults={
            "name_zh": programme.name_zh,
            "name_en": programme.name_en,
            "time_zone": programme.zone.key,
            "currency": programme.currency,
        },
    )


__all__ = ["DEFAULT", "Programme", "program", "set_up"]
