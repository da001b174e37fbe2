"""WeChat's subscribe messages: which templates there are, and how often members allowed each.

A member allows one message at a time, in the mini-program; it tells us, and we count. WeChat has
the last word: where it says that nothing is left (43101), nothing is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from uuid_utils.compat import uuid7

from domain.errors import InvalidInput, UnknownApp
from domain.idempotency import checked_key, digests
from domain.members import IdentityKind, identities, lock_member, recall_own, remember_own
from domain.outbox import Event, announce
from domain.storage import execute, fetch_all, transaction

TEMPLATES_MAX: Final = 5
"""So many templates WeChat asks about at once."""

REMAINING_MAX: Final = 100
"""What is allowed beyond that is not counted."""

_ACCEPTING: Final = "accept-subscribe-messages"

_LIMITS: Final[Mapping[str, int]] = {"thing": 20, "phrase": 5, "name": 10, "character_string": 32}
"""How many characters a keyword takes, by its name without its number."""

# A row leads to the mini-program's user, whoever's record that is by now: it goes back with the
# merge that brought the user.
_ACCEPT: Final = f"""
    INSERT INTO subscribe_consent
        (member_id, id, app_id, openid, template_id, remaining, updated_at, came_with)
    VALUES ($1, $2, $3, $4, $5, 1, $6, (
        SELECT came_with FROM member_identity
        WHERE member_id = $1 AND kind = '{IdentityKind.WECHAT_OPENID.value}'
            AND app_id = $3 AND subject = $4
    ))
    ON CONFLICT (app_id, openid, template_id) DO UPDATE SET
        remaining = CASE WHEN subscribe_consent.remaining < {REMAINING_MAX}
            THEN subscribe_consent.remaining + 1 ELSE {REMAINING_MAX} END,
        came_with = excluded.came_with,
        member_id = excluded.member_id,
        updated_at = excluded.updated_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeTemplate:
    """A template of a mini-program for a kind of notification.

    `values` names for each keyword what fills it: `title`, `body`, `at`, or a fact of the kind.
    """

    template_id: str
    page: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


SubscribeTemplates = Mapping[str, Mapping[str, SubscribeTemplate]]
"""By app id, then by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptSubscribeMessages:
    """What the member allowed in the mini-program just now: one message of each template."""

    member_id: UUID
    app_id: str
    template_ids: Sequence[str]
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeMessages:
    """A template that members may allow messages of, and how many this one has left."""

    template_id: str
    kinds: Sequence[str]
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A message that a member allowed: `id` is that of the row which counts it."""

    id: UUID
    member_id: UUID
    app_id: str
    openid: str = field(repr=False)
    template_id: str


async def accept_subscribe_messages(
    command: AcceptSubscribeMessages, *, templates: SubscribeTemplates, now: datetime
) -> UUID:
    """Count what the member allowed; the id of who they are now. The same key counts once.

    Refused: UnknownApp (also for a mini-program that the member never signed in to), InvalidInput,
    IdempotencyConflict.
    """
    key = checked_key(command.idempotency_key)
    asked = digests({"app_id": command.app_id, "template_ids": sorted(command.template_ids)})

    async def work() -> UUID:
        member_id = await lock_member(command.member_id)
        if await recall_own(_ACCEPTING, command.member_id, key=key, digests=asked) is None:
            _check(command, templates)
            await _count(member_id, command, now=now)
            await remember_own(
                _ACCEPTING, command.member_id, key=key, digests=asked, answer=True, now=now
            )
        return member_id

    return await transaction(work)


def _check(command: AcceptSubscribeMessages, templates: SubscribeTemplates) -> None:
    known = {one.template_id for one in templates.get(command.app_id, {}).values()}
    if not known:
        raise UnknownApp(field=("app_id",))
    if not 1 <= len(set(command.template_ids)) == len(command.template_ids) <= TEMPLATES_MAX:
        raise InvalidInput(field=("template_ids",), rule=f"1 to {TEMPLATES_MAX}, each once")
    for place, one in enumerate(command.template_ids):
        if one not in known:
            raise InvalidInput(field=("template_ids", str(place)), rule="a template of the app")


