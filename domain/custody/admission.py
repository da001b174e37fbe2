"""Who a person is, where what they prove leads to two records: the two become one.

By phone: the member who is signed in binds a number that leads to another one. By WeChat: the
openid is one member's and the unionid another's.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from domain import members
from domain.access import AccessTokens
from domain.custody.merging import LOOKS_MAX, Merge, MergeBecause, merge, were_parted
from domain.errors import PhoneOfAnother, Refusal
from domain.members import BoundElsewhere, Member, SignedIn, SignInWithWeChat
from domain.storage import StorageFault, TransactionContended, transaction
from domain.wechat import WeChatClient

log = structlog.get_logger("jifen.custody")


async def bind_phone(member_id: UUID, phone: str, *, now: datetime) -> Member:
    """The member, to whom the number (E.164) leads from now on.

    Where it leads to another one, their record is joined to this member's. Refused: PhoneOfAnother
    where staff parted these two, AccountFrozen (either), PointsOutOfRange, MemberNotFound.
    """

    async def work() -> Member:
        for _ in range(LOOKS_MAX):
            bound = await members.bind_phone(member_id, phone, now=now)
            if not isinstance(bound, BoundElsewhere):
                return bound
            await members.lock_members([member_id, bound.member_id])
            if (await members.members_by_phones([phone])).get(phone) != bound.member_id:
                # Staff undid a merge meanwhile, and the number went back with the other record.
                continue
            if await were_parted(member_id, bound.member_id):
                raise PhoneOfAnother(field=("code",))
            merged = await merge(
                member_id,
                bound.member_id,
                because=MergeBecause.PHONE,
                by=f"member:{member_id}",
                now=now,
            )
            if merged is not None:
                await members.show_phone(merged.keeper_id, phone, now=now)
                return (await members.members_by_ids([merged.keeper_id]))[merged.keeper_id]
            # The two were joined meanwhile, or one of them was erased: look where it leads now.
        raise TransactionContended("the number led to another member each time")

    return await transaction(work)


async def sign_in_with_wechat(
    command: SignInWithWeChat,
    *,
    wechat: WeChatClient,
    tokens: AccessTokens,
    now: datetime,
) -> SignedIn:
    """Sign in, and join the record of the unionid to that of the openid where they are two.

    Raises what `members.sign_in_with_wechat` raises. A merge that cannot be does not keep anybody
    from signing in: the two stay two, and the next sign-in tries again.
    """
    signed_in = await members.sign_in_with_wechat(command, wechat=wechat, tokens=tokens, now=now)
    if signed_in.twin is None:
        return signed_in
    assert signed_in.unionid is not None, "what leads to the twin"
    member_id, twin, unionid = signed_in.member.id, signed_in.twin, signed_in.unionid

    async def work() -> Merge | None:
        leads = await members.lock_members([member_id, twin])
        if await members.member_by_unionid(unionid) != leads.get(twin):
            # Staff undid a merge meanwhile, and it went back with the other record.
            return None
        if await were_parted(member_id, twin):
            return None
        because = MergeBecause.UNIONID
        return await merge(member_id, twin, because=because, by=f"member:{member_id}", now=now)

    try:
        await transaction(work)
        found = await members.members_by_ids([member_id])
    except (Refusal, StorageFault):
        log.warning("merge_failed", keeper=str(member_id), loser=str(twin), exc_info=True)
        return signed_in
    return replace(signed_in, member=found.get(member_id, signed_in.member))
