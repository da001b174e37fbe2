"""Bind tokens: how what a partner calls a member gets to the partner, through the game's page.

A token lives for minutes and is exchanged once. The database has its hash alone. It is derived from
a random number and a key that is not in the database (decisions/0016), so that a request which is
sent again is answered with the same token, though nobody keeps it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from domain.errors import BindTokenInvalid
from domain.members import phone_vault
from domain.storage import Table, execute, fetch_all, fetch_one, transaction
from domain.texts import is_storable

LIFE: Final = timedelta(minutes=10)
CHARACTERS_MAX: Final = 64
_PURPOSE: Final = b"game-bind-tokens"

_TOKENS: Final = Table(
    "game_bind_token",
    token_hash="text",  # noqa: S106 - the type of a column
    partner_id="uuid",
    member_ref="text",
    member_id="uuid",
    expires_at="timestamptz",
)


def bind_token(number: UUID) -> str:
    """The token of this random number, the same each time."""
    key = phone_vault().derived(_PURPOSE)
    digest = hmac.new(key, number.bytes, hashlib.sha256).digest()
    return f"gbt_{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


async def keep_bind_token(
    token: str, *, partner_id: UUID, member_ref: str, member_id: UUID, now: datetime
) -> datetime:
    """Let the token stand for the binding; returns when it expires. What expired before goes."""
    await execute(
        "DELETE FROM game_bind_token WHERE member_id = $1 AND expires_at <= $2", member_id, now
    )
    expires_at = now + LIFE
    row = {
        "token_hash": _hash(token),
        "partner_id": partner_id,
        "member_ref": member_ref,
        "member_id": member_id,
        "expires_at": expires_at,
    }
    await _TOKENS.insert([row])
    return expires_at


async def exchange_bind_token(partner_id: UUID, token: str, *, now: datetime) -> str:
    """What the partner calls the member from now on: once for each token.

    Refused alike, with BindTokenInvalid, is a token that nobody was given, another partner's, one
    that was exchanged or has expired, and one of a binding that has ended.
    """
    refusal = BindTokenInvalid(field=("bind_token",))
    if not is_storable(token, characters_max=CHARACTERS_MAX):
        raise refusal

    async def work() -> str:
        row = await fetch_one(f"{_GOOD} AND token_hash = $3", partner_id, now, _hash(token))
        # Of two who exchange it at once the second deletes nothing.
        if row is None or not await execute(
            "DELETE FROM game_bind_token WHERE token_hash = $1", _hash(token)
        ):
            raise refusal
        return str(row["member_ref"])

    return await transaction(work)


async def refs_of_tokens(
    partner_id: UUID, tokens: Sequence[str], *, now: datetime
) -> Mapping[str, str]:
    """What the partner calls the members of its good tokens, which stay good. None for none."""
    storable = [one for one in tokens if is_storable(one, characters_max=CHARACTERS_MAX)]
    if not storable:
        return {}
    hashes = {_hash(one): one for one in storable}
    rows = await fetch_all(
        f"{_GOOD} AND token_hash = ANY($3::text[])", partner_id, now, sorted(hashes)
    )
    return {hashes[row["token_hash"]]: row["member_ref"] for row in rows}


async def forget_bind_tokens(*, now: datetime) -> int:
    """Delete the tokens that have expired; how many."""
    return await execute("DELETE FROM game_bind_token WHERE expires_at <= $1", now)


_GOOD: Final = (
    "SELECT token_hash, member_ref FROM game_bind_token WHERE partner_id = $1 AND expires_at > $2"
)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
