"""Using a perk, once for each key and never more often than its quota; giving a use back.

The member's record is locked, which everybody has from the first sign-in on: uses of one member
come one after the other, and the birthday that a quota goes by does not change meanwhile. A use
has its number within the quota, which the table holds once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from uuid_utils.compat import uuid7

from domain import audit, idempotency, members
from domain.audit import Actor, Target
from domain.errors import (
    MemberNotFound,
    PerkHoldsByItself,
    PerkNeedsBirthday,
    PerkQuotaUsed,
    PerkUnknown,
    PerkUseUnknown,
)
from domain.outbox import Event, announce
from domain.program import program
from domain.storage import execute, fetch_all, fetch_one, transaction
from domain.texts import clean_identity, clean_text
from domain.tiers.perks.quotas import Period, Span, free_ordinal, span
from domain.tiers.perks.standing import (
    PERK_COLUMNS,
    PerkStanding,
    counted_from,
    perk_of,
    perk_standing,
    used_columns,
)
from domain.tiers.perks.uses import PERK_USES, PerkUse, perk_use
from domain.tiers.perks.values import HOLD_BY_THEMSELVES
from domain.tiers.reviewing import review_if_due

REFERENCE_CHARACTERS_MAX: Final = 128
REASON_CHARACTERS_MAX: Final = 256

_WHAT: Final = "perk.use"


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePerk:
    """Use a perk of one's level, for the order or the visit that `reference` names."""

    member_id: UUID
    perk_id: UUID
    idempotency_key: str
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PerkUsed:
    """A use, and what it left of the perk; None of a perk that is no longer defined."""

    use: PerkUse
    perk: PerkStanding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelPerkUse:
    """Give a use back, for a reason of 1 to 256 characters."""

    member_id: UUID
    use_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A perk of the member's level; of one with a quota the period that today lies in."""

    perk: PerkStanding
    level_code: str
    today: date
    span: Span | None


async def use_perk(command: UsePerk, *, now: datetime) -> PerkUsed:
    """Use a perk; the use as it was first answered.

    Refused, in this order: InvalidInput, MemberNotFound, IdempotencyConflict, PerkUnknown,
    PerkHoldsByItself, PerkNeedsBirthday, PerkQuotaUsed.
    """
    idempotency.checked_key(command.idempotency_key)
    if command.reference is not None:
        clean_identity(
            command.reference, field=("reference",), characters_max=REFERENCE_CHARACTERS_MAX
        )
    digests = idempotency.digests({"perk_id": str(command.perk_id), "reference": command.reference})

    async def work() -> PerkUsed:
        mine = await members.lock_member(command.member_id)
        known = await members.recall_own(
            *(_WHAT, mine), key=command.idempotency_key, digests=digests
        )
        if known is not None:
            return await _told_again(mine, known.answer)
        zone = (await program()).zone
        await review_if_due(mine, now=now)
        found = await _of_level(mine, command.perk_id, zone=zone, now=now)
        check_usable(found.perk)
        use = await _write(replace(command, member_id=mine), found, now=now)
        left = None if found.perk.remaining is None else found.perk.remaining - 1
        perk = replace(found.perk, remaining=left)
        await members.remember_own(
            *(_WHAT, mine),
            key=command.idempotency_key,
            digests=digests,
            answer=_answer(use, perk),
            now=now,
        )
        return PerkUsed(use=use, perk=perk)

    return await transaction(work)


def check_usable(perk: PerkStanding) -> None:
    """Refuse to use a perk that is not for using, or of which nothing is left."""
    if perk.kind in HOLD_BY_THEMSELVES:
        raise PerkHoldsByItself(field=("perk_id",))
    if perk.remaining is None or perk.remaining > 0:
        return
    if perk.resets_at is None:
        raise PerkNeedsBirthday(field=("perk_id",))
    raise PerkQuotaUsed(resets_at=perk.resets_at, field=("perk_id",))


async def cancel_perk_use(command: CancelPerkUse, *, by: Actor, now: datetime) -> PerkUse:
    """Give a use back: its quota has it again. What was given back before stays as it is.

    Refused: InvalidInput, PerkUseUnknown.
    """
    clean_text(
        command.reason,
        field=("reason",),
        characters_min=1,
        characters_max=REASON_CHARACTERS_MAX,
    )

    async def work() -> PerkUse:
        try:
            member_id = await members.lock_member(command.member_id)
        except MemberNotFound:
            raise PerkUseUnknown(field=("use_id",)) from None
        found = await perk_use(member_id, use_id=command.use_id)
        if found is None:
            raise PerkUseUnknown(field=("use_id",))
        cancelled = found
        if found.cancelled_at is None:
            cancelled = replace(found, cancelled_at=now)
            await _give_back(cancelled, reason=command.reason, now=now)
        target = Target(kind="member", id=str(member_id))
        facts = {"use": str(found.id), "perk": found.perk_code}
        before = {"cancelled": found.cancelled_at is not None}
        audit.record(*(by, "perk_use.cancel"), target=target, before=before, after=facts, now=now)
        return cancelled

    return await transaction(work)


