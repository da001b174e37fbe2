"""Posting: the one way in which points move, batch first.

Lock, replay, read, decide (pure), write, announce: one transaction, a fixed number of statements
whatever the size of the batch. A batch of one is the single mutation.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

import structlog

from domain import idempotency
from domain.errors import AccountFrozen, EntryNotReversible, IdempotencyConflict, Refusal
from domain.idempotency import Digests
from domain.ledger.book import Book, Books
from domain.ledger.commands import (
    Command,
    Earn,
    GiveBack,
    Key,
    Mature,
    Place,
    Posted,
    TakeBack,
    hold_ids_of,
    members_of,
    past_of,
    spent_by,
)
from domain.ledger.deciding import after, check, decide
from domain.ledger.entries import Entry, EntryKind, Past
from domain.ledger.heirs import Heirs, open_heirs
from domain.ledger.loading import load_open_lots, load_past
from domain.ledger.merge_decisions import check_room_for
from domain.ledger.origins import handing_writes
from domain.ledger.store import open_books, remove_unused, write_books
from domain.outbox import Event, announce
from domain.storage import Write, inside_transaction, transaction

log = structlog.get_logger("jifen.ledger")

BATCH_MAX = 1_000
"""Commands that one posting may carry; what is larger is split by its caller."""

Outcome = Posted | Refusal


Beside = Callable[[Posted], Iterable[Write]]
"""What is to be written together with what a command does, by its outcome."""


async def post(
    commands: Sequence[Command], *, now: datetime, books: Books | None = None
) -> list[Outcome]:
    """Post the commands; returns an outcome for each, in order.

    A refused command is a Refusal in its place and changes nothing; the others take effect. Keys
    that were used before, also earlier in this very batch, give their first result. Of an account
    whose rows contradict each other every command is refused with AccountFrozen, and an alert is
    raised. Joins the caller's transaction where there is one.

    `books` are those that `lock_accounts` gave the caller for all that the commands concern, in
    the same transaction; they serve one posting. Without them the accounts are locked here.
    """
    assert len(commands) <= BATCH_MAX, "the caller splits larger batches"
    assert books is None or inside_transaction(), "a lock ends with its transaction"
    if not commands:
        return []
    return await transaction(lambda: _post(commands, now=now, books=books))


async def post_one(
    command: Command, *, now: datetime, books: Books | None = None, beside: Beside | None = None
) -> Posted:
    """Post one command, or raise its refusal. For `books` see `post`.

    What `beside` gives is written in the same statement on PostgreSQL, which saves its journey; so
    it must be of other tables. The command must have no key, for a replay writes nothing.
    """
    assert beside is None or command.key is None, "a replay writes nothing"
    [outcome] = await transaction(lambda: _post([command], now=now, books=books, beside=beside))
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome


class UnsoundError(Exception):
    """What is stored of these members contradicts itself: nothing can be decided by it."""

    def __init__(self, *member_ids: UUID) -> None:
        self.member_ids = member_ids


async def _post(
    commands: Sequence[Command],
    *,
    now: datetime,
    books: Books | None,
    beside: Beside | None = None,
) -> list[Outcome]:
    unsound: frozenset[UUID] = frozenset()
    while True:
        try:
            return await _post_but(unsound, commands, now=now, locked=books, beside=beside)
        except UnsoundError as found:
            # What was decided in them before the fault was found does not hold.
            books = None
            # Nothing is written yet. The others of the batch shall not suffer for one account.
            log.error("ledger_unsound", members=found.member_ids, exc_info=found.__cause__)
            unsound |= frozenset(found.member_ids)


async def _post_but(
    unsound: frozenset[UUID],
    commands: Sequence[Command],
    *,
    now: datetime,
    locked: Books | None,
    beside: Beside | None,
) -> list[Outcome]:
    """Post the commands; those that concern an unsound account are refused as if it was frozen."""
    outcomes: dict[int, Outcome] = {}
    sound: dict[int, Command] = {}
    for index, command in enumerate(commands):
        try:
            check(command)
            if not unsound.isdisjoint(members_of(command)):
                raise AccountFrozen
            sound[index] = command
        except Refusal as refusal:
            outcomes[index] = refusal
    books = await open_books(
        {member_id for command in sound.values() for member_id in members_of(command)},
        now=now,
        locked=locked,
    )
    digests = {index: _digests(command) for index, command in sound.items() if command.key}
    heirs = await open_heirs(books, sound.values(), now=now)
    if heirs.books:
        books |= {heir.member_id: heir for heir in heirs.books.values()}
        sound, refused = _aimed(sound, heirs)
        outcomes |= refused
    earlier = await _recall(sound, digests)
    fresh = [command for command in sound.values() if command.key not in earlier]
    await load_open_lots(
        _books_that_need_lots(books, fresh, now=now),
        needed=spent_by(fresh),
        hold_ids=hold_ids_of(fresh),
        now=now,
    )
    past = await load_past(books, {place for one in fresh if (place := past_of(one))})

    answers: dict[Key, tuple[Digests, Posted]] = {}
    others: list[Write] = []
    moved: dict[UUID, Book] = {}
    for index, command in sound.items():
        key = command.key
        try:
            if key is not None and (key in earlier or key in answers):
                outcomes[index] = _replay(key, digests[index], earlier=earlier, answers=answers)
                continue
            posted = apply_command(command, books, past, heirs=heirs, now=now)
        except Refusal as refusal:
            outcomes[index] = refusal
            continue
        outcomes[index] = posted
        moved.update((book.member_id, book) for book in concerned_by(command, books, heirs))
        if key is not None:
            answers[key] = (digests[index], posted)
        if beside is not None:
            others += beside(posted)

    # A book in which nothing succeeded is dropped whole, its due changes included: a refusal
    # changes nothing, and readers compute what is due anyway.
    others += handing_writes(heirs.handings)
    await write_books(list(moved.values()), beside=[*_remembering(answers, now=now), *others])
    await remove_unused([book for book in books.values() if book.member_id not in moved])
    await announce((event_of(e) for book in moved.values() for e in book.entries), now=now)
    return [outcomes[index] for index in range(len(commands))]


def _aimed(
    commands: dict[int, Command], heirs: Heirs
) -> tuple[dict[int, Command], dict[int, Refusal]]:
    """The commands at accounts that are open; refused is what comes to a gift to oneself."""
    aimed: dict[int, Command] = {}
    refused: dict[int, Refusal] = {}
    for index, command in commands.items():
        try:
            aimed[index] = heirs.aimed(command)
            check(aimed[index])
        except Refusal as refusal:
            refused[index] = refusal
            del aimed[index]
    return aimed, refused


def concerned_by(command: Command, books: Mapping[UUID, Book], heirs: Heirs) -> list[Book]:
    """The books that the command changes, in the order in which they are decided."""
    heir = heirs.of(command)
    concerned = [books[member_id] for member_id in members_of(command)]
    return concerned if heir is None else [*concerned, heir]


def apply_command(
    command: Command,
    books: dict[UUID, Book],
    past: dict[Place, Past],
    *,
    heirs: Heirs,
    now: datetime,
) -> Posted:
    """Decide a command in the books, which are loaded, and change them. Raises its refusals."""
    concerned = concerned_by(command, books, heirs)
    for book in concerned:
        settle(book, now=now)
    place = past_of(command)
    undone = None
    if place is not None:
        undone = past.get(place)
        if undone is None:
            raise EntryNotReversible(entry=place[1], kind=None)
    try:
        entry = _decided(command, concerned, undone, heirs=heirs, now=now)
    except AssertionError as fault:
        raise UnsoundError(*members_of(command)) from fault
    if place is not None and undone is not None:
        past[place] = after(undone, concerned[0])
    # A backdated lot may have matured or expired already.
    for book in concerned:
        settle(book, now=now)
    return Posted(
        member_id=entry.member_id,
        seq=entry.seq,
        kind=entry.kind,
        amount=entry.amount,
        balance_after=entry.balance_after,
    )


def _decided(
    command: Command, books: list[Book], past: Past | None, *, heirs: Heirs, now: datetime
) -> Entry:
    if past is None or heirs.of(command) is None:
        return decide(command, books, past, now=now, salt=new_salt)
    closed, heir = books
    if isinstance(command, Mature):
        # What waits to mature went over: it is a lot of the heir's.
        past = replace(past, lots=heirs.lots_of(command, past))
        return decide(command, [heir], past, now=now, salt=new_salt)
    assert isinstance(command, TakeBack | GiveBack)
    # Checked first, so that it cannot be refused half-way.
    check_room_for(heir, points=command.points, debt=command.points)
    entry = decide(command, [closed], past, now=now, salt=new_salt)
    heirs.carry(command, closed, past, now=now, salt=new_salt)
    return entry


def settle(book: Book, *, now: datetime) -> None:
    """Write what is due in the book, whose lots are loaded. UnsoundError where it cannot be."""
    try:
        book.settle(now=now, salt=new_salt)
    except AssertionError as fault:
        raise UnsoundError(book.member_id) from fault


def new_salt() -> bytes:
    """Sixteen random bytes, for the commitment to an entry's texts."""
    return secrets.token_bytes(16)


