"""The commands `import-products` and `import-purchases`.

Exit status 0: the file was imported, rejected rows and all; 1: it could not be, for the reason that
is printed as one line.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console

from api.cli.operators import tell_the_log
from api.cli.session import failing_in_one_line, stop
from api.imports.mapping import (
    PRODUCT_FIELDS,
    PRODUCT_PRESETS,
    PURCHASE_FIELDS,
    PURCHASE_PRESETS,
    ColumnMapping,
    Fields,
    Preset,
    column_mapping,
)
from api.imports.product_import import ProductCounts, ProductImport
from api.imports.product_import import import_products as run_product_import
from api.imports.progress import TerminalReporter
from api.imports.purchase_import import Now, PurchaseCounts, PurchaseImport
from api.imports.purchase_import import import_purchases as run_purchase_import
from api.imports.purchase_rows import PurchaseForm
from api.imports.reading import CsvForm, SourceFile, UnusableFile, open_source
from api.opening import open_phone_keys
from api.settings import read_settings
from domain import storage
from domain.audit import Target
from domain.clock import Clock
from domain.errors import InvalidInput
from domain.program import program
from domain.purchases import current_rule
from domain.texts import is_storable

Counts = TypeVar("Counts", PurchaseCounts, ProductCounts)

_SOURCE_LENGTH_MAX = 64
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
DatabaseOption = Annotated[
    str | None,
    typer.Option(envvar="DATABASE_URL", help="The database. [default: as for the gateway]"),
]


def import_products(
    file: FileArgument,
    *,
    map_: MapOption = None,
    mapping: MappingOption = None,
    preset: Annotated[
        str | None, typer.Option(help=f"Columns of: {', '.join(PRODUCT_PRESETS)}.")
    ] = None,
    rejects: RejectsOption = None,
    encoding: EncodingOption = "utf-8",
    delimiter: DelimiterOption = ",",
    database_url: DatabaseOption = None,
) -> None:
    """Import products. Fields: code, title, theme, image, price (in yuan)."""
    choice = _Choice(
        fields=PRODUCT_FIELDS, presets=PRODUCT_PRESETS, preset=preset, mapping=mapping, map_=map_
    )

    async def work(source: SourceFile, now: Now, console: Console) -> ProductCounts:
        command = ProductImport(
            file=source,
            mapping=choice.columns_of(source),
            rejects_path=_rejects_path(rejects, file),
        )
        await tell_the_log("import.products", Target(kind="file", id=file.name), now=now())
        return await run_product_import(command, now=now, reporter=TerminalReporter(console))

    _run(
        work,
        file=file,
        csv_form=CsvForm(encoding=encoding, delimiter=delimiter),
        database_url=database_url,
        rejects_path=_rejects_path(rejects, file),
    )


def import_purchases(
    file: FileArgument,
    *,
    map_: MapOption = None,
    mapping: MappingOption = None,
    preset: Annotated[
        str | None, typer.Option(help=f"Columns of: {', '.join(PURCHASE_PRESETS)}.")
    ] = None,
    source: Annotated[
        str, typer.Option(help="Where the orders come from; order ids are unique within it.")
    ] = "import",
    rule: Annotated[str, typer.Option(help="The earning rule.")] = "standard",
    create_members: Annotated[
        bool, typer.Option(help="Register members that are not known yet.")
    ] = True,
    guest: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE", help="A member value that means a guest. Repeatable."),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(help="Of dates without an offset. [default: the programme's]"),
    ] = None,
    date_format: Annotated[
        str | None, typer.Option(help="As for strptime, e.g. %d/%m/%Y %H:%M. [default: ISO 8601]")
    ] = None,
    rejects: RejectsOption = None,
    encoding: EncodingOption = "utf-8",
    delimiter: DelimiterOption = ",",
    database_url: DatabaseOption = None,
) -> None:
    """Import purchases.

    Fields: order, line, member, product, quantity, amount (yuan, of the line) or unit-price,
    placed, shop, channel. Run it again to resume, or to add what the file has gained.
    """
    choice = _Choice(
        fields=PURCHASE_FIELDS, presets=PURCHASE_PRESETS, preset=preset, mapping=mapping, map_=map_
    )
    if not is_storable(source, characters_max=_SOURCE_LENGTH_MAX):
        stop(f"--source takes 1 to {_SOURCE_LENGTH_MAX} characters of plain text")

    async def work(opened: SourceFile, now: Now, console: Console) -> PurchaseCounts:
        known_guests = choice.chosen_preset.guests if choice.chosen_preset else frozenset()
        command = PurchaseImport(
            file=opened,
            mapping=choice.columns_of(opened),
            form=PurchaseForm(
                zone=_zone(time_zone) if time_zone else (await program()).zone,
                date_form=date_format,
                guests=known_guests | frozenset(guest or ()),
            ),
            rule=await current_rule(rule),
            source=source,
            create_members=create_members,
            rejects_path=_rejects_path(rejects, file),
        )
        await tell_the_log("import.purchases", Target(kind="file", id=file.name), now=now())
        return await run_purchase_import(command, now=now, reporter=TerminalReporter(console))

    _run(
        work,
        file=file,
        csv_form=CsvForm(encoding=encoding, delimiter=delimiter),
        database_url=database_url,
        rejects_path=_rejects_path(rejects, file),
    )


def add_import_commands(app: typer.Typer) -> None:
    """Add both commands to the command line."""
    app.command("import-products")(import_products)
    app.command("import-purchases")(import_purchases)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What the command line says about columns."""

    fields: Fields
    presets: Mapping[str, Preset]
    preset: str | None
    mapping: Path | None
    map_: list[str] | None

    @property
    def chosen_preset(self) -> Preset | None:
        if self.preset is None:
            return None
        if self.preset not in self.presets:
            raise UnusableFile(
                f"there is no preset {self.preset!r}, only: {', '.join(self.presets)}"
            )
        return self.presets[self.preset]

    def columns_of(self, source: SourceFile) -> ColumnMapping:
        return column_mapping(
            self.fields,
            header=source.columns,
            preset=self.chosen_preset,
            file=self.mapping,
            given=self.map_ or (),
        )


