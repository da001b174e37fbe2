"""Commands that carry the settings of the programme out of and into a database, as one file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api.cli.operators import operator
from api.cli.session import console, stop, with_database
from api.settings import Settings
from domain import programme_file
from domain.clock import Clock
from domain.errors import ProgrammeFileInvalid
from domain.programme_file import Imported

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
        text = await programme_file.export_programme()
        with _naming(file):
            _write(file, text)

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
    with _naming(file):
        source = _read(file)

    async def work(settings: Settings, clock: Clock) -> Imported | ProgrammeFileInvalid:
        try:
            return await programme_file.import_programme(
                source, by=operator(), now=clock.now(), check_only=check
            )
        except ProgrammeFileInvalid as wrong:
            return wrong

    found = with_database(work)
    if isinstance(found, ProgrammeFileInvalid):
        stop("\n".join(f"{file}: {problem}" for problem in found.problems))
    warnings = [f"warning: {one}" for one in found.warnings]
    for line in [*map(str, found.changes), *warnings]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(_counted(len(found.changes), check=check), highlight=False)


def _counted(changes: int, *, check: bool) -> str:
    if not changes:
        return "no changes"
    many = f"{changes:,} change{'s' if changes > 1 else ''}"
    return f"{many}, none of them made: this was a check" if check else many


@contextmanager
def _naming(file: str) -> Iterator[None]:
    """End the command as one line where the file cannot be read or written."""
    try:
        yield
    except OSError as failure:
        stop(f"refused: {file}: {failure.strerror or failure}")


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
