"""What the demo's members are recommended: consents, new products, a model, letters."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from api.demo.programme import THEMES
from api.settings import Settings
from domain import catalogue, recommendations
from domain.catalogue import CatalogueItem
from domain.clock import Clock
from domain.members import SetConsent
from domain.recommendations import MARKETING, PERSONALIZATION, TrainingUnderWay

_LETTERS_WITHIN_S: Final = 30.0

# The theme, the title, the price in yuan, from which level on, and how many days ago it came.
_NEW_PRODUCTS: Final = [
    ("tea", "明前安吉白茶 50g", 268, None, 1),
    ("coffee", "瑰夏日晒 100g", 188, None, 3),
    ("tea", "古树普洱 藏家礼盒", 888, "gold", 2),
]


def new_products(now: datetime) -> list[CatalogueItem]:
    """Products that came lately, one of them for some levels alone."""
    return [
        CatalogueItem(
            code=f"new-{theme}-{number:02}",
            title=title,
            theme=THEMES[theme],
            image_url=f"https://img.jifen.example/products/new-{theme}-{number:02}.png",
            price_fen=yuan * 100,
            level_code=level,
            introduced_at=now - timedelta(days=days),
        )
        for number, (theme, title, yuan, level, days) in enumerate(_NEW_PRODUCTS, 1)
    ]


async def agree_to_recommendations(member_ids: Sequence[UUID], *, now: datetime) -> None:
    """Every second member wants to be recommended things, and every fourth to be written to."""
    for purpose, each in ((PERSONALIZATION, 2), (MARKETING, 4)):
        for member_id in member_ids[::each]:
            said = SetConsent(member_id=member_id, purpose=purpose, granted=True, version="1")
            await recommendations.set_consent(said, now=now)


async def open_recommendations(settings: Settings, *, clock: Clock) -> None:
    """Introduce products, train a model and send letters, unless there is a model already.

    One that is a day old is trained anew by whoever does the work of the background.
    """
    if await recommendations.active_model() is not None:
        return
    now = clock.now()
    await catalogue.upsert_products(new_products(now), now=now)
    with suppress(TrainingUnderWay):
        await recommendations.train(
            settings.recommendations.scoring,
            clock=clock,
            held_out=settings.recommendations.held_out,
        )
        pause = timedelta(days=settings.work.letter_pause_days)
        await recommendations.send_letters(pause=pause, now=clock.now(), within_s=_LETTERS_WITHIN_S)
