"""A member as one request reads it: each part is asked of its context once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID

from domain import custody, ledger, notifications, tiers
from domain.members import Member, email_masked, phones_of
from resolvers.context import RequestContext
from resolvers.once import Once
from resolvers.points import PointsRecord, points_now, points_then


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

    async def phone(self) -> str | None:
        """The member's telephone number (E.164), which no answer shows whole."""
        phones = await self._once.read("phone", lambda: phones_of([self.id]))
        return phones.get(self.id)

    async def email_masked(self) -> str | None:
        """Enough of the member's e-mail address for its owner."""
        return await self._once.read("email", lambda: email_masked(self.id))

    async def deletes_at(self) -> datetime | None:
        """When the member's account will be deleted, if that was asked for."""
        return await self._once.read("deletion", lambda: custody.deletion_under_way(self.id))

    async def balance(self) -> ledger.Balance:
        """The member's points as of now."""
        now = self._context.now
        return await self._once.read("balance", lambda: ledger.balance(self.id, now=now))

    async def points(
        self, *, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> PointsRecord:
        """The member's points as of now, or of a moment: neither moment lies in the future."""
        now = self._context.now
        if as_of is None and known_at is None:
            past = partial(ledger.look_back, self.id, as_of=now, now=now)
            return points_now(await self.balance(), past=past)
        as_of = now if as_of is None else as_of
        return points_then(await ledger.look_back(self.id, as_of=as_of, known_at=known_at, now=now))

    async def standing(self) -> tiers.Standing | None:
        """The member's level, progress and perks as of now."""
        programme = await self._context.programme()
        return await self._once.read(
            "standing",
            lambda: tiers.standing(
                self.id,
                zone=programme.zone,
                now=self._context.now,
                birthday=self.member.birthday,
            ),
        )

    async def forecast(self) -> tiers.Forecast:
        """What time will bring to the member's level."""
        programme, now = await self._context.programme(), self._context.now
        return await self._once.read(
            "forecast", lambda: tiers.forecast(self.id, zone=programme.zone, now=now)
        )

    async def expires_first(self) -> ledger.ExpiringPoints | None:
        """The points that expire before all others."""
        now = self._context.now
        return await self._once.read(
            "expires-first", lambda: ledger.expires_first(self.id, now=now)
        )
