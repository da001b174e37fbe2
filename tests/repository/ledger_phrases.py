"""The commands of the worked examples of docs/ledger.md, from their words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from domain.ledger.commands import (
    Adjust,
    Capture,
    Command,
    Earn,
    GiveBack,
    Key,
    Mature,
    Redeem,
    Release,
    SetAside,
    TakeBack,
    Transfer,
)
from domain.ledger.entries import Source
from tests.repository.ledger_notation import Row, moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a phrase says: its words by name, whose account it is about, and when it is said."""

    words: dict[str, str | None]
    member_id: UUID
    when: datetime
    run: UUID

    @property
    def points(self) -> int:
        return int(self["points"])

    @property
    def entry(self) -> int:
        return int(self["entry"])

    def __getitem__(self, name: str) -> str:
        word = self.words[name]
        assert word is not None, name
        return word

    def has(self, name: str) -> bool:
        return self.words[name] is not None

    def known_as(self, name: str) -> UUID:
        """The id of what an example calls `name`, in this run of it."""
        return uuid5(self.run, self[name])


def command_of(row: Row, *, run: UUID) -> Command:
    """The command of a row, for the members of this run."""
    text, _, key = row["command"].partition(", key ")
    for pattern, make in _PHRASES.items():
        if found := re.fullmatch(pattern, text):
            said = Said(
                words=found.groupdict(),
                member_id=uuid5(run, row.member),
                when=row.when,
                run=run,
            )
            command = make(said)
            return replace(command, key=Key(scope=str(run), key=key)) if key else command
    raise ValueError(f"no phrase of the notation: {text}")


def _earn(said: Said) -> Command:
    return Earn(
        member_id=said.member_id,
        points=said.points,
        source=Source(kind="purchase", reference="order"),
        effective_at=moment(said["as_of"]) if said.has("as_of") else said.when,
        matures_at=moment(said["matures"]) if said.has("matures") else None,
        expires_at=moment(said["expires"]),
    )


def _redeem(said: Said) -> Command:
    source = Source(kind="reward", reference="gift")
    return Redeem(member_id=said.member_id, points=said.points, source=source)


def _mature(said: Said) -> Command:
    source = Source(kind="delivery", reference="parcel")
    return Mature(member_id=said.member_id, entry_seq=said.entry, source=source)


def _hold(said: Said) -> Command:
    return SetAside(
        member_id=said.member_id,
        hold_id=said.known_as("hold"),
        owner="shop",
        points=said.points,
        expires_at=moment(said["until"]),
        source=Source(kind="checkout", reference=said["hold"]),
    )


def _capture(said: Said) -> Command:
    return Capture(
        member_id=said.member_id,
        hold_id=said.known_as("hold"),
        points=said.points if said.has("points") else None,
        source=Source(kind="checkout", reference=said["hold"]),
    )


def _release(said: Said) -> Command:
    source = Source(kind="checkout", reference=said["hold"])
    return Release(member_id=said.member_id, hold_id=said.known_as("hold"), source=source)


def _take_back(said: Said) -> Command:
    return TakeBack(
        member_id=said.member_id,
        entry_seq=said.entry,
        points=said.points,
        source=Source(kind="refund", reference=said["cause"]),
    )


def _give_back(said: Said) -> Command:
    return GiveBack(
        member_id=said.member_id,
        entry_seq=said.entry,
        points=said.points,
        grace_until=moment(said["grace"]),
        source=Source(kind="refund", reference=said["cause"]),
    )


def _transfer(said: Said) -> Command:
    return Transfer(
        member_id=said.member_id,
        to_member_id=said.known_as("to"),
        points=said.points,
        source=Source(kind="transfer", reference=said.when.isoformat()),
    )


def _adjust(said: Said) -> Command:
    return Adjust(
        member_id=said.member_id,
        points=said.points,
        reason="a correction",
        source=Source(kind="adjustment", reference=said.when.isoformat()),
        expires_at=moment(said["expires"]) if said.has("expires") else said.when,
    )


_PHRASES: dict[str, Callable[[Said], Command]] = {
    r"earn (?P<points>\d+)(?: as of (?P<as_of>[^,]+))?(?:, matures (?P<matures>[^,]+))?"
    r", expires (?P<expires>[^,]+)": _earn,
    r"redeem (?P<points>\d+)": _redeem,
    r"mature entry (?P<entry>\d+)": _mature,
    r"hold (?P<points>\d+) as (?P<hold>\w+) until (?P<until>[^,]+)": _hold,
    r"capture (?:(?P<points>\d+) of )?(?P<hold>\w+)": _capture,
    r"release (?P<hold>\w+)": _release,
    r"take back (?P<points>\d+) of entry (?P<entry>\d+) for (?P<cause>\w+)": _take_back,
    r"give back (?P<points>\d+) of entry (?P<entry>\d+) for (?P<cause>\w+)"
    r", grace until (?P<grace>[^,]+)": _give_back,
    r"transfer (?P<points>\d+) to (?P<to>\w+)": _transfer,
    r"adjust (?P<points>[+-]\d+)(?:, expires (?P<expires>[^,]+))?": _adjust,
}
"""How each command is written; what is said is handed to its maker."""
