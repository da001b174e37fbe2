"""Commands about the ledger: auditing it, and releasing accounts that an audit froze."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated
from uuid import UUID

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.cli.operators import operator
from api.cli.session import complaints, console, stop, with_database
from api.logs import configure_logs
from api.settings import Settings
from domain import ledger
from domain.clock import Clock
from domain.ledger import LedgerAudit, StillViolated, Violation
from schema.faults import CodedError
from schema.node import decode_uuid


def add_to(app: typer.Typer) -> None:
    """Add these commands."""
    app.command("audit-ledger")(audit_ledger)
    app.command("unfreeze-account")(unfreeze_account)


def audit_ledger(
    complete: Annotated[
        bool,
        typer.Option(
            "--complete/--incremental",
            help="Every account and its whole history, or only what is new since the last audit.",
        ),
    ] = True,
) -> None:
    """Check the ledger; freeze for debits what fails; exit with 1 where anything does."""

    async def work(settings: Settings, clock: Clock) -> LedgerAudit:
        configure_logs(production=settings.is_production, level=settings.log_level)
        total = await ledger.entries_to_audit() if complete else None
        with _progress(total) as told:
            return await ledger.audit_by_hand(
                by=operator(), now=clock.now(), complete=complete, told=told
            )

    found = with_database(work)
    for violation in found.violations:
        _complain(violation)
    console.print(
        f"checked {found.accounts_checked:,} accounts, {found.entries_checked:,} entries: "
        f"{found.violations_found:,} violations, {len(found.frozen):,} accounts frozen",
        highlight=False,
        soft_wrap=True,
    )
    if found.violations_found:
        raise typer.Exit(1)


def unfreeze_account(
    member: Annotated[str, typer.Argument(help="The member's id, as an audit names it.")],
) -> None:
    """Let a frozen account spend again, once it passes the audit."""
    member_id = id_of_member(member)

    async def work(settings: Settings, clock: Clock) -> bool | list[Violation]:
        try:
            return await ledger.unfreeze_account(member_id, by=operator(), now=clock.now())
        except StillViolated as refused:
            return refused.violations

    outcome = with_database(work)
    if isinstance(outcome, list):
        for violation in outcome:
            _complain(violation)
        stop("the account stays frozen: mend it first")
    if not outcome:
        stop(f"no frozen account of {member_id}")
    console.print(f"the account of {member_id} may spend again", highlight=False)


def _complain(violation: Violation) -> None:
    complaints.print(
        f"{violation.member_id} {violation.rule}: {violation.detail}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def _progress(total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar of entries on a terminal, nothing elsewhere."""
    if not console.is_terminal:
        yield lambda entries: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("auditing entries", total=total)
        yield lambda entries: progress.advance(task, entries)


def id_of_member(text: str) -> UUID:
    """The member of a UUID, as commands print it, or of a global id, as the API gives it."""
    try:
        return UUID(text)
    except ValueError:
        pass
    try:
        return decode_uuid(text, "Member")
    except (ValueError, CodedError):
        raise typer.BadParameter("no id of a member", param_hint="MEMBER") from None
