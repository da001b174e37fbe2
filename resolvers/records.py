"""A member as one request reads it: each part is asked of its context once."""

from __future__ import annotations

from uuid import UUID

from domain import ledger, notifications, tiers
from domain.members import Member
from resolvers.context import RequestContext
from resolvers.once import Once


class MemberRecord:
    """The member, with what other contexts know of them, read when a field needs it.

    A payload makes a record of its own, so that what it shows is read after the change.
    """

    __slots__ = ("_context", "_once", "member")

    def __init__(self, member: Member, context: RequestContext) -> None:
        self.member = member
        self._context = context
        self._once = Once()

    @property
    def id(self) -> UUID:
        """The member's id."""
        return self.member.id

    async def freshness(self) -> notifications.Freshness:
        """The member's version and unread count."""
        return await self._once.read("freshness", lambda: notifications.freshness(self.id))

    async def balance(self) -> ledger.Balance:
        """The member's points as of now."""
        now = self._context.now
        return await self._once.read("balance", lambda: ledger.balance(self.id, now=now))

    async def standing(self) -> tiers.Standing | None:
        """The member's level, progress and perks as of now."""
        programme = await self._context.programme()
        return await self._once.read(
            "standing",
            lambda: tiers.standing(self.id, zone=programme.zone, now=self._context.now),
        )
