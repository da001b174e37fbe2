"""Two records that are one person's: what of the profile goes over.

The record that is given up stays, as an alias: its id leads to the other one. What other contexts
keep of the two is joined by `domain.custody`, which calls this inside its transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from domain.members.interest import THEMES_MAX
from domain.members.phone_keys import phone_vault
from domain.storage import Row, execute, fetch_all

MERGE_UNDOABLE: Final = timedelta(days=1)
"""For how long two records that were joined can be parted again."""

_SAID_OF_ONESELF: Final = ("nickname", "avatar_url", "birthday", "gender", "preferred_channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileMerged:
    """What the profile took from the record that is given up: the names of fields, no values."""

    took: tuple[str, ...]
    joined_at: datetime
    """When the keeper had joined, as their own record said it."""


async def merge_profiles(
    loser_id: UUID, keeper_id: UUID, *, merge_id: UUID, now: datetime
) -> ProfileMerged:
    """Let the loser's id lead to the keeper; their sessions end, the keeper's profile is filled.

    What the keeper says stands, the rest is taken from the loser; so with interests, of which as
    many come as one member may declare. The earlier day of joining counts.
    """
    rows = await _profiles(loser_id, keeper_id)
    loser, keeper = rows[loser_id], rows[keeper_id]
    took = tuple(one for one in _SAID_OF_ONESELF if loser[one] and not keeper[one])
    await _say(
        keeper_id,
        {one: loser[one] for one in took}
        | {"joined_at": min(loser["joined_at"], keeper["joined_at"])},
    )
    await execute(
        "UPDATE member SET merged_into = $2, version = version + 1 WHERE id = $1",
        *(loser_id, keeper_id),
    )
    await _end_sessions(loser_id, now=now)
    await execute(_INTERESTS_THAT_COME, loser_id, keeper_id, merge_id)
    return ProfileMerged(took=took, joined_at=keeper["joined_at"])


async def part_profiles(
    loser_id: UUID,
    keeper_id: UUID,
    *,
    merge_id: UUID,
    merged: ProfileMerged,
    since: datetime,
    now: datetime,
) -> None:
    """Undo `merge_profiles`: what the keeper said meanwhile stays theirs. Nobody is signed in.

    Nobody knows which of the two opened a session of the keeper's since the merge, so all end. And
    whoever came by another mini-program since then was bound to the keeper, also where the unionid
    that led there was the other's: it leads to nobody now, and whoever comes again to themself. So
    does a number that was bound since then, unless the keeper is known by nothing else.
    """
    rows = await _profiles(loser_id, keeper_id)
    loser, keeper = rows[loser_id], rows[keeper_id]
    unsaid = {one: None for one in merged.took if keeper[one] == loser[one]}
    await _say(
        keeper_id,
        unsaid
        | ({"nickname": ""} if "nickname" in unsaid else {})
        | {"joined_at": merged.joined_at},
    )
    await execute(
        "UPDATE member SET merged_into = NULL, version = version + 1 WHERE id = $1", loser_id
    )
    await execute(_INTERESTS_THAT_GO, loser_id, keeper_id, merge_id)
    await _unbind_since(keeper_id, since=since)
    await _end_sessions(keeper_id, now=now)


async def show_phone(member_id: UUID, phone: str, *, now: datetime) -> None:
    """Let this number (E.164) be the one that is shown of the member's, who has more than one.

    The identity goes on telling since when it has led to them, or to who they were then.
    """
    await execute(
        "UPDATE member_phone SET bound_at = $3 WHERE member_id = $1 AND id IN ("
        " SELECT id FROM member_identity"
        " WHERE member_id = $1 AND kind = 'phone' AND subject = ANY($2::text[]))",
        *(member_id, list(phone_vault().indexes(phone)), now),
    )


# A theme stands once for each source. Reading lets declared ones come before inferred ones.
_INTERESTS_THAT_COME: Final = f"""
    UPDATE member_interest SET member_id = $2, came_with = $3
    WHERE member_id = $1 AND id IN (
        SELECT i.id FROM member_interest AS i
        WHERE i.member_id = $1 AND NOT EXISTS (
            SELECT 1 FROM member_interest AS own
            WHERE own.member_id = $2 AND own.theme_code = i.theme_code AND own.source = i.source
        )
        ORDER BY i.source, i.weight_permille DESC, i.id
        LIMIT (
            SELECT CASE WHEN COUNT(*) < {THEMES_MAX} THEN {THEMES_MAX} - COUNT(*) ELSE 0 END
            FROM member_interest WHERE member_id = $2
        )
    )
"""


_INTERESTS_THAT_GO: Final = """
    UPDATE member_interest SET member_id = $1, came_with = NULL
    WHERE member_id = $2 AND came_with = $3 AND NOT EXISTS (
        SELECT 1 FROM member_interest AS own
        WHERE own.member_id = $1 AND own.theme_code = member_interest.theme_code
            AND own.source = member_interest.source
    )
"""


async def _unbind_since(member_id: UUID, *, since: datetime) -> None:
    await execute(
        "DELETE FROM member_identity WHERE member_id = $1 AND bound_at > $2"
        " AND kind IN ('wechat_openid', 'wechat_unionid')",
        *(member_id, since),
    )
    await execute(
        "DELETE FROM member_identity WHERE member_id = $1 AND bound_at > $2 AND kind = 'phone'"
        " AND EXISTS (SELECT 1 FROM member_identity AS own"
        " WHERE own.member_id = $1 AND own.bound_at <= $2)",
        *(member_id, since),
    )
    await execute(
        "DELETE FROM member_phone WHERE member_id = $1 AND NOT EXISTS ("
        " SELECT 1 FROM member_identity i"
        " WHERE i.member_id = member_phone.member_id AND i.id = member_phone.id)",
        member_id,
    )


async def _end_sessions(member_id: UUID, *, now: datetime) -> None:
    """End them because of a merge, or because it was undone."""
    await execute(
        "UPDATE member_session SET revoked_at = $2, revoked_because = 'merged'"
        " WHERE member_id = $1 AND revoked_at IS NULL",
        *(member_id, now),
    )


async def _profiles(*member_ids: UUID) -> Mapping[UUID, Row]:
    rows = await fetch_all(
        f"SELECT id, joined_at, {', '.join(_SAID_OF_ONESELF)} FROM member"
        " WHERE id = ANY($1::uuid[])",
        list(member_ids),
    )
    return {row["id"]: row for row in rows}


async def _say(member_id: UUID, values: Mapping[str, Any]) -> None:
    """Write these fields of a member's row, and count its version."""
    sets = "".join(f"{name} = ${place}, " for place, name in enumerate(values, start=2))
    await execute(
        f"UPDATE member SET {sets}version = version + 1 WHERE id = $1", member_id, *values.values()
    )
