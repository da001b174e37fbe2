"""Commands about the audit log."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from api.cli.session import console, stop, with_database
from api.settings import Settings
from domain import audit
from domain.audit import Head, Verification
from domain.clock import Clock


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("verify-audit")(verify_audit)


def verify_audit(
    head: Annotated[
        str | None,
        typer.Option(help="A head that this command printed before: it must be in the log still."),
    ] = None,
) -> None:
    """Check every row of the audit log, name the first that is not as it was written."""
    kept = None if head is None else _read_head(head)

    async def work(settings: Settings, clock: Clock) -> Verification:
        return await audit.verify(kept=kept)

    found = with_database(work)
    if found.broken is not None:
        stop(f"row {found.broken.seq} of the audit log: {found.broken.how}")
    console.print(f"{found.good:,} rows are as they were written", highlight=False)
    console.print(f"head {found.head}", highlight=False, soft_wrap=True)


def _read_head(text: str) -> Head:
    if not re.fullmatch(r"[0-9]{1,18}:[0-9a-f]{64}", text):
        raise typer.BadParameter("a number, a colon and a hash", param_hint="--head")
    seq, _, digest = text.partition(":")
    return Head(seq=int(seq), hash=bytes.fromhex(digest))