def _books_that_need_lots(
    books: dict[UUID, Book], commands: Iterable[Command], *, now: datetime
) -> list[Book]:
    """Those with something due or something to spend; a plain earning needs no lot but its own."""
    needy = {
        member_id
        for command in commands
        for member_id in members_of(command)
        if not isinstance(command, Earn)
        or command.expires_at <= now
        or (command.matures_at is not None and command.effective_at < command.matures_at <= now)
        or books[member_id].next_change_at <= now
    }
    return [books[member_id] for member_id in needy if not books[member_id].lots_complete]


def _digests(command: Command) -> dict[str, str]:
    kind = type(command)
    values = {name: getattr(command, name) for name in _INPUT_FIELDS[kind]}
    return idempotency.digests({"command": kind.__name__, **values})


_INPUT_FIELDS: Final = {
    kind: tuple(field.name for field in fields(kind) if field.name != "key")
    for kind in get_args(Command)
}
"""What a key is compared by: all that a command says but the key itself."""


async def _recall(
    commands: dict[int, Command], digests: dict[int, dict[str, str]]
) -> dict[Key, idempotency.Recalled]:
    by_scope: dict[str, dict[str, Digests]] = {}
    for index, command in commands.items():
        if command.key is not None:
            by_scope.setdefault(command.key.scope, {}).setdefault(command.key.key, digests[index])
    return {
        Key(scope=scope, key=key): recalled
        for scope, inputs in by_scope.items()
        for key, recalled in (await idempotency.recall(scope, inputs)).items()
    }


