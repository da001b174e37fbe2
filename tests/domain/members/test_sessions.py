"""Sessions on both databases: refreshed, reused, signed out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.access import AccessTokens, Caller, CallerKind, InvalidAccessToken
from domain.errors import RefreshTokenInvalid, RefreshTokenReused, SessionRefusal
from domain.members import (
    ByExternalReference,
    SessionLifetimes,
    SessionTokens,
    authenticate,
    ended,
    members_by_ids,
    open_session,
    refresh_session,
    register_external_members,
    sign_out,
)
from domain.members.refresh_tokens import new_refresh_token
from domain.storage import fetch_all, fetch_one, observed_statements, transaction
from tests.domain.access.fixtures import NOW
from tests.domain.members.fixtures import count, everything_kept

pytestmark = pytest.mark.usefixtures("database")

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
async def member_id(database: str) -> UUID:
    registered = await register_external_members([ByExternalReference("alice")], now=NOW)
    return registered["alice"]


@pytest.fixture
async def session(member_id: UUID, tokens: AccessTokens) -> SessionTokens:
    return await open_session(member_id, app_id="wx1", tokens=tokens, now=NOW)


def caller_of(session: SessionTokens, tokens: AccessTokens) -> Caller:
    """Who the access token says, asked in its first minute."""
    issued = session.access_token_expires_at - 15 * MINUTE
    return tokens.verify(session.access_token, issued + timedelta(seconds=2))


async def is_live(session: SessionTokens, tokens: AccessTokens, now: datetime) -> bool:
    try:
        member = await authenticate(caller_of(session, tokens), now=now)
    except InvalidAccessToken as refusal:
        if refusal.reason == "revoked":
            return False
        raise
    return member.id == session.member_id


async def end_of(session: SessionTokens) -> tuple[datetime | None, str | None]:
    row = await fetch_one(
        "SELECT revoked_at, revoked_because FROM member_session WHERE id = $1",
        session.session_id,
    )
    assert row is not None
    return row["revoked_at"], row["revoked_because"]


async def refused(
    token: str, refusal: type[SessionRefusal], *, tokens: AccessTokens, now: datetime
) -> None:
    """The refresh is refused and changes nothing."""
    before = await everything_kept()
    with pytest.raises(refusal) as raised:
        await refresh_session(token, tokens=tokens, now=now)
    assert raised.value.field == ("refresh_token",)
    assert await everything_kept() == before


async def test_authenticating_is_one_statement(
    session: SessionTokens, tokens: AccessTokens, member_id: UUID
) -> None:
    with observed_statements() as statements:
        member = await authenticate(caller_of(session, tokens), now=NOW)
    assert len(statements) == 1
    assert member == (await members_by_ids([member_id]))[member_id]


async def test_nobody_is_authenticated_by_anothers_session(
    session: SessionTokens, tokens: AccessTokens, member_id: UUID
) -> None:
    other = (await register_external_members([ByExternalReference("bob")], now=NOW))["bob"]
    pairs = [(other, session.session_id), (member_id, UUID(int=1)), (UUID(int=1), UUID(int=1))]
    for subject, session_id in pairs:
        token, _ = tokens.issue(CallerKind.MEMBER, subject, session_id=session_id, now=NOW)
        with pytest.raises(InvalidAccessToken) as refusal:
            await authenticate(tokens.verify(token, NOW), now=NOW)
        assert refusal.value.reason == "revoked"


async def test_only_digests_of_refresh_tokens_are_kept(session: SessionTokens) -> None:
    (row,) = await fetch_all("SELECT * FROM refresh_token")
    digest = hashlib.sha256(session.refresh_token.encode()).hexdigest()
    assert (row["token_hash"], row["used_at"], row["issued_at"]) == (digest, None, NOW)
    secret = session.refresh_token.removeprefix("jrt_")[43:]
    assert secret not in str(await everything_kept())


async def test_a_refresh_gives_a_new_pair_for_the_same_session(
    session: SessionTokens, tokens: AccessTokens
) -> None:
    now = NOW + 10 * DAY
    fresh = await refresh_session(session.refresh_token, tokens=tokens, now=now)
    assert (fresh.member_id, fresh.session_id) == (session.member_id, session.session_id)
    assert fresh.refresh_token != session.refresh_token
    assert fresh.access_token_expires_at == (now + 15 * MINUTE).replace(microsecond=0)
    assert await is_live(fresh, tokens, now)
    # The access token before it is good until it expires by itself.
    assert await is_live(session, tokens, now)
    used = await fetch_all("SELECT used_at FROM refresh_token ORDER BY issued_at")
    assert [row["used_at"] for row in used] == [now, None]


async def test_a_session_slides_up_to_its_bound(
    session: SessionTokens, tokens: AccessTokens
) -> None:
    ends = []
    latest = session
    for day in (59, 118, 177, 236, 295, 354):
        latest = await refresh_session(latest.refresh_token, tokens=tokens, now=NOW + day * DAY)
        row = await fetch_one("SELECT expires_at FROM member_session")
        assert row is not None
        ends.append((row["expires_at"] - NOW) / DAY)
    assert ends == [119, 178, 237, 296, 355, 365]
    assert await is_live(latest, tokens, NOW + 365 * DAY - TICK)
    assert not await is_live(latest, tokens, NOW + 365 * DAY)
    end = NOW + 365 * DAY
    await refused(latest.refresh_token, RefreshTokenInvalid, tokens=tokens, now=end)


async def test_an_idle_session_ends(session: SessionTokens, tokens: AccessTokens) -> None:
    end = NOW + 60 * DAY
    assert await is_live(session, tokens, end - TICK)
    assert not await is_live(session, tokens, end)
    await refused(session.refresh_token, RefreshTokenInvalid, tokens=tokens, now=end)
    await refresh_session(session.refresh_token, tokens=tokens, now=end - TICK)


async def test_lifetimes_are_a_setting(member_id: UUID, tokens: AccessTokens) -> None:
    short = SessionLifetimes(idle=2 * MINUTE, bound=3 * MINUTE, access_token=MINUTE)
    session = await open_session(member_id, app_id="wx1", tokens=tokens, now=NOW, lifetimes=short)
    assert session.access_token_expires_at == (NOW + MINUTE).replace(microsecond=0)
    await refused(session.refresh_token, RefreshTokenInvalid, tokens=tokens, now=NOW + 2 * MINUTE)
    fresh = await refresh_session(
        session.refresh_token, tokens=tokens, now=NOW + 2 * MINUTE - TICK, lifetimes=short
    )
    await refused(fresh.refresh_token, RefreshTokenInvalid, tokens=tokens, now=NOW + 3 * MINUTE)


async def test_a_reused_token_ends_its_family_and_only_that(
    session: SessionTokens, tokens: AccessTokens, member_id: UUID
) -> None:
    other = await open_session(member_id, app_id="wx2", tokens=tokens, now=NOW)
    second = await refresh_session(session.refresh_token, tokens=tokens, now=NOW + MINUTE)
    third = await refresh_session(second.refresh_token, tokens=tokens, now=NOW + 2 * MINUTE)

    # The revocation is kept although the request is refused.
    at = NOW + 3 * MINUTE
    with pytest.raises(RefreshTokenReused) as refusal:
        await refresh_session(session.refresh_token, tokens=tokens, now=at)
    assert refusal.value.field == ("refresh_token",)
    assert await end_of(session) == (at, "reuse")
    assert [await is_live(each, tokens, at) for each in (session, second, third)] == [False] * 3
    await refused(third.refresh_token, RefreshTokenInvalid, tokens=tokens, now=at)

    # Said again, it is refused again and changes nothing, not even the moment.
    await refused(session.refresh_token, RefreshTokenReused, tokens=tokens, now=at + MINUTE)
    await refused(second.refresh_token, RefreshTokenReused, tokens=tokens, now=at + MINUTE)

    assert await end_of(other) == (None, None)
    assert await is_live(other, tokens, at)
    await refresh_session(other.refresh_token, tokens=tokens, now=at)


async def test_tokens_that_were_never_given(session: SessionTokens, tokens: AccessTokens) -> None:
    invented = new_refresh_token(member_id=session.member_id, session_id=session.session_id)
    elsewhere = new_refresh_token(member_id=UUID(int=1), session_id=session.session_id)
    for token in (invented.text, elsewhere.text, "", "jrt_", "a\x00b", session.access_token):
        await refused(token, RefreshTokenInvalid, tokens=tokens, now=NOW)
    assert await is_live(session, tokens, NOW)


async def test_signing_out_ends_one_session_at_once(
    session: SessionTokens, tokens: AccessTokens, member_id: UUID
) -> None:
    other = await open_session(member_id, app_id="wx2", tokens=tokens, now=NOW)
    at = NOW + MINUTE
    assert await sign_out(caller_of(session, tokens), everywhere=False, now=at) is True
    assert await end_of(session) == (at, "signed_out")
    assert not await is_live(session, tokens, at)
    assert await is_live(other, tokens, at)
    await refused(session.refresh_token, RefreshTokenInvalid, tokens=tokens, now=at)

    before = await everything_kept()
    again = await sign_out(caller_of(session, tokens), everywhere=False, now=at + MINUTE)
    assert again is False
    assert await everything_kept() == before


async def test_signing_out_everywhere_ends_all_sessions_of_this_member_alone(
    session: SessionTokens, tokens: AccessTokens, member_id: UUID
) -> None:
    other = await open_session(member_id, app_id="wx2", tokens=tokens, now=NOW)
    bob = (await register_external_members([ByExternalReference("bob")], now=NOW))["bob"]
    of_bob = await open_session(bob, app_id="wx1", tokens=tokens, now=NOW)
    at = NOW + MINUTE
    assert await sign_out(caller_of(session, tokens), everywhere=True, now=at) is True
    assert await end_of(session) == await end_of(other) == (at, "signed_out_everywhere")
    for each in (session, other):
        assert not await is_live(each, tokens, at)
        await refused(each.refresh_token, RefreshTokenInvalid, tokens=tokens, now=at)
    assert await is_live(of_bob, tokens, at)

    # Whoever signs in again, even at that very moment, is in.
    anew = await open_session(member_id, app_id="wx1", tokens=tokens, now=at)
    assert await is_live(anew, tokens, at)
    await refresh_session(anew.refresh_token, tokens=tokens, now=at)


async def test_whose_sessions_have_ended_is_asked_for_all_in_one_statement(
    session: SessionTokens, member_id: UUID, tokens: AccessTokens
) -> None:
    other = await open_session(member_id, app_id="wx2", tokens=tokens, now=NOW)
    registered = await register_external_members([ByExternalReference("bob")], now=NOW)
    bobs = await open_session(registered["bob"], app_id="wx1", tokens=tokens, now=NOW)
    first, second, bob = (caller_of(one, tokens) for one in (session, other, bobs))
    nobody = replace(bob, subject=UUID(int=7))
    everybody = [first, second, bob, nobody]
    with observed_statements() as statements:
        assert await ended(everybody, now=NOW) == {nobody}
    assert len(statements) == 1
    await sign_out(first, everywhere=False, now=NOW)
    assert await ended(everybody, now=NOW) == {first, nobody}
    await sign_out(second, everywhere=True, now=NOW + MINUTE)
    assert await ended(everybody, now=NOW + MINUTE) == {first, second, nobody}
    assert await ended(everybody, now=NOW + 366 * DAY) == set(everybody)
    assert await ended([], now=NOW) == frozenset()


async def test_a_sign_in_that_was_under_way_does_not_outlive_signing_out_everywhere(
    session: SessionTokens, tokens: AccessTokens, member_id: UUID
) -> None:
    at = NOW + MINUTE
    await sign_out(caller_of(session, tokens), everywhere=True, now=at)
    # It began before and is committed after: its row was not there to be revoked.
    late = await open_session(member_id, app_id="wx2", tokens=tokens, now=at - TICK)
    assert await end_of(late) == (None, None)
    assert not await is_live(late, tokens, at)
    await refused(late.refresh_token, RefreshTokenInvalid, tokens=tokens, now=at)


async def test_a_refresh_does_not_join_a_transaction(
    session: SessionTokens, tokens: AccessTokens
) -> None:
    with pytest.raises(AssertionError, match="roll back"):
        await transaction(lambda: refresh_session(session.refresh_token, tokens=tokens, now=NOW))
    assert await count("refresh_token") == 1
