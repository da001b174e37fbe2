"""What members are told who write while nobody is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

_DAYS_ZH: Final = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_DAYS_EN: Final[Sequence[str]] = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
_WEEK: Final = timedelta(days=7)


def off_hours_notice(
    back: datetime, *, submitted_at: datetime, language: Literal["zh", "en"]
) -> str:
    """That nobody is there now, and since when somebody is: `back`, by the shop's wall clock.

    Within a week the day is called by its name, after that by its date.
    """
    written = submitted_at.astimezone(back.tzinfo)
    soon = back.date() - written.date() < _WEEK
    if language == "zh":
        if back.date() == written.date():
            day = "今天"
        elif soon:
            day = _DAYS_ZH[back.weekday()]
        else:
            day = f"{back.month}月{back.day}日"
        return f"现在是非服务时间，我们将于{day} {back:%H:%M} 恢复服务。"
    if back.date() == written.date():
        day = "today"
    elif soon:
        day = f"on {_DAYS_EN[back.weekday()]}"
    else:
        day = f"on {back:%Y-%m-%d}"
    return f"Nobody is here right now; we are back {day} at {back.hour}:{back:%M}."
