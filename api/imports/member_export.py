"""Exporting members: the columns that an import reads, a row for each lot of points.

Who has no points has one row; what is said of a member stands in each of their rows. Points that a
till has set aside are the member's. In CSV no cell is one that a spreadsheet would compute, see
`cells`: members choose their nicknames. A file is written under another name and gets its own when
it is complete; only its owner may read it.
"""

from __future__ import annotations

import csv
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

from api.imports.cells import marked
from api.imports.member_rows import SEPARATOR
from api.imports.progress import Reporter
from api.imports.purchase_import import Now
from api.imports.reading import UnusableFile
from domain.custody import ListedMember, OpeningLot, list_members
from domain.ledger import NEVER
from domain.members import BroughtMember, IdentityKind

Row: TypeAlias = dict[str, Any]

COLUMNS: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            *("external_id", "member_id", "phone", "wechat_openid", "wechat_unionid"),
            *("alipay", "shop_card", "nickname", "avatar_url", "gender"),
        ),
        "string",
    ),
    "birthday": "date32",
    "preferred_channel": "string",
    "joined_at": "timestamp",
    "interests": "string",
    "level": "string",
    "level_since": "timestamp",
    "level_keep_until": "timestamp",
    "points": "int64",
    "points_expires_at": "timestamp",
    "points_earned_at": "timestamp",
    "points_matures_at": "timestamp",
    "debt": "int64",
}
"""The columns of an export in their order, and their Parquet types."""


@dataclass(slots=True, kw_only=True)
class ExportCounts:
    """What was written."""

    members: int = 0
    rows: int = 0
    points: int = 0
    in_debt: int = 0


async def export_members(path: Path, *, now: Now, reporter: Reporter) -> ExportCounts:
    """Write all members of the connected database as of one moment to a new file; the counts.

    CSV or Parquet, by the ending. Raises UnusableFile where it is neither, or the file is there.
    """
    form = _form_of(path)
    moment = now()
    with _written_apart(path) as part, reporter.stage("exporting", total=None) as stage:
        targets: list[_Target] = []
        counts = ExportCounts()

        def begin() -> Callable[[Sequence[ListedMember]], None]:
            nonlocal counts
            counts = ExportCounts()
            for earlier in targets:
                earlier.close()
            target = form(part)
            targets.append(target)

            def tell(listed: Sequence[ListedMember]) -> None:
                rows = [row for one in listed for row in rows_of(one)]
                target.write(rows)
                counts.members += len(listed)
                counts.rows += len(rows)
                counts.points += sum(row["points"] or 0 for row in rows)
                counts.in_debt += sum(one.debt > 0 for one in listed)
                stage.advance(len(rows))

            return tell

        try:
            await list_members(begin, now=moment)
        finally:
            for target in targets:
                target.close()
    return counts


def rows_of(listed: ListedMember) -> Iterator[Row]:
    """The member's rows: values by column, None for what is not so."""
    newcomer = listed.newcomer
    said: Row = {
        **_said_of(newcomer.member),
        "level": newcomer.level,
        "level_since": newcomer.level_since,
        "level_keep_until": newcomer.level_keep_until,
        "debt": listed.debt or None,
    }
    for lot in newcomer.lots or (None,):
        row = {**said, **_told_of(lot)}
        yield {column: row[column] for column in COLUMNS}


def _said_of(member: BroughtMember) -> Row:
    subjects: dict[IdentityKind, list[str]] = {}
    for known in member.known_by:
        openid = known.kind is IdentityKind.WECHAT_OPENID
        told = f"{known.app_id}:{known.subject}" if openid else known.subject
        subjects.setdefault(known.kind, []).append(told)
    return {
        "external_id": member.external_id,
        "member_id": None if member.member_id is None else str(member.member_id),
        "phone": member.phone,
        "wechat_openid": SEPARATOR.join(subjects.get(IdentityKind.WECHAT_OPENID, ())) or None,
        # A member has one of each of these; of records that became one, the first counts.
        **{
            kind.value: next(iter(subjects.get(kind, ())), None)
            for kind in (IdentityKind.WECHAT_UNIONID, IdentityKind.ALIPAY, IdentityKind.SHOP_CARD)
        },
        "nickname": member.nickname,
        "avatar_url": member.avatar_url,
        "gender": member.gender,
        "birthday": member.birthday,
        "preferred_channel": member.preferred_channel,
        "joined_at": member.joined_at,
        "interests": SEPARATOR.join(member.themes) or None,
    }


def _told_of(lot: OpeningLot | None) -> Row:
    if lot is None:
        return dict.fromkeys(
            ("points", "points_expires_at", "points_earned_at", "points_matures_at")
        )
    return {
        "points": lot.points,
        "points_expires_at": None if lot.expires_at == NEVER else lot.expires_at,
        "points_earned_at": lot.earned_at,
        "points_matures_at": lot.matures_at,
    }


def _form_of(path: Path) -> type[_Target]:
    forms: dict[str, type[_Target]] = {".csv": _CsvTarget, ".parquet": _ParquetTarget}
    form = forms.get(path.suffix.lower())
    if form is None:
        raise UnusableFile(f"{path}: name a file that ends in .csv or .parquet")
    if path.exists():
        raise UnusableFile(f"{path}: there is such a file already")
    return form


@contextmanager
def _written_apart(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes the file's own in the end; nothing is left of a failure."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield part
        part.replace(path)
    except OSError as failure:
        raise UnusableFile(f"{path}: {failure.strerror or failure}") from failure
    finally:
        part.unlink(missing_ok=True)


class _Target(ABC):
    """A file that rows are written to; opening it empties it."""

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Append rows."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more is written; closing twice is closing once."""


class _CsvTarget(_Target):
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)

    def write(self, rows: Sequence[Row]) -> None:
        self._writer.writerows([_text(value) for value in row.values()] for row in rows)

    def close(self) -> None:
        self._file.close()


class _ParquetTarget(_Target):
    def __init__(self, path: Path) -> None:
        # Only who writes Parquet pays for loading it.
        import pyarrow as pa
        from pyarrow import parquet

        types = {
            "string": pa.string(),
            "int64": pa.int64(),
            "date32": pa.date32(),
            "timestamp": pa.timestamp("us", tz="UTC"),
        }
        self._schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
        self._table = pa.Table.from_pylist
        self._writer = parquet.ParquetWriter(path, self._schema)

    def write(self, rows: Sequence[Row]) -> None:
        if rows:
            self._writer.write_table(self._table(list(rows), schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return marked(value)
    return value.isoformat() if isinstance(value, datetime) else value
