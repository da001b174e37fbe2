"""How shops, partners and staff name a member."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import strawberry

from domain import members
from schema.faults import CodedError, FaultCode
from schema.fields import input_type
from schema.node import decode_uuid
from schema.scalars import PhoneNumber


@input_type()
class WeChatIdentityInput:
    """A member as a mini-program knows them."""

    app_id: str
    """The app id of the mini-program."""

    open_id: str
    """The member's openid in it."""


@input_type(one_of=True, name="MemberRef")
class MemberReference:
    """One way to name a member: exactly one of the fields."""

    id: strawberry.ID | None = strawberry.UNSET
    """The member's own global id."""

    phone: PhoneNumber | None = strawberry.UNSET
    """A phone number that the member has proved to be theirs."""

    wechat: WeChatIdentityInput | None = strawberry.UNSET
    """The member's identity in a mini-program."""

    bind_token: str | None = strawberry.UNSET
    """The short-lived token of a game binding."""

    member_ref: str | None = strawberry.UNSET
    """What the calling partner alone calls the member."""

    external_ref: str | None = strawberry.UNSET
    """What the merchant's other systems call the member."""

    def value(self, *, field: Sequence[str | int]) -> members.MemberRef:
        """The reference as the domain takes it.

        Raises CodedError, which tells the path of the `field`, for an id that is no member's.
        """
        if self.id:
            return members.ById(_member_id(self.id, field=field))
        if self.phone:
            return members.ByPhone(self.phone)
        if self.wechat:
            return members.ByWeChat(self.wechat.app_id, self.wechat.open_id)
        if self.bind_token:
            return members.ByBindToken(self.bind_token)
        if self.member_ref:
            return members.ByPairwiseReference(self.member_ref)
        return members.ByExternalReference(self.external_ref or "")


def _member_id(global_id: str, *, field: Sequence[str | int]) -> UUID:
    try:
        return decode_uuid(global_id, "Member")
    except CodedError as fault:
        path = [*map(str, field), "id"]
        facts = {**(fault.extensions or {}), "field": path}
        raise CodedError(FaultCode(facts.pop("code")), fault.message, **facts) from None
