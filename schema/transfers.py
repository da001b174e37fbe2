"""Points that one member gives to another."""

from __future__ import annotations

import strawberry

from domain import ledger
from resolvers import transfers as resolvers
from schema.charging import Sensitive
from schema.fields import Info, input_type, object_type, view
from schema.ledger import LedgerEntry
from schema.member_references import MemberReference
from schema.mutations import Payload, mutation
from schema.policies import OWNER
from schema.scalars import Points

TRANSFERS = Sensitive("transfer", runs_without_redis=True)


@input_type()
class TransferPointsInput:
    """What to give to whom."""

    to_member: MemberReference
    """Whom: by `id`, which the other member hands out, and in no other way."""

    points: Points
    """How many, at least 1."""

    note: str | None = None
    """A word for the other member, at most 200 characters."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@object_type(policy=OWNER)
class TransferPointsPayload(Payload):
    """What giving points led to."""

    entry: LedgerEntry | None = None
    """The entry in the giver's journal; null when it was refused."""


@mutation(OWNER, sensitive=TRANSFERS)
async def transfer_points(info: Info, input: TransferPointsInput) -> TransferPointsPayload:
    """Give points to another member; they keep the day on which they expire."""
    command = ledger.TransferPoints(
        member_id=info.context.require_member(),
        to_member=input.to_member.value(field=["toMember"]),
        points=input.points,
        idempotency_key=input.idempotency_key,
        note=input.note,
    )
    entry = await resolvers.transfer_points(info.context, command)
    return TransferPointsPayload(entry=view(entry))