def _run(
    work: Callable[[SourceFile, Now, Console], Awaitable[Counts]],
    *,
    file: Path,
    csv_form: CsvForm,
    database_url: str | None,
    rejects_path: Path,
) -> None:
    console = Console(file=sys.stdout)
    begun = time.monotonic()

    settings = read_settings()
    database_url = database_url or settings.database_url

    async def connected() -> Counts:
        source = open_source(file, csv_form=csv_form)
        await storage.connect(database_url, pool=IMPORT_POOL)
        try:
            if await storage.pending_migrations():
                raise UnusableFile("the database is not migrated: run `make migrate` first")
            clock = Clock()
            await storage.synchronise_clock(clock)
            open_phone_keys(settings, now=clock.now())
            return await work(source, clock.now, console)
        finally:
            await storage.close()

    with failing_in_one_line():
        try:
            counts = asyncio.run(connected())
        except UnusableFile as fault:
            stop(str(fault))
        except InvalidInput as refusal:
            stop(refusal.rule)
        except storage.StorageFault as fault:
            stop(f"{fault}; run the same command again to go on from here")
    _summarise(console, counts, seconds=time.monotonic() - begun, rejects_path=rejects_path)


def _summarise(
    console: Console,
    counts: PurchaseCounts | ProductCounts,
    *,
    seconds: float,
    rejects_path: Path,
) -> None:
    if isinstance(counts, PurchaseCounts):
        parts = [
            f"{counts.imported:,} imported",
            f"{counts.known:,} there already",
            f"{counts.rejected:,} rejected",
            f"{counts.orders:,} orders",
            f"{counts.points:,} points",
        ]
    else:
        parts = [
            f"{counts.imported:,} imported ({counts.created:,} new, {counts.changed:,} changed)",
            f"{counts.rejected:,} rejected",
        ]
    console.print(
        f"{counts.rows:,} rows: {', '.join(parts)}; {counts.rows / max(seconds, 1e-9):,.0f} rows/s",
        highlight=False,
        soft_wrap=True,
    )
    for code, count in sorted(counts.rejected_by_code.items()):
        console.print(f"  {code}: {count:,}", highlight=False)
    if counts.rejected:
        console.print(f"rejected rows: {rejects_path}", highlight=False, soft_wrap=True)


def _rejects_path(given: Path | None, file: Path) -> Path:
    return given or Path("var/rejects") / f"{file.name}.csv"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as failure:
        raise UnusableFile(f"there is no time zone {name!r}") from failure
