"""Members whom other systems bring: each external reference leads to one member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.members.joining import (
    SUBJECT_CHARACTERS_MAX,
    Known,
    insert_identities,
    insert_members,
)
from domain.members.references import ByExternalReference, MemberRef
from domain.members.values import IdentityKind
from domain.outbox import Event, announce
from domain.storage import execute, fetch_all, transaction
from domain.texts import is_identity, is_storable


async def register_external_members(
    references: Sequence[MemberRef], *, now: datetime
) -> Mapping[str, UUID]:
    """The member of each external reference among these; unknown references join now.

    A fixed number of statements whatever the batch. Any number of callers may register the same
    references at once: each reference comes to one member. What cannot be stored (empty, longer
    than 128 characters, control characters) joins nobody and is not in the answer; what has unseen
    characters (`is_identity`) is answered where it is known from before, and joins nobody.
    """
    # In one order for everybody: two batches never wait for each other in a circle.
    wanted = sorted(
        {
            ref.reference
            for ref in references
            if isinstance(ref, ByExternalReference)
            and is_storable(ref.reference, characters_max=SUBJECT_CHARACTERS_MAX)
        }
    )

    async def work() -> Mapping[str, UUID]:
        known = await _members_of(wanted)
        missing = [
            reference
            for reference in wanted
            if reference not in known
            and is_identity(reference, characters_max=SUBJECT_CHARACTERS_MAX)
        ]
        return {**known, **await _join(missing, now=now)} if missing else known

    return await transaction(work)


async def _join(missing: Sequence[str], *, now: datetime) -> Mapping[str, UUID]:
    """Insert a member for each reference, unless a competitor's is there first."""
    fresh = {reference: uuid7() for reference in missing}
    await insert_members(fresh.values(), now=now)
    await insert_identities(
        ((member_id, _known(reference)) for reference, member_id in fresh.items()),
        now=now,
        or_ignore=True,
    )
    # The insert waited for competitors to commit, so this read sees all that they wrote.
    joined = await _members_of(missing)
    lost = [fresh[reference] for reference in missing if joined[reference] != fresh[reference]]
    if lost:
        await execute("DELETE FROM member WHERE id = ANY($1::uuid[])", lost)
    await announce(
        (
            Event(kind="MemberJoined", member_id=fresh[reference], facts={"via": "external"})
            for reference in missing
            if joined[reference] == fresh[reference]
        ),
        now=now,
    )
    return joined


async def _members_of(references: Sequence[str]) -> Mapping[str, UUID]:
    rows = await fetch_all(
        "SELECT subject, member_id FROM member_identity"
        " WHERE kind = 'external' AND app_id = '' AND subject = ANY($1::text[])",
        references,
    )
    return {row["subject"]: row["member_id"] for row in rows}


def _known(reference: str) -> Known:
    return Known(kind=IdentityKind.EXTERNAL, app_id="", subject=reference)
