"""Phone numbers: proving one by a code, signing in with it, binding one that WeChat vouches for."""

from __future__ import annotations

from datetime import timedelta

from domain import custody, members
from resolvers.context import RequestContext
from resolvers.records import MemberRecord


async def request_sign_in_code(context: RequestContext, phone: str) -> timedelta:
    """Send a code to the number; after how long another may be sent."""
    command = members.RequestSignInCode(phone=phone, language=context.language)
    return await members.request_sign_in_code(
        command, texts=context.services.texts, now=context.now
    )


async def sign_in_with_phone(
    context: RequestContext, command: members.SignInWithPhone
) -> members.SignedIn:
    """Sign in the owner of a number."""
    return await members.sign_in_with_phone(
        command, tokens=context.services.tokens, now=context.now
    )


async def bind_phone(context: RequestContext, *, app_id: str, code: str) -> MemberRecord:
    """Bind the number that WeChat vouches for to the member who asks, whose records become one."""
    member_id = context.require_member()
    phone = await members.phone_from_wechat(app_id, code, wechat=context.services.wechat)
    bound = await custody.bind_phone(member_id, phone, now=context.now)
    return MemberRecord(bound, context)
