"""Signing in and out."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry

from domain import members
from resolvers import members as member_resolvers
from resolvers import sessions as resolvers
from schema.charging import Sensitive
from schema.cost import READS
from schema.fields import Info, computed, input_type, object_type, view
from schema.members import Member
from schema.mutations import Payload, mutation
from schema.policies import OWNER, PUBLIC

REFRESHES = Sensitive(
    "refresh", subject_limit="refresh_token", subject=lambda given: str(given.refresh_token)
)


@input_type()
class SignInWithWeChatInput:
    """What a mini-program has after `wx.login`."""

    app_id: str
    """The app id of the mini-program."""

    code: str
    """The code of `wx.login`: good once, for five minutes."""

    invite_code: str | None = None
    """The code of whoever invited the member, where there is one."""


@input_type()
class RefreshSessionInput:
    """What keeps a session alive."""

    refresh_token: str
    """The newest refresh token of the session; each is good once."""


@input_type()
class SignOutInput:
    """Which sessions to end."""

    everywhere: bool | None = False
    """Whether to end the member's sessions on all devices."""


@object_type(policy=PUBLIC)
class Session:
    """A member's sign-in. Keep both tokens secret."""

    access_token: str
    """Send it as `Authorization: Bearer …`; it lives for 15 minutes."""

    access_token_expires_at: datetime
    """When the access token ends."""

    refresh_token: str
    """Exchange it with `refreshSession` for a new pair. It is good once: used a second time, it
    ends the session."""

    is_new_member: bool
    """Whether the member joined with this very sign-in."""

    member_id: strawberry.Private[UUID]

    @computed(PUBLIC, cost=READS)
    async def member(self, info: Info) -> Member:
        """The member who is signed in."""
        member: Member = view(await member_resolvers.member(info.context, self.member_id))
        return member

    @classmethod
    def of(cls, tokens: members.SessionTokens, *, is_new_member: bool) -> Session:
        """The tokens as the schema gives them."""
        return cls(
            access_token=tokens.access_token,
            access_token_expires_at=tokens.access_token_expires_at,
            refresh_token=tokens.refresh_token,
            is_new_member=is_new_member,
            member_id=tokens.member_id,
        )


@object_type(policy=PUBLIC)
class SignInWithWeChatPayload(Payload):
    """What a sign-in led to."""

    session: Session | None = None
    """The session; null when it was refused."""


@object_type(policy=PUBLIC)
class RefreshSessionPayload(Payload):
    """What refreshing a session led to."""

    session: Session | None = None
    """The session with its new tokens; null when it was refused."""


@object_type(policy=OWNER)
class SignOutPayload(Payload):
    """What signing out led to."""

    signed_out: bool | None = None
    """True once the session has ended."""


@mutation(PUBLIC, sensitive=Sensitive("sign_in"))
async def sign_in_with_we_chat(info: Info, input: SignInWithWeChatInput) -> SignInWithWeChatPayload:
    """Sign in with WeChat; whoever is not a member yet becomes one."""
    command = members.SignInWithWeChat(
        app_id=input.app_id, code=input.code, invite_code=input.invite_code
    )
    signed_in = await resolvers.sign_in_with_wechat(info.context, command)
    session = Session.of(signed_in.session, is_new_member=signed_in.is_new_member)
    return SignInWithWeChatPayload(session=session)


@mutation(PUBLIC, sensitive=REFRESHES)
async def refresh_session(info: Info, input: RefreshSessionInput) -> RefreshSessionPayload:
    """Exchange a refresh token for a new pair of tokens."""
    tokens = await resolvers.refresh_session(info.context, input.refresh_token)
    return RefreshSessionPayload(session=Session.of(tokens, is_new_member=False))


@mutation(OWNER)
async def sign_out(info: Info, input: SignOutInput | None = None) -> SignOutPayload:
    """End this session, or all of the member's. Their access tokens are refused at once."""
    everywhere = bool(input and input.everywhere)
    return SignOutPayload(signed_out=await resolvers.sign_out(info.context, everywhere=everywhere))
