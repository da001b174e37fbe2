"""Matters of a member's: told with a picture, told twice, answered, resolved and rated."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from domain import feedback, members
from domain.feedback import MergeTickets, ServiceCalendar
from domain.mailing import Mail
from tests.domain.rewards.counter import CLERK
from tests.graphql import desk
from tests.graphql.gateway import NOW, Gateway, Session, plain_id
from tests.graphql.uploading import upload

WEEKDAYS: Final = ServiceCalendar(
    zone=ZoneInfo("Asia/Shanghai"), week=(*[desk.ALL_DAY] * 6, ()), version=1
)
"""Nobody is there on a Sunday, which is today."""


class Letterbox:
    """Keeps the last mail, for whoever reads its code."""

    mail: Mail

    async def send(self, mail: Mail) -> None:
        """It arrives."""
        self.mail = mail

    @property
    def code(self) -> str:
        """The six digits."""
        [code] = re.findall(r"\b[0-9]{6}\b", self.mail.text)
        return str(code)


async def open_desk() -> None:
    """The desk, closed today."""
    await desk.open_desk()
    await feedback.define_service_calendar(WEEKDAYS, by=CLERK, now=NOW)


async def complain(gateway: Gateway, session: Session, *, order_id: str, mark: str) -> str:
    """The id of a ticket that is done; one is merged into it, and one nobody has answered."""
    token = session.access_token
    photo = (await upload(gateway, token=token, name=f"{mark}.jpg")).json()["id"]
    told = {"text": f"{mark} text", "orderId": order_id, "attachmentIds": [photo]}
    ticket: str = (await desk.submitted(gateway, session, "ticket", **told))["id"]
    twin = (await desk.submitted(gateway, session, "twin", text=f"{mark} twin"))["id"]
    await desk.submitted(gateway, session, "unanswered", text=f"{mark} unanswered")
    duplicate = MergeTickets(
        ticket_id=_uuid(ticket), duplicate_ids=[_uuid(twin)], idempotency_key=f"{mark}-{twin}"
    )
    await feedback.merge_tickets(duplicate, by=CLERK, now=NOW)
    for name, more in (
        ("AnswerTicket", {"text": f"{mark} answer"}),
        ("ResolveTicket", {"causeCode": "late"}),
    ):
        done = await desk.do(gateway, name, ticket, key=f"{mark}-{name}", **more)
        assert done["userErrors"] == []
    rating = {"experience": 4, "expectation": 3, "text": f"{mark} rating"}
    rated = await gateway.send("RateTicket", token, input={"ticketId": ticket, **rating})
    assert rated["userErrors"] == []
    return ticket


async def confirm_email(session: Session, email: str) -> None:
    """The member's address, proved by its code."""
    box = Letterbox()
    await members.set_email(
        members.SetEmail(member_id=session.member, email=email), mails=box, now=NOW
    )
    command = members.ConfirmEmail(member_id=session.member, email=email, code=box.code)
    await members.confirm_email(command, now=NOW)


def _uuid(ticket_id: str) -> UUID:
    return UUID(plain_id(ticket_id).removeprefix("Ticket:"))
