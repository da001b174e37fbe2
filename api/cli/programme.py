"""Commands that carry the settings of the programme out of and into a database, as one file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from api.cli.operators import operator
from api.cli.session import console, stop, with_database
from api.settings import Settings
from domain import programme_file
from domain.clock import Clock
from domain.errors import ProgrammeFileInvalid
from domain.programme_file import Change

_STANDARD = "-"


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("export-programme")(export_programme)
    app.command("import-programme")(import_programme)


def export_programme(
    file: Annotated[str, typer.Argument(help="Where to write; - for standard output.")],
) -> None:
    """Write the programme's settings to one YAML file: no members, products or accounts."""

    async def work(settings: Settings, clock: Clock) -> None:
        _write(file, await programme_file.export_programme())

    with_database(work)


def import_programme(
    file: Annotated[str, typer.Argument(help="What to read; - for standard input.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only show what would change, and change nothing.")
    ] = False,
) -> None:
    """Make the programme what the file says, all of it or nothing; show what changed.

    What the file leaves out stays as it is.
    """

    async def work(settings: Settings, clock: Clock) -> Sequence[Change] | ProgrammeFileInvalid:
        try:
            return await programme_file.import_programme(
                _read(file), by=operator(), now=clock.now(), check_only=check
            )
        except ProgrammeFileInvalid as wrong:
            return wrong

    found = with_database(work)
    if isinstance(found, ProgrammeFileInvalid):
        stop("\n".join(f"{file}: {problem}" for problem in found.problems))
    for change in found:
        console.print(str(change), markup=False, highlight=False, soft_wrap=True)
    console.print(_counted(len(found), check=check), highlight=False)


def _counted(changes: int, *, check: bool) -> str:
    if not changes:
        return "no changes"
    many = f"{changes:,} change{'s' if changes > 1 else ''}"
    return f"{many}, none of them made: this was a check" if check else many


def _write(file: str, text: str) -> None:
    if file == _STANDARD:
        typer.echo(text, nl=False)
    else:
        Path(file).write_text(text, encoding="utf-8")


def _read(file: str) -> bytes:
    """The bytes of the file, as many as are looked at and one more."""
    if file == _STANDARD:
        return sys.stdin.buffer.read(programme_file.BYTES_MAX + 1)
    with Path(file).open("rb") as source:
        return source.read(programme_file.BYTES_MAX + 1)
