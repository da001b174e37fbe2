"""Rows of a file put together into members.

The rows of one member may stand anywhere in a file, and a file may be larger than memory: they are
staged in a private SQLite database, which spills to disk, and read back member by member.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from api.imports.member_rows import SEPARATOR, Lot, MemberRow, Said
from api.imports.rejects import Reject, RejectCode
from api.imports.values import moment_of
from domain.custody import Newcomer, OpeningLot
from domain.ledger import NEVER
from domain.members import BroughtMember, IdentityKind, Known

_CACHE_KIB: Final = 64 * 1024
_TABLE: Final = "CREATE TABLE line (external_id TEXT, row INTEGER, said TEXT, lots TEXT)"
_BY_MEMBER: Final = "SELECT external_id, row, said, lots FROM line ORDER BY external_id, row"
_AS_GOOD_AS_NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_IDENTITIES: Final = {
    "wechat_unionid": IdentityKind.WECHAT_UNIONID,
    "alipay": IdentityKind.ALIPAY,
    "shop_card": IdentityKind.SHOP_CARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedMember:
    """A member as the file tells them, and the numbers of their rows."""

    newcomer: Newcomer
    rows: Sequence[int]


class MemberStaging:
    """The rows of one file."""

    def __init__(self) -> None:
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = OFF")
        self._store.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._store.execute(_TABLE)

    def add(self, rows: Iterable[tuple[int, MemberRow]]) -> None:
        """Stage rows, each with its number."""
        self._store.executemany(
            "INSERT INTO line VALUES (?, ?, ?, ?)",
            (
                (row.external_id, number, json.dumps(row.said), json.dumps(row.lots))
                for number, row in rows
            ),
        )

    def add_refused(self, rows: Iterable[tuple[int, str]]) -> None:
        """Stage whose rows are refused: the others of the same member are refused with them."""
        self._store.executemany(
            "INSERT INTO line (row, external_id) VALUES (?, ?)",
            rows,
        )

    def members(self, *, lots_max: int) -> Iterator[StagedMember | list[tuple[int, Reject]]]:
        """Every member, in the order of their external ids; or the rows that make none."""
        for external_id, group in groupby(self._store.execute(_BY_MEMBER), key=itemgetter(0)):
            yield _Gathered(external_id, lots_max=lots_max).gather(group)

    def close(self) -> None:
        """Forget everything."""
        self._store.close()


@dataclass(slots=True)
class _Gathered:
    """What the rows of one member come to."""

    external_id: str
    lots_max: int = field(kw_only=True)
    said: Said = field(default_factory=dict)
    lots: list[Lot] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    fault: Reject | None = None

    def gather(self, group: Iterable[Sequence[Any]]) -> StagedMember | list[tuple[int, Reject]]:
        """The member; or their rows, each with the reason why there is none."""
        for _, row, said, lots in group:
            if said is None:
                reason = f"row {row}, of the same member, is rejected"
                self.fault = self.fault or Reject(RejectCode.MEMBER_REJECTED.value, reason)
                continue
            self.rows.append(row)
            self._add(json.loads(said), [Lot(*lot) for lot in json.loads(lots)], row=row)
        if self.fault is not None:
            return [(row, self.fault) for row in self.rows]
        return StagedMember(
            newcomer=newcomer_of(self.external_id, self.said, self.lots), rows=self.rows
        )

    def _add(self, said: Said, lots: Sequence[Lot], *, row: int) -> None:
        for name, value in said.items():
            if self.said.setdefault(name, value) != value:
                reason = f"row {row} says another {name} than a row before it"
                self.fault = self.fault or Reject(RejectCode.ROWS_DIFFER.value, reason)
        if len(self.lots) + len(lots) > self.lots_max:
            reason = f"a member brings at most {self.lots_max} lots"
            self.fault = self.fault or Reject(RejectCode.LOTS_INVALID.value, reason)
            return
        self.lots += lots


def newcomer_of(external_id: str, said: Said, lots: Sequence[Lot]) -> Newcomer:
    """The member of whom this is said, with these lots."""
    told: dict[str, Any] = dict(said)
    return Newcomer(
        member=BroughtMember(
            external_id=external_id,
            member_id=UUID(told["member_id"]) if "member_id" in told else None,
            phone=told.get("phone"),
            known_by=tuple(_known_by(told)),
            nickname=told.get("nickname"),
            avatar_url=told.get("avatar_url"),
            birthday=date.fromisoformat(told["birthday"]) if "birthday" in told else None,
            gender=told.get("gender"),
            preferred_channel=told.get("preferred_channel"),
            joined_at=_moment(told.get("joined_at")),
            themes=tuple(told["interests"].split(SEPARATOR)) if told.get("interests") else (),
        ),
        lots=tuple(
            OpeningLot(
                points=lot.points,
                expires_at=_expiry(lot.expires_us),
                earned_at=_moment(lot.earned_us),
                matures_at=_moment(lot.matures_us),
            )
            for lot in lots
        ),
        level=told.get("level"),
        level_since=_moment(told.get("level_since")),
        level_keep_until=_moment(told.get("level_keep_until")),
    )


def _known_by(told: dict[str, Any]) -> Iterator[Known]:
    for openid in told["wechat_openid"].split(SEPARATOR) if "wechat_openid" in told else ():
        app_id, _, subject = openid.partition(":")
        yield Known(kind=IdentityKind.WECHAT_OPENID, app_id=app_id, subject=subject)
    for name, kind in _IDENTITIES.items():
        if name in told:
            yield Known(kind=kind, app_id="", subject=told[name])


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else moment_of(microseconds)


def _expiry(microseconds: int | None) -> datetime:
    """The moment; the year 9999 means never, as it does elsewhere."""
    if microseconds is None:
        return NEVER
    moment = moment_of(microseconds)
    return NEVER if moment >= _AS_GOOD_AS_NEVER else moment
