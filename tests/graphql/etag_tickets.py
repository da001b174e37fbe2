"""What becomes of tickets in random histories: what members tell us, and what staff does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import feedback
from domain.errors import Refusal
from domain.feedback import (
    AnswerTicket,
    AskMember,
    AssignTicket,
    MergeTickets,
    NoteTicket,
    ReopenTicket,
    ResolveTicket,
    Topic,
)
from domain.storage import fetch_all
from tests.domain.rewards.counter import CLERK
from tests.graphql.etag_programme import ProgrammeSteps
from tests.graphql.gateway import global_id
from tests.graphql.programme import CLERK as LOGIN

ACTS: Final = ("answer", "ask", "note", "resolve", "assign", "reopen", "merge")


@dataclass(slots=True)
class TicketSteps(ProgrammeSteps):
    """Steps about tickets. What cannot be done to a ticket as it stands is refused."""

    async def write_to_us(self) -> None:
        """A member files a ticket, says more in one, or says how it was."""
        member = self.chance.choice(self.members)
        token, filed = self.token_of(member), await self._tickets(member.member)
        name, given = "SubmitFeedback", {"kind": "LOSS", "topic": "delivery", "text": "没有了"}
        if filed and self.chance.random() < 0.7:
            name = self.chance.choice(["ReplyTicket", "RateTicket"])
            given = {"ticketId": global_id("Ticket", self.chance.choice(filed))}
            given |= {"text": self.chance.choice(["还有吗", "好的"])}
        more: dict[str, Any] = {"idempotencyKey": uuid7().hex}
        if name == "RateTicket":
            more = {"experience": self.chance.randint(1, 5)}
        await self.step(name, lambda: self.gateway.send(name, token, input=given | more))

    async def serve(self) -> None:
        """Staff does something to a ticket, or to two."""
        now = self.gateway.clock.now()
        filed = await self._tickets(self._someone())
        if not filed:
            return
        chosen = self.chance.choice(filed)
        act = self.chance.choice(ACTS)
        named: dict[str, Any] = {"ticket_id": chosen, "idempotency_key": uuid7().hex}
        by: dict[str, Any] = {"by": CLERK, "now": now}
        others = [one for one in filed if one != chosen] or [chosen]
        doing: dict[str, Callable[[], Awaitable[object]]] = {
            "answer": lambda: feedback.answer_ticket(AnswerTicket(text="好", **named), **by),
            "ask": lambda: feedback.ask_member(AskMember(text="哪个？", **named), **by),
            "note": lambda: feedback.note_ticket(NoteTicket(text="急", **named), **by),
            "resolve": lambda: feedback.resolve_ticket(
                ResolveTicket(cause_code="late", **named), **by
            ),
            "assign": lambda: feedback.assign_ticket(AssignTicket(login=LOGIN, **named), **by),
            "reopen": lambda: feedback.reopen_ticket(ReopenTicket(**named), **by),
            "merge": lambda: feedback.merge_tickets(
                MergeTickets(duplicate_ids=others[:1], **named), **by
            ),
        }
        await self.step(act, partial(unless_refused, doing[act]))

    async def tidy_tickets(self) -> None:
        """The workers note what was missed, and close what nobody says more in."""
        now = self.gateway.clock.now()

        async def work() -> None:
            await feedback.watch_deadlines(now=now, within_s=60)
            await feedback.close_silent(now=now)

        await self.step("tidy", work)

    async def rename_topic(self) -> None:
        """What feedback may be about gets another name."""
        now = self.gateway.clock.now()
        [known] = [one for one in await feedback.topics() if one.code == "delivery"]
        named = Topic(
            code=known.code,
            name_zh=self.chance.choice(["配送", "物流"]),
            name_en="Delivery",
            version=known.version,
        )
        await self.step("name", lambda: feedback.define_topic(named, by=CLERK, now=now))

    async def _tickets(self, member_id: UUID) -> list[UUID]:
        rows = await fetch_all("SELECT id FROM ticket WHERE member_id = $1 ORDER BY id", member_id)
        return [row["id"] for row in rows]


async def unless_refused(act: Callable[[], Awaitable[object]]) -> None:
    """Do it where it can be done."""
    with suppress(Refusal):
        await act()
