"""Numbers that a member gave up while a merge can be undone: they may be somebody else's.

A number that came with another record leads to nobody once the member binds a new one. It stays
sealed under the id of the record that it came from, so that staff who part the two can give it
back, and goes for good as soon as they cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from domain.members.merging import MERGE_UNDOABLE
from domain.members.phone_keys import phone_vault
from domain.members.phones import lock_phones, members_by_phones, open_row
from domain.members.values import IdentityKind
from domain.storage import Row, execute, fetch_all, inside_transaction


async def replace_phones(member_id: UUID, *, now: datetime) -> int:
    """Let no number lead to the member any more, as another one is going to; how many did."""
    assert inside_transaction(), "an identity and its number go together"
    await execute(
        """
        UPDATE member_phone SET
            member_id = (SELECT g.loser_id FROM member_merge g WHERE g.id = came_with),
            bound_at = (
                SELECT i.bound_at FROM member_identity i
                WHERE i.member_id = member_phone.member_id AND i.id = member_phone.id
            ),
            came_with = NULL
        WHERE member_id = $1 AND EXISTS (
            SELECT 1 FROM member_merge g
            WHERE g.id = came_with AND g.keeper_id = $1 AND g.undone_at IS NULL
                AND g.merged_at > $2
        )
        """,
        *(member_id, now - MERGE_UNDOABLE),
    )
    await execute("DELETE FROM member_phone WHERE member_id = $1", member_id)
    return await execute(
        "DELETE FROM member_identity WHERE member_id = $1 AND kind = 'phone'", member_id
    )


async def lock_given_up_phones(member_id: UUID) -> None:
    """Lock the numbers that `return_phones` is going to give back: numbers before records."""
    await lock_phones((await _given_up(member_id)).values())


async def return_phones(member_id: UUID) -> None:
    """Let the record's numbers lead to it again: what was given up, unless it is somebody's by now.

    When each was bound is what it was before the merge. The record's lock is held.
    """
    phones = await _given_up(member_id)
    await lock_phones(phones.values())
    taken = await members_by_phones(phones.values())
    for identity_id, phone in phones.items():
        if phone in taken:
            await execute(
                "DELETE FROM member_phone WHERE member_id = $1 AND id = $2", member_id, identity_id
            )
            continue
        await execute(
            "INSERT INTO member_identity (member_id, id, kind, app_id, subject, bound_at)"
            " SELECT member_id, id, $3, '', $4, bound_at FROM member_phone"
            " WHERE member_id = $1 AND id = $2",
            *(member_id, identity_id, IdentityKind.PHONE.value, phone_vault().index(phone)),
        )
    await execute(
        "UPDATE member_phone SET bound_at = i.bound_at FROM member_identity AS i"
        " WHERE member_phone.member_id = $1 AND i.member_id = $1 AND i.id = member_phone.id",
        member_id,
    )


async def forget_given_up_phones(*, now: datetime) -> int:
    """Delete the numbers that cannot be given back any more; how many."""
    return await execute(
        """
        DELETE FROM member_phone
        WHERE member_id IN (SELECT id FROM member WHERE merged_into IS NOT NULL)
            AND NOT EXISTS (
                SELECT 1 FROM member_merge g
                WHERE g.loser_id = member_phone.member_id AND g.undone_at IS NULL
                    AND g.merged_at > $1
            )
        """,
        now - MERGE_UNDOABLE,
    )


async def _given_up(member_id: UUID) -> Mapping[UUID, str]:
    """The record's numbers that lead to nobody, by their ids."""
    rows: list[Row] = list(
        await fetch_all(
            "SELECT id, sealed, key_id FROM member_phone WHERE member_id = $1 AND NOT EXISTS ("
            " SELECT 1 FROM member_identity i"
            " WHERE i.member_id = member_phone.member_id AND i.id = member_phone.id) ORDER BY id",
            member_id,
        )
    )
    return {row["id"]: open_row(phone_vault(), row) for row in rows}
