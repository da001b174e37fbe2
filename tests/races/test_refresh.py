"""Racing refreshes and sign-outs: a token is good once, and what was ended stays ended."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.access import AccessTokens, InvalidAccessToken
from domain.errors import RefreshTokenInvalid, RefreshTokenReused
from domain.members import (
    ByExternalReference,
    SessionTokens,
    authenticate,
    open_session,
    refresh_session,
    register_external_members,
    sign_out,
)
from domain.storage import fetch_all
from tests.domain.access.fixtures import NOW
from tests.races.contention import Gate

AT = NOW + timedelta(minutes=1)


@pytest.fixture
async def session(postgres: str, tokens: AccessTokens) -> SessionTokens:
    registered = await register_external_members([ByExternalReference("alice")], now=NOW)
    return await open_session(registered["alice"], app_id="wx1", tokens=tokens, now=NOW)


async def assert_over(session: SessionTokens, *, because: str, tokens: AccessTokens) -> None:
    """The session is ended for this reason, and neither of its tokens is good."""
    (row,) = await fetch_all("SELECT revoked_at, revoked_because FROM member_session")
    assert (row["revoked_at"], row["revoked_because"]) == (AT, because)
    with pytest.raises(InvalidAccessToken):
        await authenticate(tokens.verify(session.access_token, AT), now=AT)


@pytest.mark.parametrize("crowd", [2, 20])
async def test_of_racing_refreshes_one_wins_and_the_others_end_the_family(
    session: SessionTokens, tokens: AccessTokens, gate: Gate, crowd: int
) -> None:
    await gate.hold("SELECT 1 FROM refresh_token FOR UPDATE")
    refreshes = asyncio.gather(
        *(refresh_session(session.refresh_token, tokens=tokens, now=AT) for _ in range(crowd)),
        return_exceptions=True,
    )
    await gate.open(waiting=crowd)
    results = await refreshes
    (winner,) = [result for result in results if isinstance(result, SessionTokens)]
    losers = [result for result in results if isinstance(result, RefreshTokenReused)]
    assert len(losers) == crowd - 1
    for each in (session, winner):
        await assert_over(each, because="reuse", tokens=tokens)
    with pytest.raises(RefreshTokenInvalid):
        await refresh_session(winner.refresh_token, tokens=tokens, now=AT)
    used = await fetch_all("SELECT used_at FROM refresh_token ORDER BY issued_at")
    assert [row["used_at"] for row in used] == [AT, None]


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_sign_out_that_comes_first_is_seen_by_a_refresh_under_way(
    session: SessionTokens, tokens: AccessTokens, gate: Gate, everywhere: bool
) -> None:
    await gate.hold("SELECT 1 FROM member_session FOR UPDATE")
    caller = tokens.verify(session.access_token, AT)
    leaving = asyncio.ensure_future(sign_out(caller, everywhere=everywhere, now=AT))
    await gate.gather(1)
    # The refresh has used its token, and waits for the session behind the sign-out.
    refresh = asyncio.ensure_future(refresh_session(session.refresh_token, tokens=tokens, now=AT))
    await gate.open(waiting=2)
    assert await leaving is True
    with pytest.raises(RefreshTokenInvalid):
        await refresh
    because = "signed_out_everywhere" if everywhere else "signed_out"
    await assert_over(session, because=because, tokens=tokens)
    # The refusal changed nothing: the token is still unused, and has no successor.
    (row,) = await fetch_all("SELECT used_at FROM refresh_token")
    assert row["used_at"] is None


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_refresh_that_comes_first_does_not_outlive_the_sign_out_behind_it(
    session: SessionTokens, tokens: AccessTokens, gate: Gate, everywhere: bool
) -> None:
    await gate.hold("SELECT 1 FROM member_session FOR UPDATE")
    caller = tokens.verify(session.access_token, AT)
    refresh = asyncio.ensure_future(refresh_session(session.refresh_token, tokens=tokens, now=AT))
    await gate.gather(1)
    leaving = asyncio.ensure_future(sign_out(caller, everywhere=everywhere, now=AT))
    await gate.open(waiting=2)
    refreshed = await refresh
    assert await leaving is True
    because = "signed_out_everywhere" if everywhere else "signed_out"
    for each in (session, refreshed):
        await assert_over(each, because=because, tokens=tokens)
    with pytest.raises(RefreshTokenInvalid):
        await refresh_session(refreshed.refresh_token, tokens=tokens, now=AT)
