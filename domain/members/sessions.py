"""Sessions: one per sign-in, kept alive by refresh tokens that are each good once.

The refresh tokens of a session are a family: whoever presents one a second time has a copy, or lost
one to somebody who has, so the whole family ends. Access tokens name their session, and
`authenticate` asks whether it is still live, so that a sign-out counts at once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.access import AccessTokens, Caller, CallerKind, InvalidAccessToken
from domain.errors import RefreshTokenInvalid, RefreshTokenReused
from domain.members.refresh_tokens import RefreshToken, new_refresh_token, parse_refresh_token
from domain.members.values import (
    MEMBER_COLUMNS,
    Member,
    SessionLifetimes,
    SessionTokens,
    member_of,
)
from domain.storage import (
    Row,
    execute,
    fetch_all,
    fetch_one,
    inside_transaction,
    transaction,
)

LIFETIMES = SessionLifetimes()

ASKED_AT_ONCE = 1_000

_AUTHENTICATE = f"""
    SELECT {MEMBER_COLUMNS}, m.tokens_not_before, s.started_at, s.expires_at, s.revoked_at
    FROM member m JOIN member_session s ON s.member_id = m.id
    WHERE m.id = $1 AND s.id = $2
"""

_SESSIONS = """
    SELECT s.member_id, s.id, m.tokens_not_before, s.started_at, s.expires_at, s.revoked_at
    FROM member_session s JOIN member m ON m.id = s.member_id
    WHERE s.member_id = ANY($1::uuid[]) AND s.id = ANY($2::uuid[])
"""

# A token is used by one statement, so that of two who present it one alone can.
_USE_ONCE = """
    UPDATE refresh_token SET used_at = $3
    WHERE member_id = $1 AND token_hash = $2 AND used_at IS NULL AND EXISTS (
        SELECT 1 FROM member_session s JOIN member m ON m.id = s.member_id
        WHERE s.member_id = refresh_token.member_id AND s.id = refresh_token.session_id
            AND s.revoked_at IS NULL AND s.expires_at > $3
            AND (m.tokens_not_before IS NULL OR s.started_at >= m.tokens_not_before)
    )
