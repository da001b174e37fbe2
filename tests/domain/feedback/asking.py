"""Texts of members whom WeChat knows, and asking it about them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.fake_wechat import DEMO_APP_ID, RunningFake
from domain import feedback, members
from domain.access import AccessTokens
from domain.feedback import CheckedTexts, TextChecking
from domain.members import SignInWithWeChat
from domain.storage import Row, fetch_all
from domain.wechat import WeChatClient
from tests.domain.feedback.desk import MONDAY, submit
from tests.domain.wechat.mini_program import MiniProgram


@dataclass(slots=True)
class StandingMoment:
    """A clock that is moved by hand."""

    now: datetime = MONDAY

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        """Move it."""
        self.now += timedelta(**duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The desk, WeChat, and the worker between them."""

    fake: RunningFake
    phone: MiniProgram
    moment: StandingMoment
    tokens: AccessTokens = field(repr=False)
    wechat: WeChatClient = field(repr=False)

    async def sign_in(self, openid: str, *, app_id: str = DEMO_APP_ID) -> UUID:
        """Somebody comes by the mini-program: the id of their record."""
        code = await self.phone.login(openid=openid, appId=app_id)
        signed_in = await members.sign_in_with_wechat(
            SignInWithWeChat(app_id=app_id, code=code),
            wechat=self.wechat,
            tokens=self.tokens,
            now=self.moment(),
        )
        return signed_in.member.id

    async def write(self, member_id: UUID, text: str, *, key: str | None = None) -> UUID:
        """Somebody files a ticket with this text: the id of its message."""
        made = await submit(member_id, key or text[:40], text=text, now=self.moment())
        [row] = await fetch_all("SELECT id FROM ticket_message WHERE ticket_id = $1", made.id)
        message_id: UUID = row["id"]
        return message_id

    async def turn(self, *, at_once: int = 8) -> CheckedTexts:
        """One turn of a worker."""
        checking = TextChecking(
            wechat=self.wechat, clock=self.moment, at_once=at_once, jitter=lambda: 0.0
        )
        return await feedback.check_texts(checking)

    async def checks(self) -> Counter[str]:
        """How many messages stand how."""
        rows = await fetch_all("SELECT text_check FROM ticket_message")
        return Counter(row["text_check"] for row in rows)

    async def check_of(self, message_id: UUID) -> str:
        """How one message stands."""
        [row] = await fetch_all("SELECT text_check FROM ticket_message WHERE id = $1", message_id)
        check: str = row["text_check"]
        return check

    async def row_of(self, message_id: UUID) -> Row:
        """What is kept of its check."""
        [row] = await fetch_all("SELECT * FROM text_check WHERE message_id = $1", message_id)
        return row

    @property
    def opinions(self) -> Counter[str]:
        """How often WeChat gave its opinion of each text."""
        return self.fake.state.checked

    async def breaks(self, **fault: Any) -> None:
        """WeChat's check fails so, until told otherwise."""
        await self.phone.break_endpoint("msg_sec_check", **fault)

    def mend(self) -> None:
        """WeChat is well again."""
        self.fake.state.faults.faults.clear()
