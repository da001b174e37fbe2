"""ETags: answers that a client need not fetch again.

A GET of a document that the server knows by its hash is answered with a tag, and with 304 when the
client shows the tag that it would get. The tag is made of everything that the answer is made of:
who asks, in which language, what, of which build, and the revision of what there is to read
(`domain.revisions`). Answers with errors have none, nor has what a revision does not cover (see
`schema.fields.computed`).

Tags are weak: the same one stands for the answer as it is and compressed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

import orjson
from starlette.responses import Response

from api.graphql_request import GraphQLRequest
from api.persisted.finding import Found
from api.transport import VARY
from domain.access import Caller
from domain.members import Member
from domain.revisions import Revision
from domain.storage import StorageFault
from resolvers.context import RequestContext
from schema.building import JifenSchema
from schema.documents import InvalidDocument, PreparedDocument


class Revise(Protocol):
    """Reads the revision of what a member, or whoever is none, can read: `revisions.revision`."""

    def __call__(self, member_id: UUID | None, *, now: datetime) -> Awaitable[Revision]:
        """The revision as of `now`."""
        ...


TAGGED: Final = {"cache-control": "private, no-cache"}


@dataclass(frozen=True, slots=True)
class Conditional:
    """Makes the tags of one build."""

    schema: JifenSchema
    build: str

    async def etag(
        self, asked: GraphQLRequest, found: Found, *, context: RequestContext, revise: Revise
    ) -> str | None:
        """The tag of the answer that there will be if it has no error. One statement at most."""
        if found.digest is None or found.text is None:
            return None
        try:
            prepared = self.schema.prepare(found.text)
            name = prepared.operation_name(asked.operation_name)
            if not _is_covered(prepared, name, caller=context.caller):
                return None
            revision = await revise(context.member_id, now=context.now)
        except (InvalidDocument, LookupError, StorageFault):
            return None  # Whoever runs the operation says what is wrong.
        parts = (
            self.build,
            found.digest,
            name,
            asked.variables or {},
            context.language,
            _who(context.caller),
            # Read with the token, before the revision: it may be older than that.
            context.principal if isinstance(context.principal, Member) else None,
            [revision.member, revision.programme, str(revision.today)],
            [None if moment is None else str(moment) for moment in revision.moments],
        )
        digest = hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS))
        return f'W/"{digest.hexdigest()[:40]}"'


def is_shown(etag: str, if_none_match: str | None) -> bool:
    """Whether the client shows this tag, weakly compared. `*` shows none."""
    shown = (one.strip().removeprefix("W/") for one in (if_none_match or "").split(","))
    return etag.removeprefix("W/") in shown


def not_modified(etag: str) -> Response:
    """The answer to who has it already."""
    return Response(status_code=304, headers={"etag": etag, "vary": VARY, **TAGGED})


def _is_covered(prepared: PreparedDocument, name: str | None, *, caller: Caller | None) -> bool:
    return name in prepared.needs.versioned and all(
        requirement.policy.admits(caller) for requirement in prepared.needs.requirements[name]
    )


def _who(caller: Caller | None) -> list[object]:
    if caller is None:
        return []
    return [caller.kind, str(caller.subject), sorted(caller.scopes), sorted(caller.roles)]
