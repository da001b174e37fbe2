"""Signing out: at once, here or everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.graphql.gateway import Gateway, Session
from tests.graphql.kept import everything_kept
from tests.graphql.operations import operation
from tests.graphql.test_refresh_session import me, refresh, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

REVOKED = ("UNAUTHENTICATED", "revoked")


async def sign_out(gateway: Gateway, session: Session, **variables: Any) -> None:
    payload = await gateway.send("SignOut", session.access_token, **variables)
    assert payload == {"signedOut": True, "userErrors": []}


async def test_signing_out_ends_this_session_at_once(gateway: Gateway) -> None:
    here, there = await gateway.sign_in(), await gateway.sign_in()

    await sign_out(gateway, here)

    assert await me(gateway, here.access_token) == REVOKED
    assert await refused(gateway, here.refresh_token) == "REFRESH_TOKEN_INVALID"
    assert await me(gateway, there.access_token) == there.member_id
    assert (await refresh(gateway, there.refresh_token))["session"] is not None


async def test_signing_out_everywhere_ends_all_sessions_of_this_member_alone(
    gateway: Gateway,
) -> None:
    here, there = await gateway.sign_in(), await gateway.sign_in()
    bob = await gateway.sign_in("o-bob")
    gateway.clock.advance(seconds=1)

    await sign_out(gateway, here, input={"everywhere": True})

    for session in (here, there):
        assert await me(gateway, session.access_token) == REVOKED
        assert await refused(gateway, session.refresh_token) == "REFRESH_TOKEN_INVALID"
    assert await me(gateway, bob.access_token) == bob.member_id
    # And the member may come back at once.
    again = await gateway.sign_in()
    assert await me(gateway, again.access_token) == here.member_id


async def test_an_explicit_no_is_a_no(gateway: Gateway) -> None:
    for value in (False, None):
        here, there = await gateway.sign_in(), await gateway.sign_in()
        await sign_out(gateway, here, input={"everywhere": value})
        assert await me(gateway, here.access_token) == REVOKED
        assert await me(gateway, there.access_token) == there.member_id


async def test_a_token_that_was_signed_out_can_do_nothing_more(gateway: Gateway) -> None:
    session = await gateway.sign_in()
    await sign_out(gateway, session)
    before = await everything_kept()

    for name, variables in (
        ("SignOut", {}),
        ("Home", {}),
        ("UpdateProfile", {"input": {"nickname": "x"}}),
        ("RefreshSession", {"input": {"refreshToken": session.refresh_token}}),
    ):
        response = await gateway.ask(operation(name), variables, token=session.access_token)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == (
            'Bearer realm="jifen", error="invalid_token", '
            'error_description="The access token is revoked."'
        )
        assert response.json() == {
            "errors": [
                {
                    "message": "The access token is revoked.",
                    "extensions": {
                        "code": "UNAUTHENTICATED",
                        "reason": "revoked",
                        "requestId": response.headers["x-request-id"],
                    },
                }
            ]
        }
    assert await everything_kept() == before
