"""Asking WeChat about texts, a few at a time, until nothing is due or one is not answered.

While WeChat is slow or away texts wait, each longer from try to try, and none is lost; a turn that
meets a failure ends, so that what is away is asked little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import random
from typing import Final, Protocol
from uuid import UUID

import structlog

from domain import members
from domain.errors import UnknownApp, WeChatUnavailable
from domain.feedback.rules import TextCheck
from domain.feedback.text_checks.queue import (
    Claimed,
    Opinion,
    claim,
    lock_writer,
    put_off,
    settle,
)
from domain.feedback.text_checks.rules import (
    checked_as,
    is_last_word,
    next_try_at,
    pieces_of,
    together,
)
from domain.members import WeChatUser
from domain.storage import inside_transaction, transaction
from domain.wechat import Errcode, TextScene, TextVerdict, WeChatFault

log = structlog.get_logger("jifen.feedback")

AT_ONCE: Final = 8
ROUNDS_MAX: Final = 100
"""After so many rounds whoever asked for the turn looks whether to stop."""


class AsksAboutTexts(Protocol):
    """WeChat, as far as it is asked about texts."""

    async def check_text(
        self, app_id: str, *, openid: str, scene: TextScene, content: str
    ) -> TextVerdict:
        """See `WeChatClient`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextChecking:
    """What a turn needs. `jitter` gives numbers from 0 to 1."""

    wechat: AsksAboutTexts
    clock: Callable[[], datetime]
    at_once: int = AT_ONCE
    jitter: Callable[[], float] = random


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTexts:
    """What a turn came to, in texts."""

    settled: int = 0
    put_off: int = 0


async def check_texts(
    checking: TextChecking, *, stopping: Callable[[], bool] = lambda: False
) -> CheckedTexts:
    """Ask about what is due. Never inside a transaction."""
    assert not inside_transaction(), "no lock is held while WeChat is waited for"
    settled = missed = 0
    for _ in range(ROUNDS_MAX):
        claimed = await claim(now=checking.clock(), count=checking.at_once)
        if not claimed:
            break
        done = await asyncio.gather(*(_check(one, checking) for one in claimed))
        settled += sum(done)
        missed += len(done) - sum(done)
        if not all(done) or stopping():
            break
    return CheckedTexts(settled=settled, put_off=missed)


async def _check(claimed: Claimed, checking: TextChecking) -> bool:
    """Ask about one text and write down what came of it: whether there is a verdict now."""
    asked = _Asked(claimed)
    try:
        opinion = await _ask(asked, checking)
    except Exception as fault:
        # What nobody thought of must not stay for ever what is tried next.
        if not isinstance(fault, WeChatUnavailable):
            log.warning("text_not_checked", error=type(fault).__name__, reason=str(fault)[:200])
        now = checking.clock()
        until = next_try_at(claimed.attempts + 1, failed_at=now, jitter=checking.jitter())
        await put_off(claimed, until=until, pieces_done=asked.pieces_done, found=asked.found)
        return False
    await settle(claimed, opinion, now=checking.clock())
    return True


class _Asked:
    """How far a text was asked about."""

    def __init__(self, claimed: Claimed) -> None:
        self.claimed = claimed
        self.pieces_done = claimed.pieces_done
        self.found = claimed.found

    def take(self, check: TextCheck, verdict: TextVerdict | None) -> None:
        """Add what was found of a piece, which tells why where it is worse than those before."""
        worst = together(self.found.check, check)
        if worst is self.found.check and self.pieces_done:
            return
        label, trace_id = (verdict.label, verdict.trace_id) if verdict else (None, None)
        self.found = Opinion(check=worst, label=label, trace_id=trace_id)


async def _ask(asked: _Asked, checking: TextChecking) -> Opinion:
    """What WeChat says of the whole text, asked about the pieces that are left."""
    users = await transaction(partial(_writer, asked.claimed.message_id))
    for piece in pieces_of(asked.claimed.text)[asked.pieces_done :]:
        verdict = await _ask_piece(piece, users, checking)
        found = TextCheck.NOT_CHECKED if verdict is None else checked_as(verdict.suggestion)
        asked.take(found, verdict)
        if is_last_word(found):
            break
        asked.pieces_done += 1
    return asked.found


async def _writer(message_id: UUID) -> list[WeChatUser]:
    """Whoever wrote the message, as WeChat knows them; nobody for one that is gone.

    Their record may have been joined to another one since the text was claimed, or parted from it:
    what WeChat knows them by has gone with it.
    """
    writer = await lock_writer(message_id)
    return [] if writer is None else await members.wechat_users(writer)


async def _ask_piece(
    piece: str, users: list[WeChatUser], checking: TextChecking
) -> TextVerdict | None:
    """WeChat's opinion; None where it knows the member in none of the programme's apps any more."""
    verdict: TextVerdict | None = None
    for user in users:
        try:
            verdict = await checking.wechat.check_text(
                user.app_id, openid=user.openid, scene=TextScene.COMMENT, content=piece
            )
        except UnknownApp:
            continue
        except WeChatFault as fault:
            if fault.errcode == Errcode.OPENID_UNKNOWN:
                continue
            raise
        if checked_as(verdict.suggestion) is not TextCheck.NOT_CHECKED:
            return verdict
    return verdict