async def _count(member_id: UUID, command: AcceptSubscribeMessages, *, now: datetime) -> None:
    openid = await _openid_of(member_id, command.app_id)
    # In one order, so that two requests never wait in a circle.
    for one in sorted(command.template_ids):
        await execute(_ACCEPT, member_id, uuid7(), command.app_id, openid, one, now)
    facts = {"app_id": command.app_id, "templates": len(command.template_ids)}
    event = Event(kind="SubscribeMessagesAccepted", member_id=member_id, facts=facts)
    await announce([event], now=now)


async def subscribe_messages(
    member_id: UUID, app_id: str, *, templates: SubscribeTemplates
) -> Sequence[SubscribeMessages]:
    """The templates of the mini-program, by id; nothing for one that is not known."""
    kinds: dict[str, list[str]] = {}
    for kind, one in sorted(templates.get(app_id, {}).items()):
        kinds.setdefault(one.template_id, []).append(kind)
    rows = await fetch_all(
        "SELECT template_id, SUM(remaining) AS remaining FROM subscribe_consent"
        " WHERE member_id = $1 AND app_id = $2 GROUP BY template_id",
        *(member_id, app_id),
    )
    left = {row["template_id"]: int(row["remaining"]) for row in rows}
    return [
        SubscribeMessages(template_id=one, kinds=named, remaining=left.get(one, 0))
        for one, named in sorted(kinds.items())
    ]


async def allowed_of(member_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Allowed]]:
    """What the members allowed and was not used, the newest first; in one statement."""
    rows = await fetch_all(
        "SELECT id, member_id, app_id, openid, template_id FROM subscribe_consent"
        " WHERE member_id = ANY($1::uuid[]) AND remaining > 0 ORDER BY updated_at DESC, id",
        list(member_ids),
    )
    found: dict[UUID, list[Allowed]] = {}
    for row in rows:
        found.setdefault(row["member_id"], []).append(Allowed(**dict(row)))
    return found


def allowed_for(
    kind: str, allowed: Sequence[Allowed], templates: SubscribeTemplates
) -> tuple[Allowed, SubscribeTemplate] | None:
    """By which of them the member can be told of the kind."""
    for one in allowed:
        template = templates.get(one.app_id, {}).get(kind)
        if template is not None and template.template_id == one.template_id:
            return one, template
    return None


async def take_one(allowed: Allowed) -> bool:
    """Use one message up, before it is sent; False where somebody else took the last."""
    return bool(
        await execute(
            "UPDATE subscribe_consent SET remaining = remaining - 1"
            " WHERE id = $1 AND remaining > 0"
            " AND app_id = $2 AND openid = $3 AND template_id = $4",
            *(allowed.id, allowed.app_id, allowed.openid, allowed.template_id),
        )
    )


async def give_back(allowed: Allowed) -> None:
    """Count one again that was surely not sent."""
    await execute(
        f"UPDATE subscribe_consent SET remaining = remaining + 1"
        f" WHERE app_id = $1 AND openid = $2 AND template_id = $3 AND remaining < {REMAINING_MAX}",
        *(allowed.app_id, allowed.openid, allowed.template_id),
    )


async def none_left(allowed: Allowed) -> None:
    """WeChat says that nothing is left."""
    await execute(
        "UPDATE subscribe_consent SET remaining = 0"
        " WHERE app_id = $1 AND openid = $2 AND template_id = $3",
        *(allowed.app_id, allowed.openid, allowed.template_id),
    )


def filled(template: SubscribeTemplate, known: Mapping[str, str]) -> Mapping[str, str]:
    """The text of each keyword, cut to what it takes: WeChat refuses what is longer, or empty."""
    values = {}
    for keyword, source in template.values.items():
        text = known.get(source) or "-"
        limit = _LIMITS.get(keyword.rstrip("0123456789"))
        values[keyword] = text if limit is None else text[:limit]
    return values


async def _openid_of(member_id: UUID, app_id: str) -> str:
    """Who the member is in the mini-program, the newest where they are several. UnknownApp."""
    openids = [
        one.subject
        for one in await identities(member_id)
        if one.kind is IdentityKind.WECHAT_OPENID and one.app_id == app_id
    ]
    if not openids:
        raise UnknownApp(field=("app_id",))
    return openids[-1]
