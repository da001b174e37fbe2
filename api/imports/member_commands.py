"""The commands `import-members` and `export-members`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.cli.operators import tell_the_log
from api.cli.session import failing_in_one_line, stop
from api.imports.mapping import MEMBER_FIELDS
from api.imports.member_export import ExportCounts
from api.imports.member_export import export_members as run_member_export
from api.imports.member_import import MemberCounts, MemberImport
from api.imports.member_import import import_members as run_member_import
from api.imports.member_rows import MemberForm
from api.imports.progress import TerminalReporter
from api.imports.purchase_import import Now
from api.imports.reading import CsvForm, SourceFile, UnusableFile
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
    connected,
    rejects_path_of,
    run_import,
    zone_named,
)
from domain import storage
from domain.audit import Target
from domain.program import program


def import_members(
    file: FileArgument,
    *,
    map_: MapOption = None,
    mapping: MappingOption = None,
    time_zone: TimeZoneOption = None,
    date_format: DateFormatOption = None,
    rejects: RejectsOption = None,
    encoding: EncodingOption = "utf-8",
    delimiter: DelimiterOption = ",",
    database_url: DatabaseOption = None,
) -> None:
    """Import members with their points and levels from another system.

    Fields: external_id, phone, wechat_openid, wechat_unionid, alipay, shop_card, nickname,
    avatar_url, gender, birthday, preferred_channel, joined_at, interests, level, level_since,
    level_keep_until, points, points_expires_at, points_earned_at, points_matures_at, lots. Run it
    again to resume, or to add who is new in the file.
    """
    choice = Choice(fields=MEMBER_FIELDS, mapping=mapping, map_=map_)

    async def work(opened: SourceFile, now: Now, console: Console) -> MemberCounts:
        command = MemberImport(
            file=opened,
            mapping=choice.columns_of(opened),
            form=MemberForm(
                zone=zone_named(time_zone) if time_zone else (await program()).zone,
                date_form=date_format,
            ),
            rejects_path=rejects_path_of(rejects, file),
        )
        await tell_the_log("import.members", Target(kind="file", id=file.name), now=now())
        return await run_member_import(command, now=now, reporter=TerminalReporter(console))

    run_import(
        work,
        file=file,
        csv_form=CsvForm(encoding=encoding, delimiter=delimiter),
        database_url=database_url,
        rejects_path=rejects_path_of(rejects, file),
    )


def export_members(
    file: Annotated[Path, typer.Argument(help="A new file that ends in .csv or .parquet.")],
    *,
    database_url: DatabaseOption = None,
) -> None:
    """Export all members with their points and levels, as import-members reads them.

    The file holds personal data in the clear, phone numbers too.
    """
    console = Console(file=sys.stdout)
    begun = time.monotonic()

    async def work(now: Now) -> ExportCounts:
        await tell_the_log("export.members", Target(kind="file", id=file.name), now=now())
        return await run_member_export(file, now=now, reporter=TerminalReporter(console))

    with failing_in_one_line():
        try:
            counts = connected(work, database_url=database_url)
        except UnusableFile as fault:
            stop(str(fault))
        except storage.StorageFault as fault:
            stop(f"{fault}; nothing was exported")
    rate = counts.rows / max(time.monotonic() - begun, 1e-9)
    console.print(
        f"{counts.members:,} members in {counts.rows:,} rows, {counts.points:,} points; "
        f"{rate:,.0f} rows/s",
        highlight=False,
        soft_wrap=True,
    )
    if counts.in_debt:
        console.print(
            f"{counts.in_debt:,} of them owe points, which no import takes", highlight=False
        )
