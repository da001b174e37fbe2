"""Keeping a session alive: each refresh token is good once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.storage import fetch_all
from tests.graphql.gateway import Gateway
from tests.graphql.kept import changed, everything_kept

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refresh(gateway: Gateway, refresh_token: str) -> Any:
    return await gateway.send("RefreshSession", input={"refreshToken": refresh_token})


async def refused(gateway: Gateway, refresh_token: str) -> str:
    """The code by which a refresh is refused; nobody gets a token."""
    payload = await refresh(gateway, refresh_token)
    assert payload["session"] is None
    (error,) = payload["userErrors"]
    assert error["field"] == ["refreshToken"]
    assert error["retryable"] is False
    return str(error["code"])


async def me(gateway: Gateway, token: str) -> Any:
    """The answer to who one is: the member's id, or the extensions of the refusal."""
    response = await gateway.ask("{ me { id } }", token=token)
    body = response.json()
    if response.status_code == 200:
        return body["data"]["me"]["id"]
    assert response.status_code == 401
    extensions = body["errors"][0]["extensions"]
    return (extensions["code"], extensions["reason"])


async def test_a_refresh_gives_a_new_pair_for_the_same_session(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    gateway.clock.advance(minutes=10)
    before = await everything_kept()

    payload = await refresh(gateway, session.refresh_token)

    assert payload["userErrors"] == []
    fresh = payload["session"]
    assert fresh["accessTokenExpiresAt"] == "2026-03-01T12:25:00Z"
    assert fresh["refreshToken"] != session.refresh_token
    assert changed(before, await everything_kept()) == {"member_session", "refresh_token"}
    sessions = "SELECT id FROM member_session WHERE member_id = $1"
    assert len(await fetch_all(sessions, session.member)) == 1
    # The first access token ends by itself, the second ten minutes later.
    assert await me(gateway, session.access_token) == session.member_id
    gateway.clock.advance(minutes=6)
    assert await me(gateway, session.access_token) == ("UNAUTHENTICATED", "expired")
    assert await me(gateway, fresh["accessToken"]) == session.member_id


async def test_rotation_goes_on_and_on(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    token, seen = session.refresh_token, {session.refresh_token}
    for _ in range(5):
        gateway.clock.advance(days=50)
        fresh = (await refresh(gateway, token))["session"]
        assert await me(gateway, fresh["accessToken"]) == session.member_id
        token = fresh["refreshToken"]
        seen.add(token)
    assert len(seen) == 6
    # Sixty days without a refresh end it.
    gateway.clock.advance(days=61)
    assert await refused(gateway, token) == "REFRESH_TOKEN_INVALID"


async def test_a_token_used_twice_ends_the_session_for_both_who_have_it(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    elsewhere = await gateway.sign_in()
    thief = (await refresh(gateway, session.refresh_token))["session"]
    assert await me(gateway, thief["accessToken"]) == session.member_id

    assert await refused(gateway, session.refresh_token) == "REFRESH_TOKEN_REUSED"

    before = await everything_kept()
    assert await refused(gateway, thief["refreshToken"]) == "REFRESH_TOKEN_INVALID"
    assert await refused(gateway, session.refresh_token) == "REFRESH_TOKEN_REUSED"
    for token in (session.access_token, thief["accessToken"]):
        assert await me(gateway, token) == ("UNAUTHENTICATED", "revoked")
    assert await everything_kept() == before, "what is over stays over"
    # Other sign-ins of the member live on.
    assert await me(gateway, elsewhere.access_token) == session.member_id
    assert (await refresh(gateway, elsewhere.refresh_token))["session"] is not None


async def test_of_two_who_refresh_at_once_one_gets_through_and_the_session_ends(
    gateway: Gateway,
) -> None:
    session = await gateway.sign_in()

    answers = await asyncio.gather(*(refresh(gateway, session.refresh_token) for _ in range(2)))

    codes = [error["code"] for answer in answers for error in answer["userErrors"]]
    assert codes == ["REFRESH_TOKEN_REUSED"]
    (winner,) = [answer["session"] for answer in answers if answer["session"]]
    assert await me(gateway, winner["accessToken"]) == ("UNAUTHENTICATED", "revoked")


async def test_what_is_no_refresh_token_is_refused(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    token = session.refresh_token
    before = await everything_kept()

    for forged in (
        "",
        "jrt_",
        token[:-1],
        token + "A",
        token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
        token.upper(),
        "jrt_" + "A" * 86,
        "jrt_" + "积" * 86,
        "x" * 10_000,
        session.access_token,
    ):
        assert await refused(gateway, forged) == "REFRESH_TOKEN_INVALID", forged[:100]

    assert await everything_kept() == before
    assert (await refresh(gateway, token))["session"] is not None
