"""A calendar and a policy for tests: a shop in Shanghai, nine to six but on Sundays."""

from __future__ import annotations

from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from domain.feedback import Hours, Promise, ServiceCalendar, ServiceLevels
from domain.feedback.kinds import FeedbackKind

NINE_TO_SIX: Final = (Hours(9 * 60, 18 * 60),)

SHOP: Final = ServiceCalendar(
    zone=ZoneInfo("Asia/Shanghai"),
    week=(*[NINE_TO_SIX] * 6, ()),
    exceptions={date(2026, 10, day): () for day in range(1, 8)},
)

POLICY: Final = ServiceLevels(
    promises=(
        Promise(answer_minutes=480, resolve_minutes=2_160),
        Promise(
            kind=FeedbackKind.COMPLAINT,
            answer_minutes=60,
            resolve_minutes=540,
            answer_points=50,
            resolve_points=200,
        ),
        Promise(kind=FeedbackKind.COMPLAINT, level="gold", answer_minutes=30, priority=4),
        Promise(kind=FeedbackKind.PRAISE),
    )
)
