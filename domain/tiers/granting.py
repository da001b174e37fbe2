"""Levels that staff grants: for a reason, and until a moment.

A grant is never below what was earned: the level is the higher of the two. While it lasts, what is
reached by purchases is kept beside it, and holds when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain import audit
from domain.audit import Actor, Target
from domain.errors import InvalidInput, LevelGrantUnknown, LevelUnknown, MemberNotFound
from domain.ledger import lock_named
from domain.members import ById, MemberRef
from domain.program import program
from domain.storage import Row, fetch_all, transaction
from domain.texts import clean_text
from domain.tiers.careers import Because
from domain.tiers.criteria import Criteria
from domain.tiers.holdings import Stored, load_careers, load_days, write_careers
from domain.tiers.level_rules import read_ladder
from domain.tiers.terms import Term, TermKind

REASON_CHARACTERS_MAX: Final = 500
SOURCE_KIND: Final = "grant"
GRANT_LASTS_MAX: Final = timedelta(days=3_653)
"""Ten years, however many leap years are among them: a grant for longer is a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLevel:
    """Give a member a level above the base until a moment, exclusive."""

    member: MemberRef
    level: str
    reason: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelGrant:
    """A level that staff granted: since when, until when (exclusive), and why.

    `ended_at` is when staff ended it before its time, None while it lasts.
    """

    id: UUID
    member_id: UUID
    level_code: str
    reason: str
    since: datetime
    until: datetime
    ended_at: datetime | None = None


async def grant_level(command: GrantLevel, *, by: Actor, now: datetime) -> LevelGrant:
    """Grant a level. A grant that stands so already is answered with that one.

    Refused: InvalidInput, LevelUnknown, MemberNotFound.
    """
    reason = clean_text(
        command.reason,
        field=("reason",),
        characters_min=1,
        characters_max=REASON_CHARACTERS_MAX,
    )
    if not now < command.until <= now + GRANT_LASTS_MAX:
        raise InvalidInput(field=("until",), rule="a moment in the future, at most ten years ahead")

    async def work() -> LevelGrant:
        stored = await _locked(command.member, level=command.level, now=now)
        career = stored.career
        same = [
            term
            for term in career.terms.values()
            if (term.level_code, term.reason, term.keep_until)
            == (command.level, reason, command.until)
        ]
        term = same[0] if same else _term(command, reason=reason, stored=stored, now=now)
        if not same:
            career.add(term, because=Because.GRANTED, at=now)
        _record(by, "level.grant", term, stored, now=now)
        await write_careers([stored], sources={career.member_id: SOURCE_KIND}, now=now)
        return _grant_of(term, career.member_id)

    return await transaction(work)


async def end_level_grant(grant_id: UUID, *, by: Actor, now: datetime) -> LevelGrant:
    """End a grant now: the level is what stands otherwise. Answers the grant as it ended.

    Refused: LevelGrantUnknown, also where it has ended already.
    """

    async def work() -> LevelGrant:
        row = await _find(grant_id)
        if row is None:
            raise LevelGrantUnknown(field=("grant_id",))
        # Where the record leads elsewhere, the keeper has a grant of its own.
        stored = await _locked(ById(row["member_id"]), now=now)
        career = stored.career
        term = career.terms.get(grant_id)
        if career.member_id != row["member_id"] or term is None:
            raise LevelGrantUnknown(field=("grant_id",))
        career.drop([grant_id])
        career.arrive(Because.GRANT_ENDED, points=0, at=now)
        _record(by, "level.end_grant", term, stored, now=now)
        await write_careers([stored], sources={career.member_id: SOURCE_KIND}, now=now)
        return replace(_grant_of(term, career.member_id), ended_at=now)

    return await transaction(work)


async def level_grants(member_id: UUID) -> list[LevelGrant]:
    """The grants of a member that have not ended, the latest first; at most a hundred."""
    rows = await fetch_all(
        "SELECT id, level_code, reason, since, keep_until FROM level_term"
        " WHERE member_id = $1 AND kind = 'GRANTED' ORDER BY since DESC, id DESC LIMIT 100",
        member_id,
    )
    return [
        LevelGrant(
            id=row["id"],
            member_id=member_id,
            level_code=row["level_code"],
            reason=row["reason"],
            since=row["since"],
            until=row["keep_until"],
        )
        for row in rows
    ]


async def _find(grant_id: UUID) -> Row | None:
    rows = await fetch_all(
        "SELECT member_id FROM level_term WHERE id = $1 AND kind = 'GRANTED'", grant_id
    )
    return rows[0] if rows else None


async def _locked(member: MemberRef, *, level: str | None = None, now: datetime) -> Stored:
    """The member's career under lock, with what is due settled; `level` is one above the base."""
    ladder = await read_ladder()
    ranks = ladder.ranks if ladder else {}
    if ladder is None or (level is not None and level not in ranks):
        raise LevelUnknown(field=("level",))
    if level is not None and not ranks[level]:
        raise InvalidInput(field=("level",), rule="a level above the base")
    [member_id], _ = await lock_named([member])
    if member_id is None:
        raise MemberNotFound(field=("member",))
    zone = (await program()).zone
    careers = await load_careers([member_id], ladder=ladder, zone=zone)
    await load_days(careers.values(), now=now)
    careers[member_id].career.settle(now=now)
    return careers[member_id]


def _term(command: GrantLevel, *, reason: str, stored: Stored, now: datetime) -> Term:
    held = stored.career.held(now=now)
    return Term(
        id=uuid7(),
        level_code=command.level,
        kind=TermKind.GRANTED,
        since=now,
        keep_until=command.until,
        keep_after_day=held.keep_after_day,
        basis_after_day=held.keep_after_day,
        asked=Criteria(),
        reason=reason,
    )


def _grant_of(term: Term, member_id: UUID) -> LevelGrant:
    assert term.reason is not None, "a grant has a reason"
    return LevelGrant(
        id=term.id,
        member_id=member_id,
        level_code=term.level_code,
        reason=term.reason,
        since=term.since,
        until=term.keep_until,
    )


def _record(by: Actor, action: str, term: Term, stored: Stored, *, now: datetime) -> None:
    """The reason may tell of a person, so it stays with the grant."""
    facts: dict[str, Any] = {
        "grant": str(term.id),
        "level": term.level_code,
        "until": term.keep_until.isoformat(),
    }
    audit.record(
        by,
        action,
        target=Target(kind="member", id=str(stored.career.member_id)),
        before={"level": stored.code},
        after=facts | {"holds": stored.career.code},
        now=now,
    )