"""


async def authenticate(caller: Caller, *, now: datetime) -> Member:
    """The member who calls, in one statement.

    Raises InvalidAccessToken (revoked) when the session of the token was signed out, revoked or
    has expired, or the member is gone.
    """
    assert caller.kind is CallerKind.MEMBER
    row = await fetch_one(_AUTHENTICATE, caller.subject, caller.session_id)
    if row is None or not _is_live(row, caller, now):
        raise InvalidAccessToken("revoked")
    return member_of(row)


async def ended(callers: Collection[Caller], *, now: datetime) -> frozenset[Caller]:
    """Those of the members' callers whom `authenticate` would refuse now.

    One statement for a thousand of them.
    """
    over: set[Caller] = set()
    asked = list(callers)
    for start in range(0, len(asked), ASKED_AT_ONCE):
        some = asked[start : start + ASKED_AT_ONCE]
        rows = await fetch_all(
            _SESSIONS, [one.subject for one in some], [one.session_id for one in some]
        )
        sessions = {(row["member_id"], row["id"]): row for row in rows}
        for caller in some:
            assert caller.session_id is not None, "members have sessions"
            row = sessions.get((caller.subject, caller.session_id))
            if row is None or not _is_live(row, caller, now):
                over.add(caller)
    return frozenset(over)


def _is_live(row: Row, caller: Caller, now: datetime) -> bool:
    if row["revoked_at"] is not None or row["expires_at"] <= now:
        return False
    not_before: datetime | None = row["tokens_not_before"]
    # A sign-in that was under way while everything was signed out has started before it.
    return not_before is None or min(row["started_at"], caller.issued_at) >= not_before


async def open_session(
    member_id: UUID,
    *,
    app_id: str,
    tokens: AccessTokens,
    now: datetime,
    lifetimes: SessionLifetimes = LIFETIMES,
) -> SessionTokens:
    """Start a session of a member who was proved to be there, and give its first tokens."""
    session_id = uuid7()

    async def work() -> RefreshToken:
        await execute(
            "INSERT INTO member_session (member_id, id, app_id, started_at, expires_at)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(member_id, session_id, app_id),
            *(now, lifetimes.session_expires_at(started_at=now, now=now)),
        )
        return await _give_refresh_token(member_id, session_id, now=now)

    return _session_tokens(await transaction(work), tokens, now=now, lifetimes=lifetimes)


async def refresh_session(
    refresh_token: str,
    *,
    tokens: AccessTokens,
    now: datetime,
    lifetimes: SessionLifetimes = LIFETIMES,
) -> SessionTokens:
    """Exchange a refresh token, once, for a fresh pair of tokens; the session lives on.

    Raises RefreshTokenInvalid for what is unknown, expired or signed out, and RefreshTokenReused
    for a token that was exchanged before: then the session it belongs to is over. This is the one
    refusal that has an effect, which is committed before the refusal is raised; so this use case
    must not run inside a transaction of another.
    """
    assert not inside_transaction(), "the end of the session must not roll back with the refusal"
    presented = parse_refresh_token(refresh_token)
    if presented is None:
        raise RefreshTokenInvalid(field=("refresh_token",))

    async def work() -> RefreshToken | None:
        if await _use(presented, now=now):
            return await _prolong(presented, now=now, lifetimes=lifetimes)
        await _end_family_of_reused(presented, now=now)
        return None

    successor = await transaction(work)
    if successor is None:
        raise RefreshTokenReused(field=("refresh_token",))
    return _session_tokens(successor, tokens, now=now, lifetimes=lifetimes)


async def sign_out(caller: Caller, *, everywhere: bool, now: datetime) -> bool:
    """End the caller's session, or with `everywhere` all sessions of the member.

    Access tokens of what ended are refused from now on. Signing out again changes nothing; the
    answer is whether a session was ended.
    """
    assert caller.kind is CallerKind.MEMBER

    async def work() -> bool:
        if not everywhere:
            assert caller.session_id is not None
            return await _revoke(caller.subject, caller.session_id, because="signed_out", now=now)
        await execute(
            "UPDATE member SET tokens_not_before = $2"
            " WHERE id = $1 AND (tokens_not_before IS NULL OR tokens_not_before < $2)",
            *(caller.subject, now),
        )
        return await _revoke(caller.subject, None, because="signed_out_everywhere", now=now)

    return await transaction(work)


async def _use(presented: RefreshToken, *, now: datetime) -> bool:
    return bool(await execute(_USE_ONCE, presented.member_id, presented.digest, now))


async def _prolong(
    used: RefreshToken, *, now: datetime, lifetimes: SessionLifetimes
) -> RefreshToken:
    # Locked and asked again: a sign-out may have been committed since the token was used.
    session = await fetch_one(
        "SELECT started_at FROM member_session"
        " WHERE member_id = $1 AND id = $2 AND revoked_at IS NULL FOR NO KEY UPDATE",
        *(used.member_id, used.session_id),
    )
    if session is None:
        raise RefreshTokenInvalid(field=("refresh_token",))
    await execute(
        "UPDATE member_session SET expires_at = $3 WHERE member_id = $1 AND id = $2",
        *(used.member_id, used.session_id),
        lifetimes.session_expires_at(started_at=session["started_at"], now=now),
    )
    return await _give_refresh_token(used.member_id, used.session_id, now=now)


async def _end_family_of_reused(presented: RefreshToken, *, now: datetime) -> None:
    """End the session of a token that was used before; RefreshTokenInvalid for any other token."""
    known = await fetch_one(
        "SELECT used_at FROM refresh_token WHERE member_id = $1 AND token_hash = $2",
        *(presented.member_id, presented.digest),
    )
    if known is None or known["used_at"] is None:
        raise RefreshTokenInvalid(field=("refresh_token",))
    await _revoke(presented.member_id, presented.session_id, because="reuse", now=now)


async def _give_refresh_token(member_id: UUID, session_id: UUID, *, now: datetime) -> RefreshToken:
    fresh = new_refresh_token(member_id=member_id, session_id=session_id)
    await execute(
        "INSERT INTO refresh_token (member_id, id, session_id, token_hash, issued_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        *(member_id, uuid7(), session_id, fresh.digest, now),
    )
    return fresh


async def _revoke(
    member_id: UUID,
    session_id: UUID | None,
    *,
    because: Literal["signed_out", "signed_out_everywhere", "reuse"],
    now: datetime,
) -> bool:
    """End one session of the member, or all (None); those that ended before keep their reason."""
    changed = await execute(
        "UPDATE member_session SET revoked_at = $2, revoked_because = $3"
        " WHERE member_id = $1 AND revoked_at IS NULL AND ($4::uuid IS NULL OR id = $4::uuid)",
        *(member_id, now, because, session_id),
    )
    return changed > 0


def _session_tokens(
    refresh: RefreshToken, tokens: AccessTokens, *, now: datetime, lifetimes: SessionLifetimes
) -> SessionTokens:
    access_token, expires_at = tokens.issue(
        CallerKind.MEMBER,
        refresh.member_id,
        session_id=refresh.session_id,
        ttl=lifetimes.access_token,
        now=now,
    )
    return SessionTokens(
        member_id=refresh.member_id,
        session_id=refresh.session_id,
        access_token=access_token,
        access_token_expires_at=expires_at,
        refresh_token=refresh.text,
    )
