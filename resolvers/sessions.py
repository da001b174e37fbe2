"""Signing in and out."""

from __future__ import annotations

from domain import custody, members
from resolvers.context import RequestContext


async def sign_in_with_wechat(
    context: RequestContext, command: members.SignInWithWeChat
) -> members.SignedIn:
    """Sign in the user of a mini-program."""
    return await custody.sign_in_with_wechat(
        command, wechat=context.services.wechat, tokens=context.services.tokens, now=context.now
    )


async def refresh_session(context: RequestContext, refresh_token: str) -> members.SessionTokens:
    """Exchange a refresh token."""
    return await members.refresh_session(
        refresh_token, tokens=context.services.tokens, now=context.now
    )


async def sign_out(context: RequestContext, *, everywhere: bool) -> bool:
    """End the caller's session, or all of the member's."""
    context.require_member()
    assert context.caller is not None, "a member asks"
    await members.sign_out(context.caller, everywhere=everywhere, now=context.now)
    return True
