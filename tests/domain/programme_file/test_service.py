"""When service is there and what it promises goes into a file and comes out of it."""

from __future__ import annotations

from typing import Final

import pytest

from domain import feedback
from domain.errors import ProgrammeFileInvalid
from domain.feedback import FeedbackKind, Hours, Promise
from domain.programme_file import export_programme
from tests.domain.feedback.filing import open_shop
from tests.domain.programme_file.files import take_in
from tests.graphql.kept import everything_kept

pytestmark = pytest.mark.usefixtures("database")

SERVICE: Final = """\
service_calendar:
  time_zone: Europe/Berlin
  week:
    monday: "09:00-12:00, 13:00-20:00"
    saturday: "10:00-24:00"
  exceptions:
    "2026-12-25": closed
    "2026-12-27": "10:00-14:00"
service_levels:
  - answer_minutes: 480
  - kind: COMPLAINT
    topic: delivery
    level: gold
    answer_minutes: 60
    resolve_minutes: 600
    resolve_points: 100
    priority: 4
"""


async def test_what_goes_in_comes_out_and_a_second_time_changes_nothing() -> None:
    await open_shop()
    changes = [str(one) for one in await take_in(f"jifen: 1\n{SERVICE}")]
    assert "  service_calendar.time_zone: Asia/Shanghai -> Europe/Berlin" in changes
    assert "+ service_calendar.exceptions.2026-12-25: closed" in changes
    assert "+ service_levels[COMPLAINT/delivery/gold].answer_minutes: 60" in changes
    assert (await export_programme()).endswith(SERVICE)
    calendar = await feedback.service_calendar()
    assert (calendar.version, calendar.week[5]) == (2, (Hours(600, 1_440),))
    levels = await feedback.service_levels_in_force()
    assert levels.version == 2
    assert levels.promises[1] == Promise(
        kind=FeedbackKind.COMPLAINT,
        topic="delivery",
        level="gold",
        answer_minutes=60,
        resolve_minutes=600,
        resolve_points=100,
        priority=4,
    )
    before = await everything_kept()
    assert await take_in(f"jifen: 1\n{SERVICE}", check_only=True) == []
    assert await everything_kept() == before
    assert await take_in(await export_programme()) == []
    assert (await feedback.service_calendar()).version == 2


FLAWED: Final = {
    "service_calendar.time_zone": ("Europe/Berlin", "Middle/Earth"),
    "service_calendar.week.monday": ("09:00-12:00, 13:00", "09:00-14:00, 13:00"),
    "service_calendar.week.saturday": ("10:00-24:00", "10:00-24:01"),
    "service_calendar.week.someday": ("saturday", "someday"),
    "service_calendar.exceptions.2026-13-25": ("2026-12-25", "2026-13-25"),
    "service_calendar.exceptions.2026-12-27": ("10:00-14:00", "14:00-10:00"),
    "service_levels[0].answer_minutes": ("answer_minutes: 480", "answer_minutes: 0"),
    "service_levels[1].kind": ("COMPLAINT", "MOOD"),
    "service_levels[1].topic": ("delivery", "weather"),
    "service_levels[1].level": ("gold", "tin"),
    "service_levels[1].priority": ("priority: 4", "priority: 5"),
}


@pytest.mark.parametrize("path", FLAWED)
async def test_what_is_wrong_is_told_by_its_place(path: str) -> None:
    await open_shop()
    before = await everything_kept()
    text = f"jifen: 1\n{SERVICE.replace(*FLAWED[path], 1)}"
    with pytest.raises(ProgrammeFileInvalid) as refused:
        await take_in(text)
    [problem] = refused.value.problems
    assert problem.path == path
    assert await everything_kept() == before
