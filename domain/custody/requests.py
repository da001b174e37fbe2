"""What the requests of a member about their own record have in common: keys, answered once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from domain import idempotency, members
from domain.storage import transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request of a member: `what` they ask for, the key that they chose, and the input's fields.

    Nothing of the fields is kept but their digests.
    """

    what: str
    member_id: UUID
    key: str
    fields: Mapping[str, object]


async def answer_once(
    asked: Asked, work: Callable[[], Awaitable[Any]], *, now: datetime
) -> tuple[Any, bool]:
    """The answer of `work`, a JSON value, or the one that the key was given before.

    Runs in one transaction; the second value says whether the answer is an earlier one. Refused:
    InvalidInput for the key, IdempotencyConflict where it came with other fields.
    """
    idempotency.checked_key(asked.key)
    digests = idempotency.digests(asked.fields)
    what = f"custody.{asked.what}"

    async def once() -> tuple[Any, bool]:
        known = await members.recall_own(what, asked.member_id, key=asked.key, digests=digests)
        if known is not None:
            return known.answer, True
        answer = await work()
        await members.remember_own(
            *(what, asked.member_id), key=asked.key, digests=digests, answer=answer, now=now
        )
        return answer, False

    return await transaction(once)
