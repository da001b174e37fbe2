"""What the import commands have in common: their options, their connection, their last words."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console

from api.cli.session import failing_in_one_line, stop
from api.imports.mapping import ColumnMapping, Fields, Preset, column_mapping
from api.imports.purchase_import import Now
from api.imports.reading import CsvForm, SourceFile, UnusableFile, open_source
from api.opening import open_phone_keys
from api.settings import read_settings
from domain import storage
from domain.clock import Clock
from domain.errors import InvalidInput

T = TypeVar("T")

IMPORT_POOL = storage.PoolSettings(
    size_max=2,
    write_wait_s=5.0,
    statement_timeout_ms=30_000,
    lock_timeout_ms=5_000,
    retry_within_s=30.0,
    plan_lifetime_s=1,
)
"""An import may wait for others, as nobody waits for it; and it makes small tables large."""

FileArgument = Annotated[Path, typer.Argument(help="A CSV file with a header, or a Parquet file.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN",
        help="The column of a field; COLUMN,COLUMN takes the first that has a value. Repeatable.",
    ),
]
MappingOption = Annotated[
    Path | None, typer.Option("--mapping", help="A TOML or JSON file of field = column.")
]
RejectsOption = Annotated[
    Path | None,
    typer.Option(help="Where rejected rows go. [default: var/rejects/FILE.csv]"),
]
EncodingOption = Annotated[str, typer.Option(help="The encoding of a CSV file.")]
DelimiterOption = Annotated[str, typer.Option(help="What separates the columns of a CSV file.")]
TimeZoneOption = Annotated[
    str | None,
    typer.Option(help="Of dates without an offset. [default: the programme's]"),
]
DateFormatOption = Annotated[
    str | None, typer.Option(help="As for strptime, e.g. %d/%m/%Y %H:%M. [default: ISO 8601]")
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_URL", help="The database. [default: as for the gateway]"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line says about columns."""

    fields: Fields
    mapping: Path | None
    map_: Sequence[str] | None
    presets: Mapping[str, Preset] = field(default_factory=dict)
    preset: str | None = None

    @property
    def chosen_preset(self) -> Preset | None:
        """The preset that was named; UnusableFile where there is none of that name."""
        if self.preset is None:
            return None
        if self.preset not in self.presets:
            raise UnusableFile(
                f"there is no preset {self.preset!r}, only: {', '.join(self.presets)}"
            )
        return self.presets[self.preset]

    def columns_of(self, source: SourceFile) -> ColumnMapping:
        """Which column of the file is which field, see `column_mapping`."""
        return column_mapping(
            self.fields,
            header=source.columns,
            preset=self.chosen_preset,
            file=self.mapping,
            given=self.map_ or (),
        )


class Counts(Protocol):
    """What came of a file."""

    rows: int
    rejected: int
    rejected_by_code: dict[str, int]

    def told(self) -> Sequence[str]:
        """What became of the rows, in words."""
        ...


AnyCounts = TypeVar("AnyCounts", bound=Counts)


def run_import(
    work: Callable[[SourceFile, Now, Console], Awaitable[AnyCounts]],
    *,
    file: Path,
    csv_form: CsvForm,
    database_url: str | None,
    rejects_path: Path,
) -> None:
    """Import the file by `work` into the database, and say what came of it.

    The process ends with status 1, and one line that says why, where the file could not be
    imported.
    """
    console = Console(file=sys.stdout)
    begun = time.monotonic()

    async def opened(now: Now) -> AnyCounts:
        return await work(source, now, console)

    with failing_in_one_line():
        try:
            source = open_source(file, csv_form=csv_form)
            counts = connected(opened, database_url=database_url)
        except UnusableFile as fault:
            stop(str(fault))
        except InvalidInput as refusal:
            stop(refusal.rule)
        except storage.StorageFault as fault:
            stop(f"{fault}; run the same command again to go on from here")
    _summarise(console, counts, seconds=time.monotonic() - begun, rejects_path=rejects_path)


def connected(work: Callable[[Now], Awaitable[T]], *, database_url: str | None) -> T:
    """Run `work` on the database, its clock known; UnusableFile where it is not migrated."""
    settings = read_settings()

    async def run() -> T:
        await storage.connect(database_url or settings.database_url, pool=IMPORT_POOL)
        try:
            if await storage.pending_migrations():
                raise UnusableFile("the database is not migrated: run `make migrate` first")
            clock = Clock()
            await storage.synchronise_clock(clock)
            open_phone_keys(settings, now=clock.now())
            return await work(clock.now)
        finally:
            await storage.close()

    return asyncio.run(run())


def _summarise(console: Console, counts: Counts, *, seconds: float, rejects_path: Path) -> None:
    rate = counts.rows / max(seconds, 1e-9)
    console.print(
        f"{counts.rows:,} rows: {', '.join(counts.told())}; {rate:,.0f} rows/s",
        highlight=False,
        soft_wrap=True,
    )
    for code, count in sorted(counts.rejected_by_code.items()):
        console.print(f"  {code}: {count:,}", highlight=False)
    if counts.rejected:
        console.print(f"rejected rows: {rejects_path}", highlight=False, soft_wrap=True)


def rejects_path_of(given: Path | None, file: Path) -> Path:
    """Where the rejected rows of a file go."""
    return given or Path("var/rejects") / f"{file.name}.csv"


def zone_named(name: str) -> ZoneInfo:
    """The time zone; UnusableFile where there is none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as failure:
        raise UnusableFile(f"there is no time zone {name!r}") from failure
