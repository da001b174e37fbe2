"""What members may have done with all that is held of them: told to them, or forgotten."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import custody
from domain.custody import ExportStatus
from resolvers import custody as resolvers
from schema.cost import Cost
from schema.fields import Info, computed, enum_type, input_type, object_type, view
from schema.mutations import Payload, mutation
from schema.node import Node, node_type, parse_uuid
from schema.policies import OWNER
from schema.scalars import URL

enum_type(
    ExportStatus,
    descriptions={
        "QUEUED": "It waits for its turn.",
        "RUNNING": "It is being written.",
        "READY": "It is written; its link is good once, until it expires.",
        "FAILED": "It could not be written. Ask for another.",
        "EXPIRED": "The time of its link is over. Ask for another.",
    },
)


def parse_export_key(text: str) -> tuple[UUID, UUID]:
    """The member and the export in an export's key."""
    member_id, _, export_id = text.partition(":")
    return parse_uuid(member_id), parse_uuid(export_id)


@node_type(
    policy=OWNER,
    key="key",
    load=resolvers.export_node,
    parse=parse_export_key,
    reads=custody.DataExport,
)
class DataExport(Node):
    """A file of all that is held of a member, as they asked for it. Ask again until it is ready."""

    requested_at: datetime
    """When it was asked for."""

    expires_at: datetime | None
    """When its link ends, a day after it was written; null before."""

    # These change without an event, as it is written and when its time is over: no ETag.
    @computed(OWNER, cost=Cost(own=1))
    async def status(self) -> ExportStatus:
        """Where it stands."""
        export: custody.DataExport = view(self)
        return export.status

    @computed(OWNER, cost=Cost(own=1))
    async def progress(self) -> int:
        """How much of it is written, 0 to 100 percent."""
        export: custody.DataExport = view(self)
        return export.percent

    @computed(OWNER, cost=Cost(own=1))
    async def url(self, info: Info) -> URL | None:
        """Where to fetch it, a ZIP with a line of JSON for each row of each table. Good once, for
        whoever has it; null while it is not ready, once it was fetched, and when it has expired."""
        export: custody.DataExport = view(self)
        if export.token is None:
            return None
        base = info.context.services.public_url
        return URL(f"{base}/exports/{export.id}?token={export.token}")


@input_type()
class ExportMyDataInput:
    """A wish for all that is held of the member."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same export."""


@input_type()
class RequestAccountDeletionInput:
    """A wish to be forgotten."""

    reason: str | None = None
    """Why, in the member's own words, at most 500 characters. They are erased with the account."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@input_type()
class CancelAccountDeletionInput:
    """A change of mind."""

    idempotency_key: strawberry.ID
    """1 to 128 characters of the client's choice: sent again, it gives the same answer."""


@object_type(policy=OWNER)
class ExportMyDataPayload(Payload):
    """What asking for the data led to."""

    export: DataExport | None = None
    """The export, which is under way; null when it was refused."""


@object_type(policy=OWNER)
class RequestAccountDeletionPayload(Payload):
    """What asking for the deletion led to."""

    deletes_at: datetime | None = None
    """When the account is deleted; until then all goes on as before, and it can be cancelled."""


@object_type(policy=OWNER)
class CancelAccountDeletionPayload(Payload):
    """What changing one's mind led to."""

    cancelled: bool | None = None
    """Whether a deletion was under way, and is not any more; null when the wish was refused."""


@mutation(OWNER)
async def export_my_data(info: Info, input: ExportMyDataInput) -> ExportMyDataPayload:
    """Ask for all that is held of the member, at most three times in 24 hours."""
    export = await resolvers.export_my_data(info.context, idempotency_key=input.idempotency_key)
    return ExportMyDataPayload(export=view(export))


@mutation(OWNER)
async def request_account_deletion(
    info: Info, input: RequestAccountDeletionInput
) -> RequestAccountDeletionPayload:
    """Delete the account at the end of the cooling period; points and coupons are lost then."""
    deletes_at = await resolvers.request_account_deletion(
        info.context, reason=input.reason, idempotency_key=input.idempotency_key
    )
    return RequestAccountDeletionPayload(deletes_at=deletes_at)


@mutation(OWNER)
async def cancel_account_deletion(
    info: Info, input: CancelAccountDeletionInput
) -> CancelAccountDeletionPayload:
    """Keep the account after all, as long as the cooling period runs."""
    cancelled = await resolvers.cancel_account_deletion(
        info.context, idempotency_key=input.idempotency_key
    )
    return CancelAccountDeletionPayload(cancelled=cancelled)
