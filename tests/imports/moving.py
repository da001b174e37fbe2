"""Files of members that are made here, and programmes that they are moved into."""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from api.imports import member_import
from api.imports.mapping import MEMBER_FIELDS, column_mapping
from api.imports.member_import import MemberCounts, MemberImport
from api.imports.member_rows import MemberForm
from api.imports.progress import Reporter
from api.imports.reading import CsvForm, open_source
from domain import storage
from tests.domain.access.fixtures import NOW
from tests.domain.tiers.levels import SHANGHAI
from tests.graphql.programme import set_up_programme
from tests.imports.running import run, start

HEADER: Final = (
    *("external_id", "phone", "nickname", "gender", "birthday", "preferred_channel", "joined_at"),
    *("interests", "level", "level_keep_until", "points", "points_expires_at"),
)

_SUMMARY = re.compile(
    r"(?P<rows>[\d,]+) rows: (?P<imported>[\d,]+) imported, (?P<known>[\d,]+) there already, "
    r"(?P<rejected>[\d,]+) rejected, (?P<members>[\d,]+) members \((?P<created>[\d,]+) new\), "
    r"(?P<lots>[\d,]+) lots, (?P<points>[\d,]+) points; (?P<rate>[\d,]+) rows/s"
)
_BROUGHT = re.compile(rb"importing: ([\d,]+) of [\d,]+ rows \(([\d,]+) rows/s\)")


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import of members says at its end; all of this run but `known`."""

    rows: int
    imported: int
    known: int
    rejected: int
    members: int
    created: int
    lots: int
    points: int
    rate: int


async def prepare(url: str) -> None:
    """The tests' programme in the database: its levels and themes."""
    await storage.connect(url)
    try:
        await set_up_programme(now=NOW)
    finally:
        await storage.close()


def write(path: Path, rows: Iterable[Mapping[str, Any]], header: Sequence[str] = HEADER) -> Path:
    """A CSV file of these rows; what a row does not have is blank."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def rejected(path: Path) -> list[tuple[str, str]]:
    """Number and code of each rejected row."""
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["row"], row["code"]) for row in csv.DictReader(file)]


async def import_members(
    url: str, file: Path, *, rejects: Path | None = None, columns: Mapping[str, str] | None = None
) -> MemberCounts:
    """Import members in this process; what came of the file. `columns` says field=column."""
    source = open_source(file, csv_form=CsvForm())
    given = [f"{field}={column}" for field, column in (columns or {}).items()]
    command = MemberImport(
        file=source,
        mapping=column_mapping(MEMBER_FIELDS, header=source.columns, given=given),
        form=MemberForm(zone=SHANGHAI),
        rejects_path=rejects or file.with_suffix(".rejects"),
    )
    await storage.connect(url)
    try:
        return await member_import.import_members(
            command, now=lambda: datetime.now(UTC), reporter=Reporter()
        )
    finally:
        await storage.close()


async def run_import(url: str, file: Path, *options: str | Path) -> Summary:
    """Import members by the command, to the end; returns the summary."""
    return summary_of(await run(url, "import-members", file, *options))


def summary_of(output: str) -> Summary:
    """The last words of an import."""
    found = _SUMMARY.search(output)
    assert found is not None, output
    return Summary(**{name: int(text.replace(",", "")) for name, text in found.groupdict().items()})


async def kill_import_after(url: str, file: Path, *, rows: int) -> tuple[int, int]:
    """Import, and kill -9 once so many rows are brought.

    Returns how many were, and how many a second while they were, as it said.
    """
    process = await start(url, "import-members", file)
    brought = rate = 0
    while brought < rows:
        line, _ = await next_words(process)
        assert line, "the import ended before it could be killed"
        if said := _BROUGHT.search(line):
            brought, rate = (int(number.replace(b",", b"")) for number in said.groups())
    process.kill()
    assert await process.wait() < 0
    return brought, rate


async def next_words(process: asyncio.subprocess.Process) -> tuple[bytes, int]:
    """The process's next line, and its resident memory in KiB then."""
    assert process.stdout is not None
    return await process.stdout.readline(), resident_kib(process.pid)


def resident_kib(pid: int) -> int:
    """How much memory the process has now; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) if found else 0


def many(members: int, *, seed: int) -> tuple[list[dict[str, Any]], int, int]:
    """Rows of so many members in no order, with the number of lots and of points in them.

    Half of them have one lot, the others two or three, of which some never expire.
    """
    random = Random(seed)
    rows: list[dict[str, Any]] = []
    lots = points = 0
    for number in range(members):
        said = {
            "external_id": f"C-{number:06}",
            "phone": f"138{number:08}",
            "nickname": f"会员 {number}",
            "gender": random.choice(("female", "男", "")),
            "birthday": f"19{random.randrange(50, 99)}-0{random.randrange(1, 10)}-15",
            "joined_at": f"2019-0{random.randrange(1, 10)}-11 09:30:00",
            "interests": random.choice(("", "tea", "tea;home")),
            "level": random.choice(("", "", "", "silver", "gold")),
        }
        for _ in range(random.choice((1, 1, 2, 3))):
            amount = random.randrange(1, 5_000)
            expires = random.choice(("", f"203{random.randrange(10)}-12-31"))
            rows.append({**said, "points": amount, "points_expires_at": expires})
            lots, points = lots + 1, points + amount
    random.shuffle(rows)
    return rows, lots, points
