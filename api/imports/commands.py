"""The commands `import-products`, `import-purchases`, `import-members` and `export-members`.

Exit status 0: the file was imported, rejected rows and all; 1: it could not be, for the reason that
is printed as one line.
"""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from api.cli.operators import tell_the_log
from api.cli.session import stop
from api.imports.mapping import (
    PRODUCT_FIELDS,
    PRODUCT_PRESETS,
    PURCHASE_FIELDS,
    PURCHASE_PRESETS,
)
from api.imports.member_commands import export_members, import_members
from api.imports.product_import import ProductCounts, ProductForm, ProductImport
from api.imports.product_import import import_products as run_product_import
from api.imports.progress import TerminalReporter
from api.imports.purchase_import import Now, PurchaseCounts, PurchaseImport
from api.imports.purchase_import import import_purchases as run_purchase_import
from api.imports.purchase_rows import PurchaseForm
from api.imports.reading import CsvForm, SourceFile
from api.imports.running import (
    Choice,
    DatabaseOption,
    DateFormatOption,
    DelimiterOption,
    EncodingOption,
    FileArgument,
    MapOption,
    MappingOption,
    RejectsOption,
    TimeZoneOption,
    rejects_path_of,
    run_import,
    zone_named,
)
from domain.audit import Target
from domain.program import program
from domain.purchases import current_rule
from domain.texts import is_identity
from domain.tiers import read_levels

_SOURCE_LENGTH_MAX = 64


def import_products(
    file: FileArgument,
    *,
    map_: MapOption = None,
    mapping: MappingOption = None,
    preset: Annotated[
        str | None, typer.Option(help=f"Columns of: {', '.join(PRODUCT_PRESETS)}.")
    ] = None,
    time_zone: TimeZoneOption = None,
    date_format: DateFormatOption = None,
    rejects: RejectsOption = None,
    encoding: EncodingOption = "utf-8",
    delimiter: DelimiterOption = ",",
    database_url: DatabaseOption = None,
) -> None:
    """Import products.

    Fields: code, title, theme, image, price (in yuan), level (from which on members are shown it),
    introduced (since when it is new), active (yes or no). A row says everything about its product:
    a field without a column or a value is taken away, and what says nothing of active is sold.
    """
    choice = Choice(
        fields=PRODUCT_FIELDS, presets=PRODUCT_PRESETS, preset=preset, mapping=mapping, map_=map_
    )

    async def work(source: SourceFile, now: Now, console: Console) -> ProductCounts:
        columns = choice.columns_of(source)
        command = ProductImport(
            file=source,
            mapping=columns,
            form=ProductForm(
                zone=await _zone(time_zone, needed="introduced" in columns),
                date_form=date_format,
                levels=frozenset(level.code for level in await read_levels()),
            ),
            rejects_path=rejects_path_of(rejects, file),
        )
        await tell_the_log("import.products", Target(kind="file", id=file.name), now=now())
        return await run_product_import(command, now=now, reporter=TerminalReporter(console))

    run_import(
        work,
        file=file,
        csv_form=CsvForm(encoding=encoding, delimiter=delimiter),
        database_url=database_url,
        rejects_path=rejects_path_of(rejects, file),
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
    time_zone: TimeZoneOption = None,
    date_format: DateFormatOption = None,
    rejects: RejectsOption = None,
    encoding: EncodingOption = "utf-8",
    delimiter: DelimiterOption = ",",
    database_url: DatabaseOption = None,
) -> None:
    """Import purchases.

    Fields: order, line, member, product, quantity, amount (yuan, of the line) or unit-price,
    placed, shop, channel. Run it again to resume, or to add what the file has gained.
    """
    choice = Choice(
        fields=PURCHASE_FIELDS, presets=PURCHASE_PRESETS, preset=preset, mapping=mapping, map_=map_
    )
    if not is_identity(source, characters_max=_SOURCE_LENGTH_MAX):
        stop(f"--source takes 1 to {_SOURCE_LENGTH_MAX} characters of plain text, none invisible")

    async def work(opened: SourceFile, now: Now, console: Console) -> PurchaseCounts:
        known_guests = choice.chosen_preset.guests if choice.chosen_preset else frozenset()
        command = PurchaseImport(
            file=opened,
            mapping=choice.columns_of(opened),
            form=PurchaseForm(
                zone=zone_named(time_zone) if time_zone else (await program()).zone,
                date_form=date_format,
                guests=known_guests | frozenset(guest or ()),
            ),
            rule=await current_rule(rule),
            source=source,
            create_members=create_members,
            rejects_path=rejects_path_of(rejects, file),
        )
        await tell_the_log("import.purchases", Target(kind="file", id=file.name), now=now())
        return await run_purchase_import(command, now=now, reporter=TerminalReporter(console))

    run_import(
        work,
        file=file,
        csv_form=CsvForm(encoding=encoding, delimiter=delimiter),
        database_url=database_url,
        rejects_path=rejects_path_of(rejects, file),
    )


async def _zone(named: str | None, *, needed: bool) -> ZoneInfo:
    """Where moments without an offset are; products come before the programme, or without it."""
    if named:
        return zone_named(named)
    return (await program()).zone if needed else ZoneInfo("UTC")


def add_import_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("import-products")(import_products)
    app.command("import-purchases")(import_purchases)
    app.command("import-members")(import_members)
    app.command("export-members")(export_members)
