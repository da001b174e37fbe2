"""Keys that members choose for their own requests: each is answered once.

A request whose answer got lost is sent again, and by then the record that sent it may have been
joined to another one of the person. So a key is looked for among all records that are the member's
now. It stays with the record that used it: where two records are parted again, so are their keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain import idempotency
from domain.errors import IdempotencyConflict
from domain.idempotency import Digests
from domain.storage import Write, write_together

# Up to the record that the person has now, and from there down to each that leads to it.
_SCOPES: Final = """
    WITH RECURSIVE above (id) AS (
        SELECT $3::uuid
        UNION
        SELECT (SELECT m.merged_into FROM member AS m WHERE m.id = a.id)
        FROM above AS a WHERE a.id IS NOT NULL
    ), record (id) AS (
        SELECT id FROM above WHERE id IS NOT NULL
        UNION
        SELECT m.id FROM record AS r JOIN member AS m ON m.merged_into = r.id
        WHERE m.merged_into IS NOT NULL
    )
    SELECT $2::text || ':' || id::text AS scope FROM record
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a key was answered, a JSON value, and the member's record that used it."""

    record_id: UUID
    answer: Any


async def recall_own(what: str, member_id: UUID, *, key: str, digests: Digests) -> Answered | None:
    """What the member was answered who asks for `what` with the key, None for a new request.

    One statement. Inside the transaction that will remember, under a lock that a merge takes too.
    Where two records used the key before they were one person's, each for something else, the
    request of these digests is meant. Refused: IdempotencyConflict, where none is that.
    """
    found = await idempotency.recall_among(_SCOPES, what, member_id, key=key, digests=digests)
    if not found:
        return None
    own = own_scope(what, member_id)
    scope, earlier = min(
        found.items(), key=lambda one: (bool(one[1].differing), one[0] != own, one[0])
    )
    if earlier.differing:
        raise IdempotencyConflict(field=("idempotency_key",), key=key, differing=earlier.differing)
    return Answered(record_id=UUID(scope.removeprefix(f"{what}:")), answer=earlier.result)


async def remember_own(
    what: str,
    member_id: UUID,
    *,
    key: str,
    digests: Digests,
    answer: object,
    now: datetime,
) -> None:
    """Keep the answer, a JSON value, for whoever of the person's records uses the key again.

    `member_id` is the record that has the effect.
    """
    written = remembering_own(what, member_id, key=key, digests=digests, answer=answer, now=now)
    await write_together([written])


def remembering_own(
    what: str,
    member_id: UUID,
    *,
    key: str,
    digests: Digests,
    answer: object,
    now: datetime,
) -> Write:
    """What `remember_own` writes, for whoever writes it together with the effect."""
    return idempotency.remembering(own_scope(what, member_id), {key: (digests, answer)}, now=now)


def own_scope(what: str, member_id: UUID) -> str:
    """Where the keys are known by which the record asks for `what`."""
    return f"{what}:{member_id}"