def _answer(use: PerkUse, perk: PerkStanding) -> dict[str, Any]:
    return {
        "use": str(use.id),
        "perk": str(perk.id),
        "remaining": perk.remaining,
        "resets_at": None if perk.resets_at is None else perk.resets_at.isoformat(),
    }


async def _told_again(member_id: UUID, answer: Mapping[str, Any]) -> PerkUsed:
    """The use as it was first answered, whatever was used since."""
    use = await perk_use(member_id, use_id=UUID(answer["use"]))
    if use is None:
        # Two records were joined when it was used, and were parted since: it went with the other.
        raise PerkUseUnknown(field=("idempotency_key",))
    row = await fetch_one(
        f"SELECT {PERK_COLUMNS} FROM perk AS p WHERE p.id = $1", UUID(answer["perk"])
    )
    if row is None:
        return PerkUsed(use=use, perk=None)
    resets_at = answer["resets_at"]
    perk = perk_of(
        row,
        remaining=answer["remaining"],
        resets_at=None if resets_at is None else datetime.fromisoformat(resets_at),
    )
    return PerkUsed(use=use, perk=perk)


_OF_LEVEL: Final = f"""
    SELECT p.level_code, {PERK_COLUMNS}, {used_columns(3)}
    FROM perk AS p
    WHERE p.id = $2 AND p.retired_at IS NULL AND p.level_code = COALESCE(
        (SELECT level_code FROM member_level WHERE member_id = $1),
        (SELECT code FROM level WHERE rank = 0)
    )
"""


async def _of_level(member_id: UUID, perk_id: UUID, *, zone: ZoneInfo, now: datetime) -> _Found:
    """The perk with this id, where the member's level has it. Refused: PerkUnknown."""
    birthday = (await members.members_by_ids([member_id]))[member_id].birthday
    today = now.astimezone(zone).date()
    days = counted_from(today=today, birthday=birthday)
    row = await fetch_one(_OF_LEVEL, member_id, perk_id, *days)
    if row is None:
        raise PerkUnknown(field=("perk_id",))
    period = row["period"]
    return _Found(
        perk=perk_standing(row, today=today, birthday=birthday, zone=zone),
        level_code=row["level_code"],
        today=today,
        span=None if period is None else span(Period(period), today=today, birthday=birthday),
    )


async def _write(command: UsePerk, found: _Found, *, now: datetime) -> PerkUse:
    perk, within = found.perk, found.span
    use = PerkUse(
        member_id=command.member_id,
        id=uuid7(),
        perk_code=perk.code,
        level_code=found.level_code,
        title_zh=perk.title_zh,
        title_en=perk.title_en,
        reference=command.reference,
        used_at=now,
        cancelled_at=None,
    )
    row = {name: getattr(use, name) for name in PerkUse.__slots__ if name != "cancelled_at"}
    row |= {"used_by": command.member_id, "perk_id": perk.id, "used_on": found.today}
    if within is not None:
        row |= {
            "period": within.period.value,
            "began_on": within.began_on,
            "ordinal": await _next_ordinal(use, within),
            "quota": perk.quota,
        }
    await PERK_USES.insert([row])
    event = Event(kind="PerkUsed", member_id=use.member_id, facts=_facts(use))
    await announce([event], now=now)
    return use


async def _next_ordinal(use: PerkUse, within: Span) -> int:
    """The least number that no use of the period has: within the quota, of which some is left."""
    rows = await fetch_all(
        "SELECT ordinal FROM perk_use WHERE used_by = $1 AND perk_code = $2 AND period = $3"
        " AND began_on = $4 AND cancelled_at IS NULL",
        *(use.member_id, use.perk_code, within.period.value, within.began_on),
    )
    return free_ordinal([row["ordinal"] for row in rows])


async def _give_back(use: PerkUse, *, reason: str, now: datetime) -> None:
    await execute(
        "UPDATE perk_use SET cancelled_at = $3, cancel_reason = $4"
        " WHERE member_id = $1 AND id = $2",
        *(use.member_id, use.id, now, reason),
    )
    event = Event(kind="PerkUseCancelled", member_id=use.member_id, facts=_facts(use))
    await announce([event], now=now)


def _facts(use: PerkUse) -> dict[str, str]:
    # Not the reference: an event outlives an erasure.
    return {
        "use": str(use.id),
        "perk": use.perk_code,
        "title_zh": use.title_zh,
        "title_en": use.title_en,
    }
