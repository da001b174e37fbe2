"""What is sent first under a key, so that something else can be sent under it afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from api.fake_wechat import DEMO_APP_ID
from api.telling.settings import DEMO_TEMPLATE_ID
from tests.graphql import desk
from tests.graphql.gateway import Gateway, Session, global_id
from tests.graphql.partners import Platform
from tests.graphql.programme import CLERK
from tests.graphql.uploading import uploaded

ORDERS: Final = "{ me { purchases(first: 1) { nodes { id } } } }"


@dataclass(frozen=True, slots=True)
class First:
    """What is sent first and takes effect; `others` are ids that exist, to be named instead.

    What staff try is audited, also when it is refused. A `platform` signs what it sends.
    """

    token: str
    given: dict[str, Any]
    others: dict[str, str] = field(default_factory=dict)
    audited: bool = False
    platform: Platform | None = None


async def tickets_first(
    gateway: Gateway, alice: Session, carol: Session, staff: str
) -> dict[str, First]:
    """Tickets: one for each mutation that changes it."""
    await desk.open_desk()
    filed = {
        name: (await desk.submitted(gateway, alice, name, topic="delivery"))["id"]
        for name in ("reply", "answer", "ask", "note", "resolve", "assign", "reopen", "into", "dup")
    }
    extra = (await desk.submitted(gateway, alice, "extra"))["id"]
    await desk.do(gateway, "ResolveTicket", filed["reopen"], key="first", causeCode="late")
    words = {"text": "包裹还没到"}
    others = {"ticketId": extra}
    mine = [await uploaded(gateway, token=alice.access_token) for _ in range(3)]
    theirs = [await uploaded(gateway, token=staff, ticket=filed["answer"]) for _ in range(2)]
    [bought] = (await gateway.ask(ORDERS, token=alice.access_token)).json()["data"]["me"][
        "purchases"
    ]["nodes"]
    known = {"topic": "delivery", "kind": "COMPLAINT"}
    allowed = {"appId": DEMO_APP_ID, "templateIds": [DEMO_TEMPLATE_ID]}
    return {
        "acceptSubscribeMessages": First(alice.access_token, allowed, {}),
        "submitFeedback": First(
            alice.access_token,
            {
                **known,
                **words,
                "channel": "MINI_PROGRAM",
                "attachmentIds": mine[:1],
                "orderId": bought["id"],
            },
            {
                "attachmentIds[0]": mine[2],
                "orderId": global_id("Purchase", f"{alice.member}:{UUID(int=1)}"),
            },
        ),
        "answerTicket": First(
            staff,
            {"ticketId": filed["answer"], **words, "attachmentIds": theirs[:1]},
            {**others, "attachmentIds[0]": theirs[1]},
            audited=True,
        ),
        "openTicket": First(
            staff,
            {
                **known,
                **words,
                "member": {"id": alice.member_id},
                "channel": "PHONE",
                "orderId": bought["id"],
                "shop": "静安店",
            },
            {
                "member.id": carol.member_id,
                "orderId": global_id("Purchase", f"{alice.member}:{UUID(int=1)}"),
            },
            audited=True,
        ),
        "replyTicket": First(
            alice.access_token,
            {"ticketId": filed["reply"], **words, "attachmentIds": mine[1:2]},
            {**others, "attachmentIds[0]": mine[2]},
        ),
        **_acts_first(staff, filed, extra),
    }


def _acts_first(staff: str, filed: dict[str, str], extra: str) -> dict[str, First]:
    words, others = {"text": "包裹还没到"}, {"ticketId": extra}
    spoken = {
        name: First(staff, {"ticketId": filed[each], **words}, others, audited=True)
        for name, each in (("askMember", "ask"), ("noteTicket", "note"))
    }
    return {
        **spoken,
        "resolveTicket": First(
            staff,
            {"ticketId": filed["resolve"], "causeCode": "late", **words},
            others,
            audited=True,
        ),
        "assignTicket": First(
            staff, {"ticketId": filed["assign"], "login": CLERK}, others, audited=True
        ),
        "reopenTicket": First(staff, {"ticketId": filed["reopen"]}, others, audited=True),
        "mergeTickets": First(
            staff,
            {"ticketId": filed["into"], "duplicateIds": [filed["dup"]]},
            {**others, "duplicateIds[0]": extra},
            audited=True,
        ),
    }