def _replay(
    key: Key,
    digests: Digests,
    *,
    earlier: dict[Key, idempotency.Recalled],
    answers: dict[Key, tuple[Digests, Posted]],
) -> Posted:
    """The first result of a key; refused with IdempotencyConflict where the input differs."""
    if key in answers:
        first_digests, posted = answers[key]
        differing = tuple(n for n in sorted(digests) if digests[n] != first_digests.get(n))
        facts = _facts(posted)
    else:
        recalled = earlier[key].compared_with(digests)
        differing, facts = recalled.differing, recalled.result
    if differing:
        raise IdempotencyConflict(key=key.key, differing=differing)
    return _posted(facts)


def _remembering(answers: dict[Key, tuple[Digests, Posted]], *, now: datetime) -> Iterator[Write]:
    by_scope: dict[str, dict[str, tuple[Digests, Any]]] = {}
    for key, (digests, posted) in answers.items():
        by_scope.setdefault(key.scope, {})[key.key] = (digests, _facts(posted))
    for scope, entries in by_scope.items():
        yield idempotency.remembering(scope, entries, now=now)


def _facts(posted: Posted) -> dict[str, Any]:
    return {
        "member_id": str(posted.member_id),
        "seq": posted.seq,
        "kind": posted.kind.value,
        "amount": posted.amount,
        "balance_after": posted.balance_after,
    }


def _posted(facts: dict[str, Any]) -> Posted:
    return Posted(
        member_id=UUID(facts["member_id"]),
        seq=facts["seq"],
        kind=EntryKind(facts["kind"]),
        amount=facts["amount"],
        balance_after=facts["balance_after"],
        replayed=True,
    )


def event_of(entry: Entry) -> Event:
    """What is announced of an entry."""
    return Event(
        kind="PointsChanged",
        member_id=entry.member_id,
        facts={
            "seq": entry.seq,
            "kind": entry.kind.value,
            "amount": entry.amount,
            "available": entry.balance_after,
            "effective_at": entry.effective_at.isoformat(),
        },
    )
