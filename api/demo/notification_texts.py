"""What the demo's shop tells its members in words of its own; the rest is told as it comes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.cli.operators import operator
from domain import notifications
from domain.notifications import NotificationText

TEXTS: Final = {
    "LEVEL_REACHED": NotificationText(
        title_zh="茶语会员｜恭喜升级为{level}",
        title_en="Teatalk Club | You are {level} now",
        body_zh="感谢一路相伴。{level}的新权益已经生效，去看看吧。",
        body_en="Thank you for staying with us. What comes with {level} is yours from now on.",
        link="/levels",
    ),
    "TICKET_ANSWERED": NotificationText(
        title_zh="茶语客服回复了您（{number}）",
        title_en="Teatalk Club answered you ({number})",
        # Short enough for the twenty characters of a subscribe message, as all of tickets.
        body_zh="反馈 {number} 有新回复",
        body_en="There is something new in {number}. Open it to read on.",
        link="/tickets/{ticket}",
    ),
    "TICKET_ASKED": NotificationText(
        title_zh="茶语客服想问您（{number}）",
        title_en="Teatalk Club has a question ({number})",
        body_zh="反馈 {number} 等待您回复",
        body_en="We need your answer to go on with {number}.",
        link="/tickets/{ticket}",
    ),
}


async def open_notification_texts(*, now: datetime) -> None:
    """Give them, where staff has given none."""
    known = {one.kind: one.text for one in await notifications.defined_texts()}
    for kind, text in TEXTS.items():
        if not known[kind].version:
            await notifications.define_notification_text(kind, text, by=operator(), now=now)
