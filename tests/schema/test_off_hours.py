"""What members read who write while nobody is there."""

from __future__ import annotations

from datetime import datetime

import pytest

from schema.off_hours import off_hours_notice


@pytest.mark.parametrize(
    ("submitted", "back", "zh", "en"),
    [
        (
            "2026-11-28T20:00:00+08:00",
            "2026-11-30T09:00:00+08:00",
            "现在是非服务时间，我们将于周一 09:00 恢复服务。",
            "Nobody is here right now; we are back on Monday at 9:00.",
        ),
        (
            "2026-11-30T00:30:00Z",
            "2026-11-30T13:05:00+08:00",
            "现在是非服务时间，我们将于今天 13:05 恢复服务。",
            "Nobody is here right now; we are back today at 13:05.",
        ),
        (
            "2026-09-30T20:00:00+08:00",
            "2026-10-08T09:00:00+08:00",
            "现在是非服务时间，我们将于10月8日 09:00 恢复服务。",
            "Nobody is here right now; we are back on 2026-10-08 at 9:00.",
        ),
        (
            "2026-09-24T20:00:00+08:00",
            "2026-10-01T09:00:00+08:00",
            "现在是非服务时间，我们将于10月1日 09:00 恢复服务。",
            "Nobody is here right now; we are back on 2026-10-01 at 9:00.",
        ),
    ],
)
def test_when_somebody_is_back_is_told_in_both_languages(
    submitted: str, back: str, zh: str, en: str
) -> None:
    """By its name within a week, by its date from the same weekday on."""
    moments = datetime.fromisoformat(back), datetime.fromisoformat(submitted)
    for language, text in (("zh", zh), ("en", en)):
        told = off_hours_notice(moments[0], submitted_at=moments[1], language=language)  # type: ignore[arg-type]
        assert told == text
